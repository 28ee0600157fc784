"""The command `autorec`: assembles the groups of commands and reports errors in one sentence."""

from __future__ import annotations

import sys
from typing import Annotated

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


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"autorec {version('autorec')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


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
