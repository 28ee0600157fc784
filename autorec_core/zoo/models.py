"""The ready models, each a few lines of chained blocks."""

from __future__ import annotations

from collections.abc import Callable

from autorec_core.interactors.bilinear import BilinearInteraction
from autorec_core.interactors.compressed import CompressedInteraction
from autorec_core.interactors.cross_net import CrossNetInteraction
from autorec_core.interactors.cross_net_v2 import CrossNetV2Interaction
from autorec_core.interactors.elementwise import ElementwiseInteraction
from autorec_core.interactors.fm import FMInteraction
from autorec_core.interactors.inner_product import InnerProductInteraction
from autorec_core.interactors.mlp import MLPInteraction
from autorec_core.interactors.pairwise_dot import PairwiseDotInteraction
from autorec_core.interactors.self_attention import SelfAttentionInteraction
from autorec_core.interactors.squeeze_excitation import SqueezeExcitationInteraction
from autorec_core.zoo.parts import Nodes, Parts


def mf(parts: Parts) -> Nodes:
    """Matrix factorisation: the dot product of a user's and an item's latent vector."""
    parts.needs_user_and_item("mf")
    product = parts.block(InnerProductInteraction)
    return [product(parts.pair())]


def mlp(parts: Parts) -> Nodes:
    """MLP: the embeddings of all columns, concatenated, in a multilayer perceptron."""
    return [parts.block(MLPInteraction)(parts.embeddings())]


def neumf(parts: Parts) -> Nodes:
    """Neural matrix factorisation: an MF tower and an MLP tower, each with its own embeddings."""
    parts.needs_user_and_item("neumf")
    mf_tower = parts.block(ElementwiseInteraction, operation="multiply")
    mlp_tower = parts.block(MLPInteraction)
    return [mf_tower(parts.pair()), mlp_tower([parts.latent("user"), parts.latent("item")])]


def wide_deep(parts: Parts) -> Nodes:
    """Wide & Deep: a linear part and a multilayer perceptron."""
    return [parts.block(MLPInteraction)(parts.embeddings()), *parts.linear]


def deepfm(parts: Parts) -> Nodes:
    """DeepFM: a factorisation machine and a multilayer perceptron on the same embeddings."""
    embeddings = parts.embeddings()
    fm = parts.block(FMInteraction)
    return [fm(embeddings), parts.block(MLPInteraction)(embeddings)]


def dlrm(parts: Parts) -> Nodes:
    """DLRM: dot products of all pairs of embeddings, and a bottom MLP's output, in a top MLP."""
    bottom = parts.dense(output="mlp")
    dots = parts.block(PairwiseDotInteraction)([*parts.sparse(), *parts.pooled(), *bottom])
    return [parts.block(MLPInteraction)([*bottom, dots])]


def dcn(parts: Parts) -> Nodes:
    """Deep & Cross: a cross network and a multilayer perceptron on the same embeddings."""
    embeddings = parts.embeddings()
    cross = parts.block(CrossNetInteraction)
    return [cross(embeddings), parts.block(MLPInteraction)(embeddings)]


def dcn_v2(parts: Parts) -> Nodes:
    """DCN-V2: a cross network with weight matrices and a multilayer perceptron."""
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
    """AutoRec for ratings: searched interactors over user and item vectors."""
    parts.needs_user_and_item("autorec_rp")
    return parts.searched_ratings()


def autorec_ranking(parts: Parts) -> Nodes:
    """AutoRec for ranking: similar items, and searched interactors over user and item vectors."""
    parts.needs_user_and_item("autorec_ranking")
    return parts.searched_ranking()


def autorec_ctr(parts: Parts) -> Nodes:
    """AutoRec for clicks: searched interactors over the embeddings of all columns."""
    return parts.searched(parts.embeddings())


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
    "autorec_ranking": autorec_ranking,
    "autorec_ctr": autorec_ctr,
}
