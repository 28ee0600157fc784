"""The gate with scores from a file, in a process that can be killed at a named moment.

`python canned_gate.py ROOT SCORES VERSION INSTANT`. Clean processes that score are tested
elsewhere; here it is the moments around the lock, the tags and the aliases that matter.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

from autorec_core.data.schema import Field, Schema
from flows.config import Params
from flows.environment import prepare_environment
from flows.registry import run_gate
from flows.registry.decision import Decision
from flows.registry.run_gate import Evidence, apply_gate
from flows.registry.smoke_test import Probed

DATASET = "small"
SCHEMA = Schema("rating", "rating", (Field("user_id", 3),), (), "user_id", None, (1.0, 5.0))
LEASE = 10.0
"""How long the lock of a killed process is left alone, in seconds; otherwise it is a minute."""
INSTANTS = ("version created", "lock taken", "decision noted", "previous moved")


def judge(root: Path, scores: Path, number: int) -> Decision:
    """Holds the gate on a version; each version's scores stand in `scores` under its number."""
    with np.load(scores, allow_pickle=False) as found:
        known = {int(name): found[name] for name in found.files if name != "labels"}
        rows = pd.DataFrame({"rating": found["labels"]})
    rows["user_id"] = [f"u{row % 50}" for row in range(len(rows))]
    evidence = Evidence(SCHEMA, rows, {"all": np.ones(len(rows), bool)}, (4, 4), "data-1", 3.0)
    policy = Params.load(root / "params.yaml").registry

    def probed(version, rows=None, root=None):
        return Probed(known[version.number], lambda calls: 1.0)

    soon = functools.partial(run_gate.exclusive, seconds=LEASE)
    with (
        mock.patch.object(run_gate, "smoke_test", probed),
        mock.patch.object(run_gate, "exclusive", soon),
    ):
        return apply_gate(DATASET, number, evidence, policy, seed=0, root=root)


def die_at(instant: str) -> None:
    """Makes this process kill itself when it comes to a moment."""
    from mlflow import MlflowClient

    place, name = {
        "version created": (run_gate, "_judge"),
        "lock taken": (run_gate, "clean_up"),
        "decision noted": (run_gate, "move"),
        "previous moved": (MlflowClient, "set_registered_model_alias"),
    }[instant]
    real = getattr(place, name)

    def deadly(*arguments, **named):
        if instant != "previous moved" or "champion" in arguments:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    setattr(place, name, deadly)


if __name__ == "__main__":
    prepare_environment()
    die_at(sys.argv[4])
    judge(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
