"""What live rows are compared with: the training profile in the lineage of a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autorec_core.data.encoding.hashing import HASH
from flows.registry.loading import lineage_of
from flows.registry.versions import Version


@dataclass(frozen=True)
class Binned:
    """The histogram of a column in training.

    Args:
        counts: Rows in each bin, then rows without a value.
        edges: The edges between bins of numbers; None for categories, which are counted by hash.
    """

    counts: Sequence[int]
    edges: Sequence[float] | None = None


@dataclass(frozen=True)
class Reference:
    """What is known of a version's training.

    Args:
        version: Number of the version.
        columns: The histogram of each column that can be compared.
        label: That of the label; None if unknown.
        scores: That of the scores of the test rows; None if unknown.
        separators: The separator of each multi-valued column.
        loss: Name of the test loss.
        loss_limit: Upper end of its interval; None if unknown.
    """

    version: int
    columns: Mapping[str, Binned]
    label: Binned | None
    scores: Binned | None
    separators: Mapping[str, str]
    loss: str
    loss_limit: float | None

    @classmethod
    def of(cls, version: Version, root: Path = Path()) -> Reference:
        """Reads the reference of a version from its lineage; empty for one of an older AutoRec.

        Raises:
            RegistryError: Its files cannot be loaded, or are not those registered.
        """
        return cls.from_lineage(version.number, lineage_of(version, root))

    @classmethod
    def from_lineage(cls, number: int, document: Mapping[str, Any]) -> Reference:
        """Makes the reference of a version from its lineage document."""
        tally = (document.get("checks") or {}).get("raw", {}).get("tally") or {}
        entry = ((document.get("params") or {}).get("datasets") or {}).get(document["dataset"], {})
        intervals = document.get("intervals") or {}
        found = {
            name: Binned([*one["counts"], one["missing"]], one.get("edges"))
            for name, one in tally.get("columns", {}).items()
            # Another hash function puts categories into other buckets.
            if "edges" in one or tally.get("hash") == HASH
        }
        scores = document.get("scores")
        return cls(
            number,
            {name: one for name, one in found.items() if name in _features(entry)},
            found.get(entry.get("label", "")),
            None if scores is None else Binned([*scores["counts"], 0], scores["edges"]),
            {name: one["separator"] for name, one in (entry.get("multi_valued") or {}).items()},
            intervals.get("loss", "loss"),
            intervals.get("losses", {}).get("model", {}).get("high"),
        )


def _features(entry: Mapping[str, Any]) -> set[str]:
    kinds = ("categorical", "multi_valued", "numeric")
    return {name for kind in kinds for name in entry.get(kind) or ()}
