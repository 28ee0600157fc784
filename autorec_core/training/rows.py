"""Rows for training and evaluation: arrays by the name of the model input, and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autorec_core.errors import DataError, listed
from autorec_core.files import whole_folder

if TYPE_CHECKING:
    from autorec_core.recommender import Recommender

_LABELS, _USERS = "labels", "users"


@dataclass(frozen=True)
class Rows:
    """Encoded rows, in memory or memory-mapped.

    Args:
        inputs: Arrays of shape (rows, ...) by the name of the model's input.
        labels: float32 labels, shape (rows,). For ranking, the strength of each row.
        users: The user of each row, int, shape (rows,), for metrics that are means over users;
            None if there are none.
    """

    inputs: Mapping[str, np.ndarray]
    labels: np.ndarray
    users: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.inputs:
            raise DataError("Rows need at least one input array.")
        if not len(self.labels):
            raise DataError("There are no rows to learn from: the labels are empty.")
        if self.labels.ndim != 1:
            raise DataError(f"Labels must have shape (rows,). Received: {self.labels.shape}.")
        for name, array in self.inputs.items():
            if len(array) != len(self.labels):
                raise DataError(
                    f"Input {name!r} has {len(array)} rows, but there are {len(self.labels)} "
                    "labels. Their numbers must be equal."
                )

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, recommender: Recommender, x: Any, y: Any) -> Rows:
        """Makes rows from one array or a dictionary of arrays, and labels.

        Args:
            recommender: The recommender whose inputs the arrays are for.
            x: An array if the recommender has one input, or else arrays by input name.
            y: Labels, shape (rows,) or (rows, 1).

        Raises:
            DataError: The arrays do not fit the recommender's inputs or each other.
        """
        nodes = {node.name: node for node in recommender.inputs}  # type: ignore[union-attr]
        if not isinstance(x, Mapping):
            if len(nodes) != 1:
                raise DataError(
                    f"The recommender has the inputs {listed(nodes)}: pass a dictionary of arrays."
                )
            x = {next(iter(nodes)): x}
        if set(x) != set(nodes):
            raise DataError(
                f"The recommender's inputs are {listed(nodes)}. Received arrays: {listed(x)}."
            )
        inputs = {}
        for name, node in nodes.items():
            array = np.asarray(x[name])
            if array.shape[1:] != node.shape:
                raise DataError(
                    f"Input {name!r} needs shape (rows, {', '.join(map(str, node.shape))}). "
                    f"Received: {array.shape}."
                )
            inputs[name] = array.astype(node.dtype, copy=False)
        labels = np.asarray(y, dtype=np.float32)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if not np.isfinite(labels).all():
            raise DataError("Labels must be finite numbers; some are NaN or infinite.")
        return cls(inputs, labels)

    def save(self, folder: Path) -> StoredRows:
        """Writes the arrays as .npy files, which other processes can map into memory.

        Arrays that are already mapped from such files are not written again.

        Args:
            folder: The folder to write to.

        Returns:
            The places of all files.
        """
        arrays = {**{f"input {name}": a for name, a in self.inputs.items()}, _LABELS: self.labels}
        if self.users is not None:
            arrays[_USERS] = self.users
        paths = {name: _own_file(array) for name, array in arrays.items()}
        if any(path is None for path in paths.values()):
            with whole_folder(folder) as filled:
                for place, (name, array) in enumerate(arrays.items()):
                    if paths[name] is None:
                        np.save(filled / f"{place}.npy", array)
                        paths[name] = folder / f"{place}.npy"
        return StoredRows({name: str(path) for name, path in paths.items()})


@dataclass(frozen=True)
class StoredRows:
    """The places of rows on disk. They are small enough to be sent with every trial.

    Args:
        paths: The .npy files: those of the inputs under "input " and their name, and the labels.
    """

    paths: Mapping[str, str]

    def open(self) -> Rows:
        """Maps the rows into memory. Pages are read when they are used; processes share them."""
        arrays = {name: np.load(path, mmap_mode="r") for name, path in self.paths.items()}
        labels, users = arrays.pop(_LABELS), arrays.pop(_USERS, None)
        inputs = {name.removeprefix("input "): array for name, array in arrays.items()}
        return Rows(inputs, labels, users)


def _own_file(array: np.ndarray) -> Path | None:
    """Returns the .npy file from which the whole of `array` is mapped, if there is one."""
    path = Path(getattr(array, "filename", None) or "")
    if path.suffix != ".npy" or not path.exists():
        return None
    stored = np.load(path, mmap_mode="r")
    same = (stored.shape, stored.dtype, stored.offset) == (
        array.shape,
        array.dtype,
        getattr(array, "offset", None),
    )
    return path.resolve() if same else None
