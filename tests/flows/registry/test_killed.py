"""A run killed between "version created" and "alias moved" leaves the old champion live."""

from __future__ import annotations

import signal
import subprocess
import sys

import canned_gate
import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scores(registry):
    """A champion, versions each better than the one before, and where their scores stand."""
    random = np.random.default_rng(0)
    labels = random.uniform(1, 5, 300)
    numbers = range(1, len(canned_gate.INSTANTS) + 3)
    errors = {number: random.normal(0, 1 / number, 300) for number in numbers}
    path = registry.root / "scores.npz"
    np.savez(path, labels=labels, **{str(n): labels + error for n, error in errors.items()})
    assert registry.register(registry.models.bad) == 1
    canned_gate.judge(registry.root, path, 1)
    assert registry.champion() == 1
    return path


@pytest.mark.parametrize("instant", canned_gate.INSTANTS)
def test_the_champion_stays_and_the_next_run_goes_on(registry, scores, instant):
    champion = registry.champion()
    number = register_again(registry)

    victim = subprocess.run(
        [
            sys.executable,
            canned_gate.__file__,
            str(registry.root),
            str(scores),
            str(number),
            instant,
        ],
        check=False,
    )

    assert victim.returncode == -signal.SIGKILL
    assert registry.champion() == champion
    # The same night's run, started again, finds the version and brings it to its end.
    decision = canned_gate.judge(registry.root, scores, number)
    assert decision.promotes
    assert (registry.champion(), registry.champion("previous")) == (number, champion)
    assert registry.version(number).tags["state"] == "promoted"


def test_another_run_corrects_the_state_of_a_killed_run(registry, scores):
    champion = registry.champion()
    dead = register_again(registry)
    registry.client.set_model_version_tag("autorec-small", str(dead), "state", "promoting")
    registry.client.set_model_version_tag("autorec-small", str(dead), "decision", "I won.")
    number = register_again(registry)
    with np.load(scores) as found:
        known = dict(found)
    np.savez(scores, **known, **{str(number): known["labels"]})

    canned_gate.judge(registry.root, scores, number)

    assert (registry.champion(), registry.champion("previous")) == (number, champion)
    assert registry.version(dead).tags["decision"] == (
        "Its run was killed before the alias moved. The decision was: I won."
    )


def register_again(registry):
    """Makes a version of the first one's files, in one request."""
    name = "autorec-small"
    first = registry.client.get_model_version(name, "1")
    made = registry.client.create_model_version(
        name, first.source, tags={"size": first.tags["size"], "sha256": first.tags["sha256"]}
    )
    return int(made.version)
