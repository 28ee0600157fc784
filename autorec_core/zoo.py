"""Ready models: each a few lines of chained blocks, tuned by any searcher.

A model is a function from the `Parts` that the data offer to the nodes that its task optimizer
adds up. In the thesis' space a model is what the thesis says; the extended space adds what helps
on real data to every model: biases of all ids, L2 on looked-up embeddings, and predictions that
stay in the range of the ratings, and user and item vectors that know whom and what they have met.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, cast

from autorec_core.block import Block, Choice, Node, choice
from autorec_core.data.schema import Schema
from autorec_core.errors import ConfigError
from autorec_core.interactors.base import Interactor
from autorec_core.interactors.bilinear import BilinearInteraction
from autorec_core.interactors.compressed import CompressedInteraction
from autorec_core.interactors.cross_net import CrossNetInteraction
from autorec_core.interactors.cross_net_v2 import CrossNetV2Interaction
from autorec_core.interactors.elementwise import OPERATIONS, ElementwiseInteraction
from autorec_core.interactors.fm import FMInteraction
from autorec_core.interactors.hyper import HyperInteraction, searchable
from autorec_core.interactors.inner_product import InnerProductInteraction
from autorec_core.interactors.mlp import MLPInteraction
from autorec_core.interactors.pairwise_dot import PairwiseDotInteraction
from autorec_core.interactors.self_attention import SelfAttentionInteraction
from autorec_core.interactors.squeeze_excitation import SqueezeExcitationInteraction
from autorec_core.mappers.bias import BiasMapper
from autorec_core.mappers.dense_feature import DenseFeatureMapper
from autorec_core.mappers.history import HistoryMapper
from autorec_core.mappers.latent_factor import LatentFactorMapper
from autorec_core.mappers.linear import LinearMapper
from autorec_core.mappers.pooled_feature import PooledFeatureMapper
from autorec_core.mappers.rate import RateMapper
from autorec_core.mappers.sparse_feature import SparseFeatureMapper
from autorec_core.optimizers import CTRPredictionOptimizer, RatingPredictionOptimizer
from autorec_core.recipe import Training
from autorec_core.recommender import CTRRecommender, Input, Recommender, RPRecommender

Space = Literal["extended", "thesis"]
Role = Literal["user", "item"]
Nodes = list[Node]

MIN_HISTORY, MAX_HISTORY = 20, 300
HISTORY_CELLS = 50_000_000
"""Histories are cut where all of them together would take more places than this."""
CLICK_BIAS_L2 = choice(10.0, 30.0, 100.0, default=30.0, name="bias_l2")
"""Stronger than for ratings: beside the rates of ids, a bias is what the rate does not say."""
COLUMNS_L2 = choice(1.0, 3.0, 10.0, 30.0, default=3.0, name="sparse_l2")
COLUMNS_RATE = choice(0.003, 0.01, default=0.01)
COLUMNS_LAYERS = choice(1, 2, 3, default=2)
COLUMNS_DROPOUT = choice(0.0, 0.25, 0.5, default=0.0)
"""Of ratings without users and items. On planted data more L2 keeps embeddings from what there is
to learn, smaller steps end on the plateau on which a product's factors are alike, and dropout
costs half of what a perceptron could learn; where most ids are rare, it still pays.
"""
LEAST_STEPS = 32
"""Of an epoch in the extended space: fewer, and early stopping comes before convergence."""


@dataclass
class Parts:
    """What the models are chained from, for one data set in one space.

    Args:
        schema: What the data look like.
        space: The search space that every block of the chain takes.
        embedding_dim: Width of all embeddings: a number, or one shared hyperparameter.
    """

    schema: Schema
    space: Space
    embedding_dim: Any
    ids: Node = field(init=False)
    numbers: Node = field(init=False)

    def __post_init__(self) -> None:
        self.ids = Input(shape=[len(self.schema.id_columns)], name="categorical", dtype="int32")
        self.numbers = Input(shape=[len(self.schema.numeric)], name="numeric", dtype="float32")

    def block(self, kind: type[Block], **settings: Any) -> Block:
        """A block of this kind with the search space that `space` names."""
        return kind.thesis(**settings) if self.space == "thesis" else kind(**settings)

    def latent(self, role: Role) -> Node:
        """A latent vector of the row's user or item."""
        column, size = self._column(role)
        mapper = self.block(
            LatentFactorMapper,
            feat_column_id=column,
            id_num=size,
            embedding_dim=self.embedding_dim,
        )
        return mapper(self.ids)

    def pair(self) -> Nodes:
        """The user's and the item's vector; in the extended space, history added to each."""
        user, item = self.latent("user"), self.latent("item")
        if self.space == "thesis":
            return [user, item]
        add = ElementwiseInteraction(operation="sum")
        return [
            add([user, self.history("user", "item")]),
            add([item, self.history("item", "user")]),
        ]

    def history(self, of: Role, met: Role) -> Node:
        """What the row's user (or item) has met in training: a vector of the history of `of`."""
        (key, key_num), (value, value_num) = self._column(of), self._column(met)
        mapper = HistoryMapper(
            key_column=key,
            value_column=value,
            key_num=key_num,
            value_num=value_num,
            embedding_dim=self.embedding_dim,
            max_length=max(MIN_HISTORY, min(MAX_HISTORY, HISTORY_CELLS // key_num)),
        )
        return mapper(self.ids)

    def _column(self, role: Role) -> tuple[int, int]:
        """The place of the user's or item's column, and its number of ids."""
        place = self.schema.position(getattr(self.schema, role))
        return place, self.schema.categorical[place].vocabulary_size

    def sparse(self, *, besides: tuple[str | None, ...] = ()) -> Nodes:
        """An embedding of every categorical column."""
        kept = [
            (place, column.vocabulary_size)
            for place, column in enumerate(self.schema.categorical)
            if column.name not in besides
        ]
        if not kept:
            return []
        columns, sizes = zip(*kept, strict=True)
        mapper = self.block(
            SparseFeatureMapper,
            columns=columns,
            vocabulary_sizes=sizes,
            embedding_dim=self.embedding_dim,
            **self._l2,
        )
        return [mapper(self.ids)]

    def dense(self, output: Any = "fields") -> Nodes:
        """An embedding of every numeric column, or one of all of them (`output="mlp"`)."""
        if not self.schema.numeric:
            return []
        settings = {"embedding_dim": self.embedding_dim, "output": output}
        return [self.block(DenseFeatureMapper, **settings)(self.numbers)]

    def pooled(self) -> Nodes:
        """The mean embedding of every multi-valued column."""
        return [
            self.block(
                PooledFeatureMapper,
                first_column=self.schema.first_place(one),
                length=one.length,
                vocabulary_size=one.vocabulary_size,
                embedding_dim=self.embedding_dim,
                **self._l2,
            )(self.ids)
            for one in self.schema.lists
        ]

    @property
    def _l2(self) -> dict[str, Any]:
        """The L2 of embedded columns, where it is not their mappers' own."""
        special = self.space == "extended" and _is_columns_alone(self.schema)
        return {"l2": COLUMNS_L2} if special else {}

    def embeddings(self) -> Nodes:
        """An embedding of every column."""
        return [*self.sparse(), *self.pooled(), *self.dense()]

    def candidates(self, nodes: Nodes) -> tuple[list[str], tuple[Interactor, ...]]:
        """What a searched branch over these nodes may be, and which of it has its own settings.

        All that can learn there: vectors begin near zero, and so does their product, which for more
        than two of them no gradient moves from there.
        """
        columns = len(self.schema.categorical) + len(self.schema.lists) + len(self.schema.numeric)
        vectors = len(nodes) if len(nodes) > 1 else columns
        special: dict[str, Interactor] = {}
        if vectors > 2:
            kept = (name for name in OPERATIONS if name != "multiply")
            elementwise = ElementwiseInteraction(operation=choice(*kept, default="average"))
            special[ElementwiseInteraction.__name__] = elementwise
        if _is_columns_alone(self.schema):
            special[MLPInteraction.__name__] = MLPInteraction(
                num_layers=COLUMNS_LAYERS, dropout_rate=COLUMNS_DROPOUT
            )
        names, own = [], []
        for name in searchable():
            plain = cast(Interactor, Block.registry[name]())
            interactor = special.get(name, plain).narrowed(vectors)
            if interactor is None or (vectors > 2 and name == InnerProductInteraction.__name__):
                continue
            names.append(name)
            if interactor != plain:
                own.append(interactor)
        return names, tuple(own)

    @cached_property
    def linear(self) -> Nodes:
        """What every id and every number adds to the score by itself."""
        sizes = tuple(column.vocabulary_size for column in self.schema.categorical)
        columns: dict[str, Any] = {
            "vocabulary_sizes": sizes,
            "columns": tuple(range(len(sizes))),
        }
        if self.space == "thesis" or self.schema.task == "rating":
            biases = [self.block(BiasMapper, **columns)(self.ids)] if sizes else []
            return [*biases, *([LinearMapper()(self.numbers)] if self.schema.numeric else [])]
        nodes: Nodes = []
        if sizes:
            # Between rates that agree, 1 / columns each, and rates that add up, 1 each.
            rates = LinearMapper(start=len(sizes) ** -0.5)(RateMapper(**columns)(self.ids))
            nodes = [BiasMapper(**columns, l2=CLICK_BIAS_L2)(self.ids), rates]
        return [*nodes, *([LinearMapper()(self.numbers)] if self.schema.numeric else [])]

    def needs_user_and_item(self, model: str) -> None:
        """Checks that the data say which columns hold the user and the item."""
        if self.schema.user is None or self.schema.item is None:
            raise ConfigError(
                f"{model} is made for a user and an item column, and this data set names none. "
                f"Name them in its entry of params.yaml (`user`, `item`), or choose another model."
            )


def mf(parts: Parts) -> Nodes:
    """Matrix factorisation: the dot product of a user's and an item's latent vector."""
    parts.needs_user_and_item("mf")
    product = parts.block(InnerProductInteraction)
    return [product(parts.pair())]


def mlp(parts: Parts) -> Nodes:
    """The embeddings of all columns (user and item) side by side in a multilayer perceptron."""
    return [parts.block(MLPInteraction)(parts.embeddings())]


def neumf(parts: Parts) -> Nodes:
    """Neural matrix factorisation: an MF tower beside an MLP tower, each on its own embeddings."""
    parts.needs_user_and_item("neumf")
    mf_tower = parts.block(ElementwiseInteraction, operation="multiply")
    mlp_tower = parts.block(MLPInteraction)
    return [mf_tower(parts.pair()), mlp_tower([parts.latent("user"), parts.latent("item")])]


def wide_deep(parts: Parts) -> Nodes:
    """Wide & Deep: a linear part beside a multilayer perceptron."""
    return [parts.block(MLPInteraction)(parts.embeddings()), *parts.linear]


def deepfm(parts: Parts) -> Nodes:
    """DeepFM: a factorisation machine added to a multilayer perceptron on the same embeddings."""
    embeddings = parts.embeddings()
    fm = parts.block(FMInteraction)
    return [fm(embeddings), parts.block(MLPInteraction)(embeddings)]


def dlrm(parts: Parts) -> Nodes:
    """DLRM: dot products of all pairs of embeddings, with a bottom MLP's output, in a top MLP."""
    bottom = parts.dense(output="mlp")
    dots = parts.block(PairwiseDotInteraction)([*parts.sparse(), *parts.pooled(), *bottom])
    return [parts.block(MLPInteraction)([*bottom, dots])]


def dcn(parts: Parts) -> Nodes:
    """Deep & Cross: a cross network beside a multilayer perceptron on the same embeddings."""
    embeddings = parts.embeddings()
    cross = parts.block(CrossNetInteraction)
    return [cross(embeddings), parts.block(MLPInteraction)(embeddings)]


def dcn_v2(parts: Parts) -> Nodes:
    """DCN-V2: a cross network with weight matrices beside a multilayer perceptron."""
    embeddings = parts.embeddings()
    cross = parts.block(CrossNetV2Interaction)
    return [cross(embeddings), parts.block(MLPInteraction)(embeddings)]


def autoint(parts: Parts) -> Nodes:
    """AutoInt: multi-head self-attention between the embeddings of all columns."""
    return [parts.block(SelfAttentionInteraction)(parts.embeddings())]


def xdeepfm(parts: Parts) -> Nodes:
    """xDeepFM: a linear part, a compressed interaction network and a multilayer perceptron."""
    embeddings = parts.embeddings()
    compressed = parts.block(CompressedInteraction)
    return [compressed(embeddings), parts.block(MLPInteraction)(embeddings), *parts.linear]


def fibinet(parts: Parts) -> Nodes:
    """FiBiNET: bilinear pairs of the embeddings, plain and reweighted, in a perceptron."""
    embeddings = parts.embeddings()
    reweighted = parts.block(SqueezeExcitationInteraction)(embeddings)
    plain_pairs = parts.block(BilinearInteraction)(embeddings)
    reweighted_pairs = parts.block(BilinearInteraction)(reweighted)
    return [parts.block(MLPInteraction)([plain_pairs, reweighted_pairs]), *parts.linear]


def autorec_rp(parts: Parts) -> Nodes:
    """AutoRec for ratings: interactors searched over user and item vectors.

    The thesis searches over two latent mappers of each. The extended space searches what to add to
    matrix factorisation, which nothing that is learnt from so few rows replaces.
    """
    parts.needs_user_and_item("autorec_rp")
    others = [
        *parts.sparse(besides=(parts.schema.user, parts.schema.item)),
        *parts.pooled(),
        *parts.dense(),
    ]
    if parts.space == "thesis":
        latent = [parts.latent(role) for role in ("user", "user", "item", "item")]
        return [HyperInteraction.thesis()([*latent, *others])]
    pair = parts.pair()
    nodes = [*pair, *others]
    types, own = parts.candidates(nodes)
    searched = HyperInteraction(
        meta_interactor_num=choice(0, 1, 2, 3), interactor_type=choice(*types), interactors=own
    )
    return [InnerProductInteraction()(pair), searched(nodes)]


def autorec_ctr(parts: Parts) -> Nodes:
    """AutoRec for clicks: interactors searched over the embeddings of all columns."""
    nodes = parts.embeddings()
    if parts.space == "thesis":
        return [HyperInteraction.thesis()(nodes)]
    types, own = parts.candidates(nodes)
    searched = HyperInteraction(
        meta_interactor_num=choice(1, 2, 3),
        interactor_type=choice(*sorted(types), default="CrossNetInteraction"),
        interactors=own,
    )
    return [searched(nodes)]


MODELS: dict[str, Callable[[Parts], Nodes]] = {
    "mf": mf,
    "mlp": mlp,
    "neumf": neumf,
    "wide_deep": wide_deep,
    "deepfm": deepfm,
    "dlrm": dlrm,
    "dcn": dcn,
    "dcn_v2": dcn_v2,
    "autoint": autoint,
    "xdeepfm": xdeepfm,
    "fibinet": fibinet,
    "autorec_rp": autorec_rp,
    "autorec_ctr": autorec_ctr,
}


def build(
    name: str, schema: Schema, space: Space = "extended", training: Training | None = None
) -> Recommender:
    """The ready model `name` for data of this schema, not yet decided.

    Args:
        name: A key of `MODELS`, or "auto": AutoRec for the schema's task.
        schema: What the data look like.
        space: "thesis" for the search space of the thesis, "extended" for what helps beyond it.
        training: How candidates are trained; by default as `space` has it.

    Raises:
        ConfigError: There is no such model or space, or the model cannot work with such data.
    """
    if name == "auto":
        named = schema.task == "rating" and schema.user is not None and schema.item is not None
        name = "autorec_rp" if named else "autorec_ctr"
    if name not in MODELS:
        known = ", ".join(["auto", *MODELS])
        raise ConfigError(f"Unknown model {name!r} in `model.name`. Known models: {known}.")
    if space not in ("extended", "thesis"):
        raise ConfigError(f"Unknown space {space!r} in `model.space`. Known: extended, thesis.")
    parts = Parts(schema, space, _embedding_dim(name, schema, space))
    nodes = MODELS[name](parts)
    if space == "extended":
        nodes = [*nodes, *(node for node in parts.linear if node not in nodes)]
    optimizer, kind = _task(schema, space)
    inputs = tuple(
        node
        for node, columns in ((parts.ids, schema.id_columns), (parts.numbers, schema.numeric))
        if columns
    )
    if training is None:
        training = _training(schema, space)
    return kind(inputs=inputs, outputs=optimizer(nodes), training=training)


def _is_columns_alone(schema: Schema) -> bool:
    """Whether these are ratings of which no column is a user's or an item's."""
    return schema.task == "rating" and schema.user is None and schema.item is None


def _training(schema: Schema, space: Space) -> Training:
    if space == "thesis":
        return Training.thesis()
    special = {"learning_rate": COLUMNS_RATE} if _is_columns_alone(schema) else {}
    return Training(least_steps=LEAST_STEPS, **special)


def _embedding_dim(name: str, schema: Schema, space: Space) -> int | Choice:
    """One width for all embeddings of a model; the thesis' experiments fix it.

    Of matrix factorisation, which has nothing else to search, the thesis' space keeps the width
    open: with everything fixed its ten trials would measure nothing but their seeds.
    """
    if space == "thesis":
        if name != "mf":
            return 64
        dims = LatentFactorMapper.THESIS["embedding_dim"]
        return dataclasses.replace(dims, name="embedding_dim")
    dims = (16, 32, 64, 128) if schema.task == "rating" else (4, 8, 16, 32)
    default = 32 if schema.task == "rating" else 8
    return choice(*dims, default=default, name="embedding_dim")


def _task(
    schema: Schema, space: Space
) -> tuple[RatingPredictionOptimizer | CTRPredictionOptimizer, type[Recommender]]:
    if schema.task == "ctr":
        return CTRPredictionOptimizer(), CTRRecommender
    label_range = schema.label_range if space == "extended" else None
    return RatingPredictionOptimizer(label_range=label_range), RPRecommender
