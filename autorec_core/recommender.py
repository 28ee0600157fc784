"""Recommenders: chains of blocks that a search turns into Keras models."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np

from autorec_core.block import Block, Node, snake_case
from autorec_core.errors import BlockError, listed
from autorec_core.optimizers import (
    CTRPredictionOptimizer,
    NoScore,
    RankingOptimizer,
    RatingPredictionOptimizer,
    TaskOptimizer,
)
from autorec_core.optional import Optional, without_absent
from autorec_core.recipe import Training

if TYPE_CHECKING:
    import keras
    import keras_tuner


def Input(  # noqa: N802 - the same name as in the thesis and in Keras
    shape: Sequence[int], name: str = "ids", dtype: str = "int32"
) -> Node:
    """Makes the start of a chain of blocks.

    Args:
        shape: The shape of one row, without the batch axis: `[2]` for (user, item).
        name: The key of this input in a dictionary of arrays.
        dtype: "int32" for ids, "float32" for numbers.
    """
    return Node(name=name, shape=tuple(shape), dtype=dtype)


def adapt(
    model: keras.Model, inputs: Mapping[str, np.ndarray], labels: np.ndarray
) -> dict[str, np.ndarray]:
    """Calls `adapt` of every layer that has it, with all training rows, once before training.

    For instance, the task optimizer's offset learns the labels' mean, and a history mapper fills
    its table.

    Args:
        model: A recommender's model.
        inputs: The training rows: an array for each model input, by its name.
        labels: Their labels, shape (rows,).

    Returns:
        Values for each training row that a layer needs in training: arrays of shape (rows, ...) by
        layer name. The training engine puts a batch's values into the layer's `of_rows`.
    """
    found = {}
    for layer in model.layers:
        if hasattr(layer, "adapt"):
            of_rows = layer.adapt(inputs, np.asarray(labels).reshape(-1))
            if of_rows is not None:
                found[layer.name] = of_rows
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Recommender:
    """A chain of blocks from inputs to one task optimizer, with the search space of its blocks.

    Args:
        inputs: The chain's input, or a tuple of its inputs.
        outputs: The node of the task optimizer at the end of the chain.
        training: How a candidate is trained; by default its settings are searched too.
    """

    inputs: Node | tuple[Node, ...]
    outputs: Node
    training: Training = dataclasses.field(default_factory=Training)
    optimizer_class: ClassVar[type[TaskOptimizer]] = TaskOptimizer
    registry: ClassVar[dict[str, type[Recommender]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Recommender.registry[cls.__name__] = cls

    def __post_init__(self) -> None:
        inputs = (self.inputs,) if isinstance(self.inputs, Node) else tuple(self.inputs)
        object.__setattr__(self, "inputs", inputs)
        if not isinstance(self.outputs.block, self.optimizer_class):
            raise BlockError(
                f"{type(self).__name__} must end in a {self.optimizer_class.__name__}. "
                f"Received: {self.outputs.block!r}."
            )
        reached = [node for node in self._nodes() if node.block is None]
        if lost := [node.name for node in reached if node not in inputs]:
            raise BlockError(
                f"The chain starts at inputs that are missing from `inputs`: {listed(lost)}."
            )

    @property
    def optimizer(self) -> TaskOptimizer:
        """The task optimizer at the end of the chain."""
        return self.outputs.block  # type: ignore[return-value]

    def undecided(self) -> list[str]:
        """Returns the fields that a search must still decide, as `block/field`."""
        blocks = {**self.blocks(), "training": self.training}
        return [f"{name}/{field}" for name, block in blocks.items() for field in block.undecided()]

    def blocks(self) -> dict[str, Block]:
        """Returns the blocks by name, in chain order; a name is like `mlp_interaction_1`."""
        return {name: node.block for name, node in self._named_nodes() if node.block is not None}

    def resolve(self, hp: keras_tuner.HyperParameters) -> Self:
        """Returns one candidate, with every choice replaced by its value in `hp`.

        Optional parts that `hp` leaves out are gone. If nothing would be left, all are there.
        """
        resolved: dict[str, Block] = {}
        for name, block in self.blocks().items():
            with hp.name_scope(name):
                resolved[name] = block.resolve(hp)
        training = cast(Training, self.training.resolve(hp))
        whole = self._with_blocks(resolved)
        outputs = without_absent(whole.outputs)
        if outputs is None:
            present = {
                name: block.present(hp) if isinstance(block, Optional) else resolved[name]
                for name, block in self.blocks().items()
            }
            outputs = self._with_blocks(present).outputs
        return dataclasses.replace(whole, outputs=outputs, training=training)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Builds the compiled Keras model of a candidate; KerasTuner calls it as a hypermodel."""
        return self.resolve(hp).model()

    def model(self) -> keras.Model:
        """Builds the compiled Keras model of a resolved recommender.

        Raises:
            BlockError: A choice is still open, or a block cannot work with its input tensors.
        """
        if open_fields := self.undecided():
            raise BlockError(
                f"This recommender still has open choices: {listed(open_fields)}. Call `build(hp)` "
                "to decide them."
            )
        inputs = self._keras_inputs()
        tensors: dict[Node, list[Any]] = {node: [tensor] for node, tensor in inputs.items()}
        for name, node in self._named_nodes():
            if node.block is None:
                continue
            try:
                output = node.block.connect([t for parent in node.parents for t in tensors[parent]])
            except BlockError as error:
                raise BlockError(f"{name}: {error}") from error
            tensors[node] = output if isinstance(output, list) else [output]
        return self._compiled(inputs, tensors[self.outputs][0])

    def constant_model(self) -> keras.Model:
        """Builds a compiled Keras model with the same inputs and one prediction for every row.

        `adapt` sets this prediction to the mean of the training labels.
        """
        inputs = self._keras_inputs()
        return self._compiled(inputs, self.optimizer.output(NoScore()(list(inputs.values()))))

    def _keras_inputs(self) -> dict[Node, Any]:
        """Makes a Keras input for each input of the chain that a block uses."""
        import keras

        used = {node for node in self._nodes() if node.block is None}
        return {
            node: keras.Input(node.shape, name=node.name, dtype=node.dtype)
            for node in cast(tuple[Node, ...], self.inputs)
            if node in used
        }

    def _compiled(self, inputs: Mapping[Node, Any], output: Any) -> keras.Model:
        import keras

        named = {node.name: tensor for node, tensor in inputs.items()}
        only = next(iter(named.values()))
        model = keras.Model(named if len(named) > 1 else only, output)
        model.compile(
            optimizer=self.training.keras_optimizer(),
            loss=self.optimizer.loss(),
            metrics=self.optimizer.metrics(),
        )
        return model

    def __str__(self) -> str:
        """Returns the chain as text: one line for each block, with its values and its parents."""
        names = {node: name for name, node in self._named_nodes()}
        lines = [type(self).__name__]
        for node, name in names.items():
            if node.block is None:
                lines.append(f"  {name}: Input(shape={list(node.shape)}, dtype={node.dtype})")
            else:
                parents = ", ".join(names[parent] for parent in node.parents)
                lines.append(f"  {name}: {node.block} <- {parents}")
        return "\n".join([*lines, f"  training: {self.training}"])

    def get_config(self) -> dict[str, Any]:
        """Returns this recommender as JSON-serialisable data; `from_config` reads it."""
        names = {node: name for name, node in self._named_nodes()}
        nodes = [
            {"name": names[node], "shape": list(node.shape), "dtype": node.dtype}
            if node.block is None
            else {
                "name": names[node],
                "block": node.block.get_config(),
                "parents": [names[parent] for parent in node.parents],
            }
            for node in self._nodes()
        ]
        return {
            "recommender": type(self).__name__,
            "nodes": nodes,
            "training": self.training.get_config(),
        }

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Recommender:
        """Makes a recommender from what `get_config` returned."""
        nodes: dict[str, Node] = {}
        for entry in config["nodes"]:
            if "block" in entry:
                parents = tuple(nodes[parent] for parent in entry["parents"])
                node = Node(block=Block.from_config(entry["block"]), parents=parents)
            else:
                node = Input(entry["shape"], name=entry["name"], dtype=entry["dtype"])
            nodes[entry["name"]] = node
        return Recommender.registry[config["recommender"]](
            inputs=tuple(node for node in nodes.values() if node.block is None),
            outputs=nodes[config["nodes"][-1]["name"]],
            training=cast(Training, Block.from_config(config["training"])),
        )

    def _nodes(self) -> list[Node]:
        """Returns every node once, parents first, in the order in which the chain was written."""
        ordered: dict[Node, None] = {}

        def visit(node: Node) -> None:
            for parent in node.parents:
                visit(parent)
            ordered.setdefault(node)

        visit(self.outputs)
        return list(ordered)

    def _named_nodes(self) -> Iterator[tuple[str, Node]]:
        """Yields each node with its name: its class and its number within that class, from 1."""
        seen: Counter[str] = Counter()
        for node in self._nodes():
            if node.block is None:
                yield node.name, node
                continue
            block = node.block.inner[0] if isinstance(node.block, Optional) else node.block
            kind = snake_case(type(block).__name__)
            seen[kind] += 1
            yield f"{kind}_{seen[kind]}", node

    def _with_blocks(self, blocks: Mapping[str, Block]) -> Self:
        replaced: dict[Node, Node] = {}
        for name, node in self._named_nodes():
            parents = tuple(replaced[parent] for parent in node.parents)
            replaced[node] = (
                node if node.block is None else Node(block=blocks[name], parents=parents)
            )
        return dataclasses.replace(self, outputs=replaced[self.outputs])


@dataclass(frozen=True, kw_only=True, eq=False)
class RPRecommender(Recommender):
    """A recommender that predicts ratings: explicit feedback, one number for each row."""

    optimizer_class: ClassVar[type[TaskOptimizer]] = RatingPredictionOptimizer


@dataclass(frozen=True, kw_only=True, eq=False)
class CTRRecommender(Recommender):
    """A recommender that predicts click-through rates: one probability for each row."""

    optimizer_class: ClassVar[type[TaskOptimizer]] = CTRPredictionOptimizer


@dataclass(frozen=True, kw_only=True, eq=False)
class RankingRecommender(Recommender):
    """A recommender that ranks items: implicit feedback, one preference for each row."""

    optimizer_class: ClassVar[type[TaskOptimizer]] = RankingOptimizer
