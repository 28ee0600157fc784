"""The command `autorec`: assembles the groups of commands and reports errors in one sentence."""

from __future__ import annotations

import sys

import typer

from autorec_core.errors import AutoRecError
from flows.cli.commands import benchmark, data, doctor, registry, serving, training
from flows.environment import prepare_environment

app = typer.Typer(
    name="autorec",
    help="Search for the best deep recommender model automatically, and keep the winner live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (training, data, registry, serving, doctor, benchmark):
    app.add_typer(group.app)


def main() -> None:
    """Runs the command line. An error that the user can fix is one sentence and exit code 1."""
    prepare_environment()
    try:
        app()
    except AutoRecError as error:
        sys.exit(_message(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _message(error: AutoRecError) -> str:
    return "\n".join(f"Error: {line}" for line in str(error).splitlines())
