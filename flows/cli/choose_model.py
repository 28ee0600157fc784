"""Writes the model chosen with `autorec run --model` into params.yaml.

params.yaml records everything that a run depends on, for DVC, MLflow and for people who repeat the
run. The choice is therefore written there before the run starts, and not passed on separately.
"""

from __future__ import annotations

from pathlib import Path

from autorec_core import zoo
from autorec_core.config import DatasetParams
from autorec_core.data.schema import Field, Sampling, Schema
from flows.cli.params_file import PARAMS, set_value
from flows.config import Params

KEY = "model.name"


def choose_model(name: str, dataset: str, path: Path = PARAMS) -> str:
    """Sets `model.name` in params.yaml if the model can work with this data set.

    Args:
        name: "auto" or a ready model's name.
        dataset: A data set of params.yaml.
        path: The params file.

    Returns:
        One line for the user with the new and the previous value.

    Raises:
        ConfigError: There is no such model, or it needs columns that the data set does not have.
            The file is then not changed.
    """
    params = Params.load(path)
    zoo.build(name, _declared(params.dataset(dataset)), params.model.space)
    if params.model.name == name:
        return f"{path}: `{KEY}` is {name}."
    set_value(KEY, name, path)
    return f"{path}: `{KEY}` is now {name} for all data sets; it was {params.model.name}."


def _declared(entry: DatasetParams) -> Schema:
    """Returns the schema of the data set's entry, with empty vocabularies."""
    entry = entry.extended
    return Schema(
        task=entry.task,
        label=entry.label_name,
        categorical=tuple(Field(column, vocabulary_size=1) for column in entry.categorical),
        numeric=tuple(entry.numeric),
        user=entry.user,
        item=entry.item,
        label_range=(0.0, 1.0),
        negatives=Sampling(**entry.negatives.model_dump()) if entry.negatives else None,
    )
