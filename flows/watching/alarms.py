"""The rule by which a difference from training becomes an alarm. It is written only here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import binom

from flows.watching.feedback import LiveLoss
from flows.watching.histograms import difference
from flows.watching.profile import Profile
from flows.watching.reference import Binned, Reference

FEWEST_ROWS = 200
"""With fewer rows, nothing is compared."""
CHANCE = 0.001
"""The probability that a window of rows without a change causes an alarm, over all checks."""
SHARE, TIMES = 0.01, 1.5
"""Unknown ids are an alarm above the usual share times `TIMES`, plus `SHARE`."""


@dataclass(frozen=True)
class Alarm:
    """A difference from training that chance does not explain and that is large enough to matter.

    Args:
        check: What differs: "column", "unknown ids", "scores", "labels" or "loss".
        name: The column, or "".
        size: How much: PSI beyond chance, a share, or a loss.
        limit: The most that is allowed.
    """

    check: str
    name: str
    size: float
    limit: float

    def __str__(self) -> str:
        if self.check == "unknown ids":
            return f"{self.size:.1%} of the ids of {self.name} are unknown (limit {self.limit:.1%})"
        what = {"column": f"{self.name} has", "scores": "the scores have", "labels": "labels have"}
        if self.check in what:
            return f"{what[self.check]} drifted: PSI {self.size:.3g} (limit {self.limit:g})"
        return f"the live {self.name.upper()} is {self.size:.4f} (limit {self.limit:.4f})"


def alarms_of(
    profile: Profile, reference: Reference, usual: Mapping[str, float], max_psi: float
) -> list[Alarm]:
    """Returns the alarms of a profile of scored rows.

    Args:
        profile: The counts of a window of rows.
        reference: The training of the version that scored them.
        usual: The share of unknown ids by column in the test split.
        max_psi: The largest PSI beyond chance that is allowed.
    """
    if profile.rows < FEWEST_ROWS:
        return []
    histograms: list[tuple[str, str, Binned, Sequence[int]]] = [
        ("column", name, reference.columns[name], counts)
        for name, counts in profile.columns.items()
        if name in reference.columns
    ]
    if reference.scores is not None and profile.scores:
        histograms.append(("scores", "", reference.scores, [*profile.scores, 0]))
    checks = len(histograms) + len(profile.unknown)
    return [
        *_drifted(histograms, checks, max_psi),
        *_unknown(profile.unknown, usual, checks),
    ]


def label_alarms(labels: Sequence[int], reference: Reference, max_psi: float) -> list[Alarm]:
    """Returns an alarm if the labels of live rows differ from those of training."""
    if reference.label is None or sum(labels) < FEWEST_ROWS:
        return []
    return list(_drifted([("labels", "", reference.label, labels)], 1, max_psi))


def loss_alarms(live: LiveLoss, reference: Reference) -> list[Alarm]:
    """Returns an alarm if the live loss is surely above the interval of the test loss."""
    limit = reference.loss_limit
    if limit is None or live.rows < FEWEST_ROWS or live.low <= limit:
        return []
    return [Alarm("loss", reference.loss, live.mean, limit)]


def _drifted(
    histograms: Sequence[tuple[str, str, Binned, Sequence[int]]], checks: int, max_psi: float
) -> Iterator[Alarm]:
    for check, name, binned, counts in histograms:
        found = difference(binned.counts, counts)
        if found.psi > max_psi and found.probability < CHANCE / checks:
            yield Alarm(check, name, found.psi, max_psi)


def _unknown(
    counts: Mapping[str, Sequence[int]], usual: Mapping[str, float], checks: int
) -> Iterator[Alarm]:
    for name, (unknown, total) in counts.items():
        share, expected = unknown / max(total, 1), usual.get(name, 0.0)
        limit = TIMES * expected + SHARE
        by_chance = binom.sf(unknown - 1, total, expected) if unknown else 1.0
        if share > limit and by_chance < CHANCE / checks:
            yield Alarm("unknown ids", name, share, limit)
