"""Blocks: the pieces that a recommender is chained from, each with its own search space.

A block is a frozen dataclass. A field that holds a plain value is fixed; a field that holds a
`Choice` is searched. `resolve` asks the tuner and replaces every `Choice` with a value. `connect`
builds Keras tensors from plain values. No method does both.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from autorec_core.bounds import Bounds
from autorec_core.errors import BlockError, listed

if TYPE_CHECKING:
    import keras_tuner

Scalar = bool | int | float | str
_BOUNDS = "bounds"


@dataclass(frozen=True)
class Choice:
    """The candidates of one hyperparameter.

    Args:
        values: The candidates, all of one type.
        default: The candidate that a search tries first.
        name: The name of a hyperparameter that several blocks share; None if it is this field's
            own.
    """

    values: tuple[Scalar, ...]
    default: Scalar
    name: str | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise BlockError("A choice needs at least one candidate.")
        if len({type(value) for value in self.values}) > 1:
            raise BlockError(f"The candidates of a choice must be of one type. Got {self.values}.")
        if self.default not in self.values:
            raise BlockError(f"The default {self.default!r} is not among {self.values}.")


def choice(
    *values: Scalar, default: Scalar | None = None, name: str | None = None, **bounds: Any
) -> Any:
    """Makes a field's search space.

    The return type is `Any` so that `units: int = choice(16, 32)` passes the type check.

    Args:
        *values: The candidates, all of one type.
        default: The candidate that a search tries first; by default the first of `values`.
        name: The name of a hyperparameter that several blocks share; None if it is this field's
            own.
        **bounds: The values that a user may give the field: arguments of `Bounds`, such as `least`
            or `among`. Only for a field in a block's class.
    """
    space = Choice(values, values[0] if default is None else default, name)
    return _field(space, Bounds(kind=type(space.default), **bounds)) if bounds else space


def bounded(default: Scalar | tuple[()] | None = None, *, kind: type = int, **bounds: Any) -> Any:
    """Makes a field that is not searched, with bounds on its value.

    Args:
        default: The default value; None if the user must give one.
        kind: int, float, bool or str.
        **bounds: The values that a user may give: arguments of `Bounds`.
    """
    return _field(dataclasses.MISSING if default is None else default, Bounds(kind, **bounds))


def _field(default: Any, bounds: Bounds) -> Any:
    return dataclasses.field(default=default, metadata={_BOUNDS: bounds})


@dataclass(frozen=True, kw_only=True)
class Block:
    """A piece of a recommender whose fields are its hyperparameters.

    Subclasses are registered by class name, and the `public` ones are names of the package.
    `THESIS` holds the candidates of the thesis for fields whose default search space differs from
    the thesis. `ADAPTED` names fields of which a compiled model only holds whether they are zero,
    because `adapt` of a layer puts them into its variables.
    """

    THESIS: ClassVar[Mapping[str, Any]] = {}
    ADAPTED: ClassVar[tuple[str, ...]] = ()
    registry: ClassVar[dict[str, type[Block]]] = {}
    public: ClassVar[bool] = True

    def __init_subclass__(cls, *, public: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Block.registry[cls.__name__] = cls
        cls.public = public

    def __post_init__(self) -> None:
        """Checks every candidate of every field that has bounds.

        Raises:
            BlockError: A value is not allowed; the message says which ones are.
        """
        for field in dataclasses.fields(self):
            bounds = field.metadata.get(_BOUNDS)
            if bounds is None and isinstance(field.default, Choice):
                bounds = Bounds(bool) if isinstance(field.default.default, bool) else None
            if bounds is not None:
                self.check(field.name, bounds)

    def check(self, name: str, bounds: Bounds) -> None:
        """Checks every candidate of one field, or every element if the field holds a tuple.

        Raises:
            BlockError: A value is not allowed; the message says which ones are.
        """
        found = getattr(self, name)
        for value in found if isinstance(found, tuple) else candidates(found):
            if not bounds.allow(value):
                raise BlockError(
                    f"`{name}` of {type(self).__name__} must be {bounds}. Received: {value!r}."
                )

    @classmethod
    def thesis(cls, **settings: Any) -> Self:
        """Makes this block with the search space of the thesis; `settings` replace fields of it."""
        return cls(**{**cls.THESIS, **settings})

    def asked(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Asks `hp` for the value of each `Choice` of this block; None if it is not active."""
        return {
            field.name: ask(hp, field.name, value)
            for field in dataclasses.fields(self)
            if isinstance(value := getattr(self, field.name), Choice)
        }

    def resolve(self, hp: keras_tuner.HyperParameters) -> Block:
        """Returns this block with every `Choice` replaced by its value in `hp`."""
        return dataclasses.replace(self, **self.asked(hp))

    def undecided(self) -> list[str]:
        """Returns the fields of this block, and of blocks inside it, that still hold a `Choice`."""
        names = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Choice):
                names.append(field.name)
            for inner in value if isinstance(value, tuple) else ():
                names += inner.undecided() if isinstance(inner, Block) else []
        return names

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds this block's Keras layers on `inputs`.

        Args:
            inputs: Keras tensors, one for each node the block was called on.

        Returns:
            One Keras tensor, or a list of them: the next block in the chain is called on all.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement `connect`.")

    def __call__(self, nodes: Node | Sequence[Node]) -> Node:
        """Chains this block behind `nodes`. Keras layers are built later, by `connect`."""
        parents = (nodes,) if isinstance(nodes, Node) else tuple(nodes)
        if not parents or not all(isinstance(parent, Node) for parent in parents):
            raise BlockError(
                f"{type(self).__name__} is called on an Input, on another block's output, or on a "
                f"list of those. Received: {nodes!r}."
            )
        return Node(block=self, parents=parents)

    def __str__(self) -> str:
        """Returns the block's name and its fields' values, as `Recommender.__str__` shows them."""
        fields = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return f"{type(self).__name__}({', '.join(f'{name}={_shown(v)}' for name, v in fields)})"

    def get_config(self) -> dict[str, Any]:
        """Returns this block as JSON-serialisable data, which `Block.from_config` reads."""
        fields = {
            field.name: _to_config(getattr(self, field.name)) for field in dataclasses.fields(self)
        }
        return {"block": type(self).__name__, **fields}

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Block:
        """Makes a block from what `get_config` returned."""
        settings = dict(config)
        name = settings.pop("block")
        if name not in Block.registry:
            raise BlockError(f"Unknown block {name!r}. Known blocks: {listed(Block.registry)}.")
        return Block.registry[name](**{key: _from_config(value) for key, value in settings.items()})


