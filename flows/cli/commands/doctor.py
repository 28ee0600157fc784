"""The command `doctor`."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def doctor() -> None:
    """Check environment, versions, services, disk and data, and say what to do."""
    from flows.cli.doctor import examine, show

    if not show(examine()):
        raise typer.Exit(1)
