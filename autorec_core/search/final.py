"""Makes the final model of a search: the winner, or a mean of the best, trained once more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autorec_core.recommender import Recommender
from autorec_core.search.records.record import TrialRecord
from autorec_core.search.result import SearchResult
from autorec_core.training import Budget, Limits, Rows, refit, train

if TYPE_CHECKING:
    import keras

SMALL = 50_000
"""With fewer training rows than this, the valid rows cannot tell the best candidates apart."""
MOST_MEMBERS = 5


@dataclass(frozen=True)
class Final:
    """The final model of a search.

    Args:
        model: The compiled Keras model; with several members it predicts their mean.
        members: The trials that the model consists of, best first.
        refitted: Whether the model was trained on the valid rows too.
    """

    model: keras.Model
    members: tuple[TrialRecord, ...]
    refitted: bool


def best_of(
    result: SearchResult, rows: int, ensemble: int | None = None
) -> tuple[TrialRecord, ...]:
    """Returns the trials for the final model, best first. No two of them train the same model.

    Args:
        result: The result of the search.
        rows: Number of training rows.
        ensemble: The largest number of trials. None means one trial if there are at least `SMALL`
            rows, or else the better half of the different trials, at most `MOST_MEMBERS`.
    """
    completed = _distinct(trial for trial in result.leaderboard if trial.status == "completed")
    half = (len(completed) + 1) // 2
    return tuple(completed[: ensemble_size(rows, half, ensemble)])


def ensemble_size(rows: int, most: int, ensemble: int | None = None) -> int:
    """Returns the number of candidates that a model averages.

    Args:
        rows: Number of rows that candidates learn from.
        most: The most that are worth averaging, unless `ensemble` says otherwise.
        ensemble: The wanted number; None for one if there are at least `SMALL` rows, or else `most`
            but not more than `MOST_MEMBERS`.
    """
    if ensemble is not None:
        return ensemble
    return 1 if rows >= SMALL else min(MOST_MEMBERS, most)


def _distinct(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Returns the first of each group of trials with equal hyperparameters or equal curves.

    With equal hyperparameters, the candidate is the same even if it trained longer. If the
    difference between hyperparameters has no effect, the curves are equal.
    """
    found: list[TrialRecord] = []
    for trial in trials:
        curve = _figures(trial)
        copies = (
            trial.hyperparameters == other.hyperparameters or (curve and curve == _figures(other))
            for other in found
        )
        if not any(copies):
            found.append(trial)
    return found


def _figures(trial: TrialRecord) -> list[dict[str, float]]:
    """Returns the learning curve of a trial without its times."""
    return [{name: v for name, v in row.items() if name != "seconds"} for row in trial.curve]


def finish(
    result: SearchResult,
    members: Sequence[TrialRecord],
    known: Rows,
    valid: Rows,
    *,
    budget: Budget,
    seed: int,
    refitting: bool = True,
) -> Final:
    """Makes the final model from the best candidates of a search.

    Args:
        result: The result of the search.
        members: The trials to average, from `best_of`.
        known: The training rows of the search.
        valid: The validation rows of the search.
        budget: How long a candidate was allowed to train.
        seed: The seed of the search.
        refitting: Whether each member is trained once more on `known` and `valid` together.

    Raises:
        FailedTrial: As in `train`.
    """
    models = []
    for trial in members:
        candidate = result.candidate(trial)
        if refitting:
            assert trial.schedule is not None
            made = refit(candidate, [known, valid], schedule=trial.schedule, seed=seed)
        elif trial is result.best:
            made = result.load_model()
        else:  # the same settings give the same model as in the search
            made = train(
                candidate,
                known,
                valid,
                budget=Budget(epochs=trial.epochs, patience=budget.patience),
                seed=seed,
                objective=result.objective,
                limits=Limits(until=len(trial.curve)),
            ).model
        models.append(made)
    return Final(averaged(models, result.winner), tuple(members), refitting)


def averaged(models: Sequence[keras.Model], recommender: Recommender) -> keras.Model:
    """Makes one compiled Keras model that predicts the mean of several models' predictions.

    Args:
        models: Models with inputs by name and one output of shape (batch_size, 1). They become
            layers of the new model.
        recommender: Its optimizer, loss and metrics compile the new model.
    """
    import keras

    if len(models) == 1:
        return models[0]
    inputs: dict[str, Any] = {}
    for place, model in enumerate(models):
        model.name = f"candidate_{place}"
        for tensor in model.inputs:
            name, shape = tensor.name, tensor.shape[1:]
            if name not in inputs:
                inputs[name] = keras.Input(shape, name=name, dtype=tensor.dtype)
    outputs = [
        model({tensor.name: inputs[tensor.name] for tensor in model.inputs})
        if len(model.inputs) > 1
        else model(inputs[model.inputs[0].name])
        for model in models
    ]
    mean = keras.layers.Average(name="mean_prediction")(outputs)
    whole = keras.Model(inputs if len(inputs) > 1 else next(iter(inputs.values())), mean)
    whole.compile(
        optimizer=recommender.training.keras_optimizer(),
        loss=recommender.optimizer.loss(),
        metrics=recommender.optimizer.metrics(),
    )
    return whole