@dataclass(frozen=True, eq=False)
class Node:
    """A step in a chain of blocks: the output of `block` called on `parents`, or an input.

    Args:
        block: The block; None for an input.
        parents: The nodes that the block is called on.
        name: The name of an input.
        shape: The shape of an input, without the batch axis.
        dtype: The dtype of an input.
    """

    block: Block | None = None
    parents: tuple[Node, ...] = ()
    name: str = ""
    shape: tuple[int, ...] = ()
    dtype: str = "float32"


def ask(hp: keras_tuner.HyperParameters, name: str, value: Any) -> Any:
    """Returns the value of one hyperparameter.

    The tuner is not asked for a plain value or for a `Choice` with one candidate.

    Args:
        hp: The tuner's hyperparameters, inside the name scope of the block.
        name: The hyperparameter's name within that scope.
        value: A plain value or a `Choice`.
    """
    if not isinstance(value, Choice):
        return value
    if len(value.values) == 1:
        return value.values[0]
    if value.name is None:
        return _ask(hp, name, value)
    # A shared hyperparameter must not lie in one block's scope: all blocks ask for the same name.
    scopes, hp._name_scopes = hp._name_scopes, []
    conditions, hp._conditions = hp._conditions, []
    try:
        return _ask(hp, value.name, value)
    finally:
        hp._name_scopes, hp._conditions = scopes, conditions


def _ask(hp: keras_tuner.HyperParameters, name: str, value: Choice) -> Scalar:
    answer: Scalar
    if isinstance(value.default, bool):  # KerasTuner's Choice would return 0 or 1
        answer = hp.Boolean(name, default=value.default)
    else:
        answer = hp.Choice(name, list(value.values), default=value.default)
    return answer


def candidates(value: Any) -> tuple[Any, ...]:
    """Returns the candidates of a choice, or the one fixed value."""
    return value.values if isinstance(value, Choice) else (value,)


def holds_ids(tensor: Any) -> bool:
    """Returns whether a tensor holds ids: whole numbers that cannot be added or scaled."""
    return "int" in str(tensor.dtype)


def is_score(tensor: Any) -> bool:
    """Returns whether a tensor is already a part of the score, to be added without a weight.

    The Keras layer that made the tensor has a class attribute `is_score` for this. A dot product
    and a sum of biases are parts of the score. A column of numbers or the only unit of a perceptron
    is not, and neither is the product of columns of numbers.
    """
    operation = tensor._keras_history.operation
    return bool(getattr(operation, "is_score", False)) and not is_raw(tensor)


def is_raw(tensor: Any) -> bool:
    """Returns whether numbers of an input come to a tensor without a layer that has weights."""
    operation, node, _ = tensor._keras_history
    if getattr(operation, "weights", ()):
        return False
    sources = operation._inbound_nodes[node].input_tensors
    return any(map(is_raw, sources)) if sources else not holds_ids(tensor)


def snake_case(name: str) -> str:
    """Returns a class name as used in hyperparameters: `FMInteraction` as `fm_interaction`."""
    words = re.sub(r"([A-Z]+)([A-Z][a-z])|([a-z0-9])([A-Z])", r"\1\3_\2\4", name)
    return words.lower()


def _shown(value: Any) -> str:
    if isinstance(value, Choice):
        return " | ".join(map(str, value.values))
    if isinstance(value, tuple):
        shown = [_shown(element) for element in (value if len(value) < 5 else value[:3])]
        return (
            f"({', '.join(shown)}{', … ' + str(len(value)) + ' in all' if len(value) > 4 else ''})"
        )
    return str(value)


def _to_config(value: Any) -> Any:
    if isinstance(value, Choice):
        return {"choice": list(value.values), "default": value.default, "name": value.name}
    if isinstance(value, Block):
        return value.get_config()
    if isinstance(value, tuple):
        return [_to_config(element) for element in value]
    return value


def _from_config(value: Any) -> Any:
    if isinstance(value, dict) and "choice" in value:
        return Choice(tuple(value["choice"]), value["default"], value["name"])
    if isinstance(value, dict) and "block" in value:
        return Block.from_config(value)
    if isinstance(value, list):
        return tuple(_from_config(element) for element in value)
    return value
