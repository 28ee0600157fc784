"""Runs one stage of dvc.yaml: `python -m flows.stages STAGE DATASET`.

An error is one sentence on stderr and exit code 1, or 75 if a server did not answer.
"""

from __future__ import annotations

import sys
from importlib import import_module

from autorec_core.errors import AutoRecError, ConfigError, UnreachableError, listed
from flows.config import Params
from flows.environment import prepare_environment
from flows.stages.messages import ERROR_MARK, UNREACHABLE_CODE
from flows.workspace import Places

STAGES = ("fetch", "check_raw", "prepare", "check_splits", "plan", "search", "evaluate")
"""The stages, in order. Each is the function `run` of the module with its name."""


def main(arguments: list[str]) -> None:
    """Runs one stage of one data set in the current folder."""
    prepare_environment()
    try:
        if len(arguments) != 2 or arguments[0] not in STAGES:
            raise ConfigError(
                f"Usage: `python -m flows.stages STAGE DATASET`. Stages: {listed(STAGES)}."
            )
        stage, dataset = arguments
        import_module(f"flows.stages.{stage}").run(Params.load(), Places(dataset))
    except KeyboardInterrupt:
        sys.exit(130)
    except AutoRecError as error:
        print(
            *(f"{ERROR_MARK}{line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr
        )
        sys.exit(UNREACHABLE_CODE if isinstance(error, UnreachableError) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
