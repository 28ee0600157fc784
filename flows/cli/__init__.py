"""The command line: one file for the commands, one file for each thing they do."""

from flows.cli.app import main

__all__ = ["main"]
