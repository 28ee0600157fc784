"""The gate's decision with its reasons: as a sentence, as a table, and as JSON for a tag."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

FIGURES = ("champion", "challenger", "allowed")
TEST_ROWS = "test rows"
"""Name of the check that says which test rows were used. Present only if it is not simply all."""
COLUMNS = ("check", *FIGURES, "passed", "detail")


@dataclass(frozen=True)
class Check:
    """One check of the gate.

    Args:
        name: What is checked.
        champion: The champion's figure, or None.
        challenger: The challenger's figure, or None.
        limit: The highest allowed figure (the lowest, if rows or data checks are counted).
        passed: Whether the challenger passed.
        detail: Further explanation.
    """

    name: str
    champion: float | None
    challenger: float | None
    limit: float | None
    passed: bool
    detail: str = ""

    def cells(self) -> list[str]:
        """Returns this check as a table row with the columns of `COLUMNS`."""
        figures = (self.champion, self.challenger, self.limit)
        return [
            self.name,
            *("" if figure is None else f"{figure:.6g}" for figure in figures),
            "yes" if self.passed else "NO",
            self.detail,
        ]


@dataclass(frozen=True)
class Grounds:
    """The two versions that were compared.

    Args:
        challenger: The new version.
        champion: The live version; None if there was none.
    """

    challenger: int
    champion: int | None


@dataclass(frozen=True)
class Decision:
    """The gate's decision on one version.

    Args:
        grounds: The two versions that were compared.
        checks: All checks, in order.
        why: The comparison in words.
        mode: `registry.mode` at the time. The alias moves only with "auto".
        said: The whole sentence, if something other than the checks decided; else None.
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
        """Whether the alias must be moved to the challenger."""
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
        """Returns the figures of a failed check, or "" if `why` already contains them."""
        if check.champion is None or check.challenger is None or check.limit is None:
            return "" if check.detail == self.why else check.detail
        if check.name == "loss":
            return ""
        figures = f"{check.challenger:.4g}, allowed {check.limit:.4g}"
        return f"{figures}; {check.detail}" if check.detail else figures

    def rows(self) -> list[dict[str, str]]:
        """Returns the checks as table rows for Prefect."""
        return [dict(zip(COLUMNS, check.cells(), strict=True)) for check in self.checks]

    def markdown(self) -> str:
        """Returns sentence and table as Markdown."""
        lines = [f"**{self}**", ""]
        if self.checks:
            lines += ["| " + " | ".join(COLUMNS) + " |", "|---|---:|---:|---:|---|---|"]
            lines += ["| " + " | ".join(check.cells()) + " |" for check in self.checks]
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """Returns the decision as JSON for `from_json`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Decision:
        """Reads a decision from the JSON of `to_json`."""
        content: dict[str, Any] = json.loads(text)
        return cls(
            **{
                **content,
                "grounds": Grounds(**content["grounds"]),
                "checks": tuple(Check(**check) for check in content["checks"]),
            }
        )
