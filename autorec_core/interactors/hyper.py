"""The interactor that searches for interactors."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from autorec_core.block import Block, Choice, ask, candidates, choice, snake_case
from autorec_core.bounds import Bounds
from autorec_core.errors import BlockError, listed
from autorec_core.interactors.base import Interactor
from autorec_core.interactors.parallel import ALL, Parallel, places

if TYPE_CHECKING:
    import keras_tuner

THESIS_TYPES = (
    "InnerProductInteraction",
    "RandomSelectInteraction",
    "ConcatenateInteraction",
    "ElementwiseInteraction",
    "FMInteraction",
    "MLPInteraction",
    "CrossNetInteraction",
    "SelfAttentionInteraction",
)


@dataclass(frozen=True, kw_only=True)
class HyperInteraction(Interactor):
    """Searches for interactors: their number, their types and their hyperparameters.

    Branch `n` has the hyperparameter `interactor_type_n`, and the hyperparameters of its
    interactor, such as `fm_interaction_n/embedding_dim`. A hyperparameter is active only if its
    branch exists and has that type. A HyperInteraction behind another one is called on all of the
    first one's branches.

    Args:
        meta_interactor_num: Number of branches; with 0 the inputs are returned unchanged.
        interactor_type: The class names of the candidates. None for the types of `interactors`, or
            for all registered interactors if `interactors` is empty.
        interactors: Candidates with another search space than their class's default.
        branch_inputs: The inputs that a branch is called on: "all", or their places counted from 0
            ("0,2"). With several candidates, branch `n` has the hyperparameter `branch_inputs_n`.
            Branches can then have different embeddings, as in NeuMF.

    Returns:
        One tensor for each branch.

    References:
        [Wang et al., 2020](https://arxiv.org/abs/2007.07224)
    """

    searched: ClassVar[bool] = False

    meta_interactor_num: int = choice(1, 2, 3, 4, 5, 6, default=3, least=0)
    interactor_type: str | None = None
    interactors: tuple[Interactor, ...] = ()
    branch_inputs: str = ALL

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("meta_interactor_num", "interactor_type", "branch_inputs"):
            if isinstance(value := getattr(self, name), Choice) and value.name is not None:
                raise BlockError(
                    f"`{name}` of HyperInteraction cannot be a shared choice. Received a choice "
                    f"that is shared as {value.name!r}."
                )
        for taken in candidates(self.branch_inputs):
            places(taken)
        object.__setattr__(self, "interactors", tuple(self.interactors))
        own = [type(interactor).__name__ for interactor in self.interactors]
        if self.interactor_type is None:
            object.__setattr__(self, "interactor_type", choice(*(own or searchable())))
        self.check("interactor_type", Bounds(str, among=tuple(searchable())))
        if unused := set(own) - set(candidates(self.interactor_type)):
            raise BlockError(
                f"`interactors` of HyperInteraction has settings for {listed(unused)}, but "
                f"`interactor_type` only has {listed(candidates(self.interactor_type))}."
            )
        if len(set(own)) < len(own):
            raise BlockError(f"`interactors` of HyperInteraction has a type twice: {listed(own)}.")

    @classmethod
    def thesis(cls, **settings: Any) -> Self:
        """Makes a search over the eight interactors of the thesis, with their search spaces."""
        names = settings.pop("interactor_type", choice(*THESIS_TYPES))
        interactors = tuple(Block.registry[name].thesis() for name in candidates(names))
        return cls(interactor_type=names, interactors=interactors, **settings)  # type: ignore[arg-type]

    def resolve(self, hp: keras_tuner.HyperParameters) -> Parallel:
        """Returns the branches that `hp` holds; registers the inactive branches in `hp` too."""
        number = ask(hp, "meta_interactor_num", self.meta_interactor_num)
        counts = candidates(self.meta_interactor_num)
        branches: list[tuple[Any, str]] = []
        for position in range(max(counts)):
            reaching = [count for count in counts if count > position]
            with _only_when(hp, "meta_interactor_num", self.meta_interactor_num, reaching):
                taken = ask(hp, f"branch_inputs_{position}", self.branch_inputs)
                branches.append((self._resolve_branch(hp, position), taken))
        live = branches[:number]
        return Parallel(
            branches=tuple(b for b, _ in live), inputs=tuple(taken for _, taken in live)
        )

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Raises an error: only the `Parallel` that `resolve` returns can be connected."""
        raise BlockError("A HyperInteraction cannot be connected. Call `resolve(hp)` first.")

    def undecided(self) -> list[str]:
        """Returns its fields, because only the result of `resolve` can be connected."""
        return ["meta_interactor_num", "interactor_type"]

    def _resolve_branch(self, hp: keras_tuner.HyperParameters, position: int) -> Interactor | None:
        own = {type(interactor).__name__: interactor for interactor in self.interactors}
        asked = f"interactor_type_{position}"
        decided = ask(hp, asked, self.interactor_type)
        chosen = None
        for name in candidates(self.interactor_type):
            candidate = own.get(name) or Block.registry[name]()
            with (
                _only_when(hp, asked, self.interactor_type, [name]),
                hp.name_scope(f"{snake_case(name)}_{position}"),
            ):
                values = candidate.asked(hp)
            if name == decided:
                chosen = dataclasses.replace(candidate, **values)
        return chosen  # type: ignore[return-value]


def searchable() -> list[str]:
    """Returns the class names of all registered interactors that a HyperInteraction may choose.

    Those of the thesis come first, in its order. The first of all is the default.
    """
    names = [
        name
        for name, block in Block.registry.items()
        if issubclass(block, Interactor) and block is not Interactor and block.searched
    ]
    return sorted(
        names, key=lambda n: (THESIS_TYPES.index(n) if n in THESIS_TYPES else len(THESIS_TYPES), n)
    )


def _only_when(
    hp: keras_tuner.HyperParameters, name: str, value: Any, values: list[Any]
) -> contextlib.AbstractContextManager[Any]:
    """Makes a scope whose hyperparameters are active if `name` has one of `values`.

    If `name` is not searched, its hyperparameters are always active.
    """
    scope: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
    if isinstance(value, Choice) and len(value.values) > 1:
        scope = hp.conditional_scope(name, values)
    return scope
