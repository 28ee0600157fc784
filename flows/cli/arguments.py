"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from autorec_core.errors import AutoRecError


def complete_dataset(incomplete: str) -> list[str]:
    """Completes a data set's name in the shell.

    Args:
        incomplete: The text typed so far.

    Returns:
        The data sets of params.yaml whose names start with that text. Empty if params.yaml cannot
        be read.
    """
    from flows.config import Params

    try:
        names = list(Params.load().datasets)
    except AutoRecError:
        return []
    return [name for name in names if name.startswith(incomplete)]


Dataset = Annotated[
    str,
    typer.Argument(
        help="A data set of params.yaml.", show_default=False, autocompletion=complete_dataset
    ),
]
