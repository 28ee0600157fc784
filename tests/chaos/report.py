"""The report: what was injected, what was seen, and what did not hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autorec_core.files import write_text


@dataclass(frozen=True)
class Trial:
    """One fault and what came of it.

    Args:
        name: The fault's name.
        story: What was done and seen.
        broken: What did not hold; empty if everything did.
        skipped: Why the fault could not be injected here; None if it was.
        seconds: Wall time, with the run after it.
    """

    name: str
    story: tuple[str, ...]
    broken: tuple[str, ...]
    skipped: str | None
    seconds: float

    def line(self) -> str:
        """Returns one line for the terminal, and one more for each thing that did not hold."""
        state = "skipped" if self.skipped else "BROKEN" if self.broken else "held"
        told = self.skipped or "; ".join(self.story)
        return "\n  ! ".join((f"{state:8}{self.name}: {told} ({self.seconds:.0f} s)", *self.broken))


def write_report(trials: Sequence[Trial], seed: int, path: Path) -> None:
    """Writes the report as Markdown.

    Args:
        trials: All faults so far.
        seed: The seed that decided them.
        path: The file.
    """
    injected = Counter(trial.name for trial in trials if not trial.skipped)
    failed = Counter(trial.name for trial in trials if trial.broken)
    lines = [
        "# What was broken, and what held",
        "",
        f"Seed {seed}: {injected.total()} faults were injected; {failed.total()} of them broke an "
        "invariant.",
        "",
        "| fault | injected | broke an invariant |",
        "|---|---|---|",
        *(f"| {name} | {count} | {failed[name]} |" for name, count in sorted(injected.items())),
        "",
        "## One by one",
        "",
    ]
    for number, trial in enumerate(trials):
        lines.append(f"{number}. **{trial.name}**: {trial.skipped or '; '.join(trial.story)}")
        lines += [f"    - **Did not hold**: {sentence[:2000]}" for sentence in trial.broken]
    write_text(path, "\n".join(lines) + "\n")
