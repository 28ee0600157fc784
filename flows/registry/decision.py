"""What the gate decided and why: as a sentence, as a table, as data that a version keeps."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

FIGURES = ("champion", "challenger", "allowed")
TEST_ROWS = "test rows"
"""The name of the check that says which test rows counted, where not simply all of them did."""
COLUMNS = ("check", *FIGURES, "passed", "detail")


@dataclass(frozen=True)
class Check:
    """One thing the gate asks of a challenger.

    Args:
        name: What is looked at.
        champion: The champion's figure, where there is one.
        challenger: The challenger's.
        limit: The most it may be (of checks passed: the least).
        passed: Whether it holds.
        detail: What else must be known.
    """

    name: str
    champion: float | None
    challenger: float | None
    limit: float | None
    passed: bool
    detail: str = ""

    def cells(self) -> list[str]:
        """This check as a row of a table; see `COLUMNS`."""
        figures = (self.champion, self.challenger, self.limit)
        return [
            self.name,
            *("" if figure is None else f"{figure:.6g}" for figure in figures),
            "yes" if self.passed else "NO",
            self.detail,
        ]


@dataclass(frozen=True)
class Grounds:
    """Who was held against whom.

    Args:
        challenger: The new version.
        champion: The live one; None where there was none.
    """

    challenger: int
    champion: int | None


@dataclass(frozen=True)
class Decision:
    """The gate's decision on one version.

    Args:
        grounds: Which version was held against which.
        checks: All that was asked, in order.
        why: The comparison in words.
        mode: `registry.mode` as it was: anything but "auto" leaves the alias where it is.
        said: The sentence, where something other than the checks decided.
    """

    grounds: Grounds
    checks: tuple[Check, ...]
    why: str
    mode: str = "auto"
    said: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the challenger has passed every check."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def promotes(self) -> bool:
        """Whether the alias is to be moved."""
        return self.passed and self.said is None and self.mode == "auto"

    def __str__(self) -> str:
        if self.said is not None:
            return self.said
        challenger, champion = self.grounds.challenger, self.grounds.champion
        if not self.passed:
            failed = "; ".join(
                check.name + (f" ({detail})" if (detail := self._detail(check)) else "")
                for check in self.checks
                if not check.passed
            )
            stays = f"Version {champion} stays champion" if champion else "There is no champion yet"
            compared = f" {self.why[0].upper()}{self.why[1:]}." if self.why else ""
            return f"{stays}: version {challenger} fails on {failed}.{compared}"
        if self.mode == "auto":
            return f"Version {challenger} is the new champion: {self.why}."
        return (
            f"Version {challenger} would be the new champion (registry.mode is {self.mode}): "
            f"{self.why}."
        )

    def _detail(self, check: Check) -> str:
        """What a failed check comes to, unless `why` says it."""
        if check.champion is None or check.challenger is None or check.limit is None:
            return "" if check.detail == self.why else check.detail
        if check.name == "loss":
            return ""
        figures = f"{check.challenger:.4g}, allowed {check.limit:.4g}"
        return f"{figures}; {check.detail}" if check.detail else figures

    def rows(self) -> list[dict[str, str]]:
        """The checks as a table for Prefect: a row each."""
        return [dict(zip(COLUMNS, check.cells(), strict=True)) for check in self.checks]

    def markdown(self) -> str:
        """Sentence and table as Markdown."""
        lines = [f"**{self}**", ""]
        if self.checks:
            lines += ["| " + " | ".join(COLUMNS) + " |", "|---|---:|---:|---:|---|---|"]
            lines += ["| " + " | ".join(check.cells()) + " |" for check in self.checks]
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """The decision as JSON; `from_json` gives it back."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Decision:
        """The decision that `to_json` described."""
        content: dict[str, Any] = json.loads(text)
        return cls(
            **{
                **content,
                "grounds": Grounds(**content["grounds"]),
                "checks": tuple(Check(**check) for check in content["checks"]),
            }
        )
