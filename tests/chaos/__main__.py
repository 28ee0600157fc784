"""`python -m chaos`: injects faults until the time is over, and writes a report.

Every fault is tried once in a random order before one is tried again. The seed decides the order,
and each fault's instants and victims.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from random import Random

from chaos.faults import CannotInject, Fault, Story, all_faults
from chaos.installation import Installation
from chaos.invariants import broken
from chaos.report import Trial, write_report
from flows.environment import prepare_environment


def main() -> None:
    """Runs the suite. The exit code is 1 if anything did not hold."""
    arguments = _arguments()
    prepare_environment()
    faults = all_faults()
    if arguments.only:
        faults = {name: fault for name, fault in faults.items() if arguments.only in name}
        if not faults:
            sys.exit(f"Error: no fault has {arguments.only!r} in its name: {list(all_faults())}.")
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix="autorec-chaos-") as folder:
        installation = Installation(Path(folder))
        installation.build()
        deadline = time.monotonic() + 60 * arguments.minutes
        for number, name in enumerate(_order(list(faults), arguments.seed)):
            if time.monotonic() > deadline:
                break
            trial = _try(installation, name, faults[name], Random(f"{arguments.seed} {number}"))
            trials.append(trial)
            write_report(trials, arguments.seed, arguments.report)
            print(trial.line(), flush=True)  # noqa: T201
    failed = sum(bool(trial.broken) for trial in trials)
    print(f"{len(trials)} faults, {failed} with a broken invariant. {arguments.report}")  # noqa: T201
    sys.exit(bool(failed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="no fault begins after this time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only faults with this text in their names")
    parser.add_argument("--report", type=Path, default=Path("reports/chaos/index.md"))
    return parser.parse_args()


def _order(names: list[str], seed: int) -> Iterator[str]:
    random = Random(seed)
    while True:
        yield from random.sample(names, len(names))


def _try(installation: Installation, name: str, fault: Fault, random: Random) -> Trial:
    story, began = Story(), time.monotonic()
    found: list[str] = []
    skipped = None
    try:
        found += fault(installation, random, story)
        found += broken(installation, installation.run())
    except CannotInject as error:
        skipped = str(error)
    except Exception:  # a fault that falls over has found something too
        found.append(traceback.format_exc())
    return Trial(name, tuple(story.events), tuple(found), skipped, time.monotonic() - began)


if __name__ == "__main__":
    main()
