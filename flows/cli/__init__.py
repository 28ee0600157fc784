"""The command line: `commands` declares the commands, the other files do their work."""

from flows.cli.app import main

__all__ = ["main"]
