"""What `autorec promote`, `autorec rollback` and `autorec export` do."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from autorec_core.quiet import import_tensorflow
from flows.config import Params


def promote(dataset: str, number: int) -> None:
    """Makes a version the champion; see `moves.promote_by_hand`."""
    from flows.registry.aliases import promote_by_hand

    Params.load().dataset(dataset)
    Console(highlight=False, markup=False).print(promote_by_hand(dataset, number))


def rollback(dataset: str, reason: str) -> None:
    """Makes the champion before this one live again; see `moves.roll_back`."""
    from flows.registry.aliases import roll_back

    Params.load().dataset(dataset)
    Console(highlight=False, markup=False).print(roll_back(dataset, reason))


def export(dataset: str, folder: Path, alias: str) -> None:
    """Writes the model of an alias for Keras and for TensorFlow Serving."""
    import_tensorflow()
    from flows.registry.loading import export_version
    from flows.registry.versions import aliased

    Params.load().dataset(dataset)
    version = aliased(dataset, alias)
    export_version(version, folder)
    Console(highlight=False, markup=False).print(
        f"Version {version.number}: {folder / 'model.keras'} takes encoded rows, "
        f"{folder / 'saved_model' / '1'} takes raw ones.",
        soft_wrap=True,
    )
