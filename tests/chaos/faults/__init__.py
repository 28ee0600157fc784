"""The faults that are injected: one file for each kind.

A fault is a function that takes the installation and a random source, breaks something, and yields
a sentence for each thing that is wrong. It tells what it did to the `Story` that it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from chaos.installation import Installation


@dataclass
class Story:
    """What was done in one fault, in words, for the report.

    Args:
        events: What was done and seen, in order.
    """

    events: list[str] = field(default_factory=list)

    def tell(self, event: str) -> None:
        """Adds what was done or seen."""
        self.events.append(event)


Fault = Callable[[Installation, Random, Story], Iterator[str]]


class CannotInject(Exception):  # noqa: N818
    """This machine does not allow the fault."""


def all_faults() -> dict[str, Fault]:
    """Returns every fault by its name."""
    from chaos.faults import crowds, disks, files, kills, servers, serving

    modules = (kills, disks, files, servers, serving, crowds)
    return {name: fault for module in modules for name, fault in module.FAULTS.items()}
