"""The class `Search`, with which the ten lines of the thesis start a search."""

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
        model: The recommender: a chain of blocks whose open settings are searched.
        tuner: "random", "greedy", "bayesian", "hyperband", "halving" or "staged".
        tuner_params: Settings by name. `max_trials`: the largest number of candidates. `directory`:
            the folder for the state of searches, from which an interrupted search continues.
            `overwrite`: whether to delete an earlier run of exactly this search (no other folder is
            ever removed). `patience`: evaluations without improvement before a candidate stops.
            `first`, `seed`, `workers`, `address`, `seconds`, `max_epochs`, `prune` and
            `max_failures`: as in `SearchSettings`.
        verbose: Whether to show the search in the terminal.
    """

    _OWN: Mapping[str, Any] = {"directory": "autorec-search", "overwrite": False, "patience": 1}
    """The keys of `tuner_params` that are not in `SearchSettings`, with their defaults."""

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
        """Searches, and returns the winner, an ordinary Keras model.

        Args:
            x: Training rows: an array if the model has one input, or else arrays by input name.
            y: Training labels, shape (rows,).
            x_val: Validation rows, which score the candidates.
            y_val: Validation labels, shape (rows,).
            objective: What to optimise: `val_mse`, `val_ce`, `val_auc`, ...; None for the default
                of the task.
            batch_size: Rows in each training step; None lets the search choose.
            epochs: The largest number of epochs of a candidate.

        Raises:
            ConfigError: A setting is not allowed.
            DataError: The arrays do not fit the inputs of the model or each other.
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
        """Everything that the search has found."""
        if self._result is None:
            raise SearchError("There is no result yet: call `search` first.")
        return self._result

    @property
    def best_model(self) -> Any:
        """The winner, a compiled Keras model with the weights of its best evaluation."""
        return self.result and self._best_model

    @property
    def best_hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters of the winner, by path."""
        return dict(self.result.best.hyperparameters)

    @property
    def leaderboard(self) -> tuple[TrialRecord, ...]:
        """All trials, best first; failed trials are at the end."""
        return self.result.leaderboard
