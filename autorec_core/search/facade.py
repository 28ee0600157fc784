"""The search as the thesis' ten lines call it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autorec_core.errors import ConfigError, SearchError, listed
from autorec_core.recommender import Recommender
from autorec_core.search.display import Display
from autorec_core.search.records.record import TrialRecord
from autorec_core.search.result import SearchResult
from autorec_core.search.runner import run_search
from autorec_core.search.settings import SearchSettings, check_whole
from autorec_core.training import Rows


class Search:
    """Searches for the best model in a recommender's space.

    Args:
        model: The recommender: a chain of blocks with what is left open in it.
        tuner: "random", "greedy", "bayesian", "hyperband", "halving" or "staged".
        tuner_params: `max_trials`, at most so many candidates; `directory`, where the search keeps
            its state and goes on if it was interrupted; `overwrite`, whether to forget an earlier
            run of this very search (no other folder is ever removed); `seed`; `workers`, trials at
            a time, each in its own process, 0 for this process, None for one a processor;
            `address`, of the Dask scheduler whose workers run the trials, None for this machine;
            `patience`, evaluations without improvement before a candidate stops; `seconds`
            and `max_epochs`, after which no trial starts; `prune`, whether hopeless trials are
            stopped; `max_failures`, failed trials in a row that end the search.
        verbose: Whether to show the search in the terminal.
    """

    _OWN: Mapping[str, Any] = {"directory": "autorec-search", "overwrite": False, "patience": 1}
    """What `tuner_params` may hold beside settings of the search, and where it is not given."""

    def __init__(
        self,
        model: Recommender,
        tuner: str = "random",
        tuner_params: Mapping[str, Any] | None = None,
        *,
        verbose: bool = True,
    ) -> None:
        params = {**self._OWN, **(tuner_params or {})}
        known = {*self._OWN, *SearchSettings.names()} - {"tuner", "objective", "budget"}
        for name in params:
            if name not in known:
                raise ConfigError(
                    f"Unknown key {name!r} in `tuner_params`. Known keys: {listed(known)}."
                )
        own = {name: params.pop(name) for name in self._OWN}
        self._model = model
        self._directory = Path(own["directory"])
        self._overwrite = bool(own["overwrite"])
        budget = dataclasses.replace(SearchSettings().budget, patience=own["patience"])
        self._settings = SearchSettings(tuner=tuner, budget=budget, **params)
        self._verbose = verbose
        self._result: SearchResult | None = None
        self._best_model: Any = None

    def search(
        self,
        x: Any,
        y: Any,
        x_val: Any,
        y_val: Any,
        objective: str | None = None,
        batch_size: int | None = None,
        epochs: int = 10,
    ) -> Any:
        """Searches, and returns the winner: an ordinary Keras model.

        Args:
            x: Training rows: an array for one input, else arrays by input name.
            y: Their labels, shape (rows,).
            x_val: The rows that score candidates.
            y_val: Their labels.
            objective: What is best: `val_mse`, `val_ce`, `val_auc`, ...; None for the task's own.
            batch_size: Rows a step; None leaves it to the search.
            epochs: The most a candidate trains.

        Raises:
            ConfigError: A setting that is not allowed.
            DataError: Arrays that do not fit the model's inputs or each other.
            SearchError: Too many trials in a row have failed.
        """
        model = self._model
        check_whole("epochs", epochs, 1)
        if batch_size is not None:
            check_whole("batch_size", batch_size, 1)
            training = dataclasses.replace(model.training, batch_size=batch_size, least_steps=1)
            model = dataclasses.replace(model, training=training)
        budget = dataclasses.replace(self._settings.budget, epochs=epochs)
        display = Display() if self._verbose else None
        try:
            self._result = run_search(
                model,
                Rows.of(model, x, y),
                Rows.of(model, x_val, y_val),
                dataclasses.replace(self._settings, objective=objective, budget=budget),
                directory=self._directory,
                overwrite=self._overwrite,
                listener=display,
            )
        finally:
            if display is not None:
                display.close()
        self._best_model = self._result.load_model()
        return self._best_model

    @property
    def result(self) -> SearchResult:
        """All that the search has found."""
        if self._result is None:
            raise SearchError("There is no result yet: call `search` first.")
        return self._result

    @property
    def best_model(self) -> Any:
        """The winner: a compiled Keras model with the weights of its best evaluation."""
        return self.result and self._best_model

    @property
    def best_hyperparameters(self) -> dict[str, Any]:
        """The winner's hyperparameters by path."""
        return dict(self.result.best.hyperparameters)

    @property
    def leaderboard(self) -> tuple[TrialRecord, ...]:
        """All trials, best first; those that failed at the end."""
        return self.result.leaderboard
