"""Shows a search in the terminal: a summary of each trial (figure 5.1 of the thesis) and progress.

In a terminal, a progress bar with the time left and a table of the running and the best trials stay
at the bottom. If the output is not a terminal, every event is a plain line.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from autorec_core.search.listener import Listener, SearchPlan
from autorec_core.search.records.record import TrialRecord, ranked
from autorec_core.search.result import SearchResult

_LISTED, _LISTED_LIVE = 10, 5


class Display(Listener):
    """Shows a search while it runs.

    Args:
        console: The console to write to; None for stdout.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live: Live | None = None
        self._trials: dict[int, TrialRecord] = {}
        self._rows: dict[int, dict[str, float]] = {}

    def on_search_start(self, plan: SearchPlan) -> None:
        """Prints what is searched, and shows the progress bar."""
        self._plan = plan
        self._began = time.monotonic()
        self._trials = {trial.number: trial for trial in plan.finished}
        self._before = len(self._trials)
        self._rows = {}
        self._console.print(
            f"Search: {plan.tuner}, at most {plan.max_trials} trials of at most {plan.epochs} "
            f"epochs, objective {plan.objective} ({plan.metric.direction})",
            highlight=False,
        )
        if plan.finished:
            self._console.print(
                f"Trials finished already: {len(plan.finished)}. The search continues.",
                highlight=False,
            )
        self._bar = Progress(
            TextColumn("trials"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=self._console,
        )
        self._task = self._bar.add_task("", total=plan.max_trials, completed=self._before)
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._bottom, transient=True)
            self._live.start()

    def on_trial_start(self, trial: TrialRecord) -> None:
        """Notes a running trial."""
        self._trials[trial.number] = trial
        self._refresh()

    def on_epoch(self, trial: TrialRecord, row: dict[str, float]) -> None:
        """Shows the progress of a trial."""
        self._rows[trial.number] = row
        self._refresh()

    def on_trial_pause(self, trial: TrialRecord) -> None:
        """Prints that a trial pauses, and its score so far."""
        self._trials[trial.number] = trial
        self._console.print(
            f"Trial {trial.number} paused after {trial.spent:g} epochs, score {trial.score:.6f}",
            highlight=False,
        )
        self._refresh()

    def on_trial_end(self, trial: TrialRecord) -> None:
        """Prints the trial's summary."""
        self._trials[trial.number] = trial
        self._console.print(self._summary(trial), highlight=False, soft_wrap=True)
        self._refresh()

    def on_search_end(self, result: SearchResult) -> None:
        """Prints the leaderboard and the winner."""
        self._stop()
        self._console.print(self._leaderboard(result))
        best = result.best
        self._console.print(
            f"Winner: trial {best.number}, {result.objective} {best.score:.4f} "
            f"(always the mean: {result.constant_score:.4f}), {result.seconds:.0f} s",
            highlight=False,
        )
        if result.warning:
            self._console.print(Text(f"WARNING: {result.warning}", style="bold red"))

    def close(self) -> None:
        """Removes the progress bar. Call it even if the search has failed."""
        self._stop()

    def _summary(self, trial: TrialRecord) -> Text:
        text = Text(f"\nTrial {trial.number} summary\n", style="bold")
        lines = Text(style="not bold")
        lines.append("Hyperparameters:\n")
        for name, value in trial.hyperparameters.items():
            lines.append(f"{name}: {value}\n")
        if not trial.hyperparameters:
            lines.append("default configuration\n")
        if trial.score is None:
            lines.append(f"Failed: {trial.reason}\n", style="red")
        else:
            lines.append(f"Score: {trial.score:.6f}\nBest step: {trial.best_step}\n")
            if trial.stopped in ("paused", "pruned"):
                lines.append(f"{trial.stopped.capitalize()} after {trial.spent:g} epochs\n")
            lines.append(f"{trial.seconds:.1f} s. {self._best_so_far()}, {self._left()}")
        return text.append_text(lines)

    def _best_so_far(self) -> str:
        best = ranked(self._trials.values(), self._plan.metric)[0]
        if best.score is None:
            return "No trial has completed yet"
        return f"Best {self._plan.objective} so far: {best.score:.6f} (trial {best.number})"

    def _left(self) -> str:
        """Returns the time left, estimated from the mean time of the trials that have ended."""
        ended = sum(trial.status != "running" for trial in self._trials.values())
        here = ended - self._before
        if not here:
            return "time left not known yet"
        seconds = (time.monotonic() - self._began) / here * (self._plan.max_trials - ended)
        minutes, seconds = divmod(round(seconds), 60)
        return f"about {minutes}:{seconds:02d} left"

    def _bottom(self) -> Group:
        ended = sum(trial.status != "running" for trial in self._trials.values())
        description = f"{self._best_so_far()}, {self._left()}" if self._trials else ""
        self._bar.update(self._task, completed=ended, description=description)
        return Group(self._bar, self._live_table())

    def _live_table(self) -> Table:
        """Returns a table of the running trials and, below them, the best of the others."""
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), expand=True)
        for column in ("trial", self._plan.objective):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        table.add_column("structure first", no_wrap=True, overflow="ellipsis", ratio=1)
        for trial in self._trials.values():
            if trial.status == "running":
                row = self._rows.get(trial.number)
                score = f"{row[self._plan.metric.name]:.4f}" if row else ""
                state = f"epoch {row['epoch']:g} of {trial.epochs}" if row else "starting"
                what = _in_short(trial.hyperparameters)
                table.add_row(str(trial.number), score, state, what, style="bold")
        ended = [trial for trial in self._trials.values() if trial.status != "running"]
        for trial in ranked(ended, self._plan.metric)[:_LISTED_LIVE]:
            score = "" if trial.score is None else f"{trial.score:.4f}"
            what = trial.reason or _in_short(trial.hyperparameters)
            table.add_row(str(trial.number), score, trial.stopped or trial.status, what)
        return table

    def _leaderboard(self, result: SearchResult) -> Table:
        # Without `expand` and `ratio`, a long line would make the first column narrower.
        table = Table(title="Leaderboard", title_justify="left", box=box.SIMPLE_HEAD, expand=True)
        for column in ("trial", result.objective, "best step", "epochs", "seconds"):
            table.add_column(column, justify="right", no_wrap=True, min_width=len(column))
        what = "structure first; all of it above"
        table.add_column(what, no_wrap=True, overflow="ellipsis", ratio=1)
        for trial in result.leaderboard[:_LISTED]:
            table.add_row(
                str(trial.number),
                trial.status if trial.score is None else f"{trial.score:.4f}",
                "" if trial.score is None else str(trial.best_step),
                f"{trial.spent:g}",
                f"{trial.seconds:.1f}",
                trial.reason or _in_short(trial.hyperparameters),
            )
        return table

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _in_short(hyperparameters: Mapping[str, Any]) -> str:
    """Returns the chosen interactors, then the other values, with paths as short as possible."""
    ends = Counter(path.rpartition("/")[2] for path in hyperparameters)
    names = {
        path: end if ends[end := path.rpartition("/")[2]] == 1 else "/".join(path.split("/")[-2:])
        for path in hyperparameters
    }
    types = [path for path in names if names[path].startswith("interactor_type")]
    others = [path for path in names if path not in types]
    return ", ".join(
        [str(hyperparameters[path]).removesuffix("Interaction") for path in types]
        + [f"{names[path]}={hyperparameters[path]}" for path in others]
    )
