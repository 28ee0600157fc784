"""Choosing a ready model from the command line: it becomes params.yaml's choice, said aloud.

params.yaml is the record of what a run depends on, for DVC, for MLflow and for whoever repeats the
run. So the choice is written there before anything starts, instead of travelling beside it.
"""

from __future__ import annotations

from pathlib import Path

from autorec_core import zoo
from autorec_core.config import DatasetParams
from autorec_core.data.schema import Field, Schema
from flows.cli.params_file import PARAMS, set_value
from flows.config import Params

KEY = "model.name"


def choose_model(name: str, dataset: str, path: Path = PARAMS) -> str:
    """Makes `name` the model that runs search, where it can work with this data set.

    Args:
        name: "auto" or a ready model's name.
        dataset: A data set of params.yaml.
        path: The params file.

    Returns:
        One line for the user: what stands there now, and what stood there before.

    Raises:
        ConfigError: There is no such model, or it needs columns that the data set does not have;
            the file is then left alone.
    """
    params = Params.load(path)
    zoo.build(name, _declared(params.dataset(dataset)), params.model.space)
    if params.model.name == name:
        return f"{path}: `{KEY}` is {name}."
    set_value(KEY, name, path)
    return f"{path}: `{KEY}` is now {name} for all data sets; it was {params.model.name}."


def _declared(entry: DatasetParams) -> Schema:
    """The schema that the data set's entry promises, its vocabularies still empty."""
    return Schema(
        task=entry.task,
        label=entry.label,
        categorical=tuple(Field(column, vocabulary_size=1) for column in entry.categorical),
        numeric=tuple(entry.numeric),
        user=entry.user,
        item=entry.item,
        label_range=(0.0, 1.0),
    )
