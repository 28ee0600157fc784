"""Parts of a recommender that a search may leave out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autorec_core.block import Block, Choice, Node, ask

if TYPE_CHECKING:
    import keras_tuner

KEEP = "keep_"
"""How the hyperparameters begin that say whether a part is there."""


@dataclass(frozen=True, kw_only=True)
class Optional(Block, public=False):
    """A block that a search may leave out, by default there.

    A model without the block is built as if its node had never been in the chain. What other blocks
    compute for this node alone is left out too.

    Args:
        inner: A tuple of the one block.
        part: What it is called; the hyperparameter is `keep_<part>`. Blocks of the same part are
            left out together.
    """

    inner: tuple[Block, ...]
    part: str

    def resolve(self, hp: keras_tuner.HyperParameters) -> Block:
        """Returns the block with every choice decided, or `Absent`."""
        name = f"{KEEP}{self.part}"
        kept = ask(hp, name, Choice((True, False), default=True, name=name))
        block = self.present(hp)  # in any case, so that the space knows its settings
        return block if kept else Absent()

    def present(self, hp: keras_tuner.HyperParameters) -> Block:
        """Returns the block with every choice decided, there in any case."""
        return self.inner[0].resolve(hp)

    def undecided(self) -> list[str]:
        """Returns what is still to decide: whether the block is there, at least."""
        return [f"{KEEP}{self.part}", *super().undecided()]


@dataclass(frozen=True, kw_only=True)
class Absent(Block, public=False):
    """Takes the place of a block that is left out, until `without_absent` removes it."""


def optional(node: Node, part: str) -> Node:
    """Returns a node that a search may leave out.

    Args:
        node: The node.
        part: What it is called; see `Optional`.
    """
    assert node.block is not None
    return Node(block=Optional(inner=(node.block,), part=part), parents=node.parents)


def without_absent(outputs: Node) -> Node | None:
    """Returns a chain without its absent nodes, and without nodes that have lost all parents.

    Args:
        outputs: The chain's last node.

    Returns:
        The last node of the new chain; None if it would have no parents left.
    """
    made: dict[Node, Node | None] = {}

    def visit(node: Node) -> Node | None:
        if node not in made:
            made[node] = _rebuilt(node, [visit(parent) for parent in node.parents])
        return made[node]

    return visit(outputs)


def _rebuilt(node: Node, parents: Sequence[Node | None]) -> Node | None:
    left = tuple(parent for parent in parents if parent is not None)
    if isinstance(node.block, Absent) or (node.parents and not left):
        return None
    return node if left == node.parents else dataclasses.replace(node, parents=left)
