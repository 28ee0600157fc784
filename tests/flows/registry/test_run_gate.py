"""The road of a model through the registry: gate, smoke test, alias, and back again.

The tests build on one another, as versions do: each looks at what the one before left behind.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from autorec_core.errors import ConfigError
from autorec_core.scorer import Scorer
from flows.config import Params
from flows.registry import aliases, loading, run_gate
from flows.registry.aliases import promote_by_hand, roll_back
from flows.registry.run_gate import Evidence, apply_gate
from flows.registry.smoke_test import Probed
from flows.registry.versions import RegistryError, list_versions

pytestmark = pytest.mark.slow
DATASET = "small"
ALTERED = 4


@pytest.fixture(scope="module")
def gate(registry):
    """Registers a scorer and holds the gate; returns version and decision."""
    schema = Scorer.load(registry.models.good).preprocessor.schema
    test = registry.models.test
    segments = {"all": np.ones(len(test), bool)}
    policy = Params.load(registry.root / "params.yaml").registry

    def judge(number, *, checks=(4, 4), **changes):
        evidence = Evidence(schema, test, segments, checks, "data-1", test["rating"].mean())
        changed = policy.model_copy(update=changes)
        return apply_gate(DATASET, number, evidence, changed, seed=0, root=registry.root)

    return judge


@pytest.fixture(scope="module")
def first(registry, gate):
    number = registry.register(registry.models.bad)
    return number, gate(number)


@pytest.fixture(scope="module")
def second(registry, gate, first):
    number = registry.register(registry.models.good)
    return number, gate(number)


def test_the_first_model_that_passes_goes_live(registry, first):
    number, decision = first

    assert number == registry.champion() == 1
    assert str(decision).startswith("Version 1 is the new champion: there was no champion; loss ")
    assert "against a constant's" in str(decision)
    assert registry.champion("previous") is None


def test_a_better_model_takes_its_place_and_says_why(registry, second):
    number, decision = second

    assert decision.promotes
    assert (registry.champion(), registry.champion("previous")) == (2, 1)
    tags = registry.version(number).tags
    assert tags["decision"] == str(decision)
    assert tags["state"] == "promoted"
    assert [check["name"] for check in json.loads(tags["gate"])["checks"]] == [
        "loss",
        "enough test rows",
        "calibration error",
        "loss within a segment",
        "latency of one row, ms",
        "size, MB",
        "data checks",
    ]
    described = registry.client.get_model_version(f"autorec-{DATASET}", "2").description
    assert "| loss |" in described


@pytest.fixture
def quick(registry, monkeypatch):
    """Scores versions in this process, where files lie; the tests above did it the clean way."""

    def smoke_test(version, rows, root):
        with loading.fetched(version, root):
            scorer = registry.models.good if version.number == 2 else registry.models.bad
            return Probed(Scorer.load(scorer).score(rows).astype(float), lambda calls: 1.0)

    monkeypatch.setattr(run_gate, "smoke_test", smoke_test)
    monkeypatch.setattr(run_gate, "AGAIN_SECONDS", 0.0)


def test_a_worse_model_is_registered_but_not_live_and_not_judged_twice(
    registry, second, gate, quick, monkeypatch
):
    number = registry.register(registry.models.bad)

    decision = gate(number)

    assert not decision.promotes
    assert registry.champion() == 2
    assert registry.version(number).tags["decision"].startswith("Version 2 stays champion")
    monkeypatch.setattr(run_gate, "smoke_test", None)
    assert str(gate(number)) == str(decision)
    assert "already the champion" in str(gate(2))


def test_a_model_whose_files_were_altered_is_not_loaded(registry, second, gate):
    number = registry.register(registry.models.good)
    code = registry.files(number) / "pyfunc.py"
    code.write_text(code.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")

    with pytest.raises(RegistryError, match="the SHA-256 differs"):
        gate(number)

    assert number == ALTERED
    assert registry.champion() == 2
    assert "fails its smoke test" in registry.version(number).tags["decision"]


def test_a_rollback_keeps_its_reason_and_the_gate_does_not_undo_it(registry, second, gate):
    said = roll_back(DATASET, "too many complaints", registry.root)

    assert said == (
        "Version 1 is the champion again; version 2 was rolled back: too many complaints"
    )
    assert (registry.champion(), registry.champion("previous")) == (1, None)
    assert registry.version(2).tags["rollback.reason"] == "too many complaints"
    assert "was rolled back (too many complaints)" in str(gate(2))
    assert registry.champion() == 1
    with pytest.raises(ConfigError, match="there is no previous one"):
        roll_back(DATASET, "again", registry.root)


def test_a_version_goes_live_by_hand_once_it_passes_its_smoke_test(registry, second, monkeypatch):
    with pytest.raises(RegistryError, match="the SHA-256 differs"):
        promote_by_hand(DATASET, ALTERED, registry.root)
    assert registry.champion() == 1
    # What a version that passes does here, it did in the tests above.
    monkeypatch.setattr(aliases, "smoke_test", lambda version, root: None)

    said = promote_by_hand(DATASET, 2, registry.root)

    assert said == "Version 2 was made champion by hand in place of version 1."
    assert (registry.champion(), registry.champion("previous")) == (2, 1)
    assert "rollback.reason" not in registry.version(2).tags
    with pytest.raises(ConfigError, match=r"has no version 99\. Versions: 1, 2"):
        promote_by_hand(DATASET, 99, registry.root)


def test_a_champion_that_was_out_of_reach_for_a_moment_is_not_replaced_for_that(
    registry, second, gate, quick, monkeypatch
):
    number, champion = registry.register(registry.models.bad), registry.champion()
    tried, answering = [], run_gate.smoke_test

    def smoke_test(version, *arguments):
        tried.append(version.number)
        if tried == [number, champion]:
            raise RegistryError("The server is away.")
        return answering(version, *arguments)

    monkeypatch.setattr(run_gate, "smoke_test", smoke_test)

    decision = gate(number)

    assert tried == [number, champion, champion]
    assert registry.champion() == champion
    assert str(decision).startswith(f"Version {champion} stays champion: version {number} fails on")


def test_a_champion_that_is_gone_is_reported_and_replaced_if_the_policy_says_so(
    registry, second, gate, quick
):
    number, champion = registry.register(registry.models.bad), registry.champion()
    shutil.rmtree(registry.files(champion))

    kept = gate(number)

    assert "fails on readable champion (registry.unreadable_champion is keep)" in str(kept)
    assert registry.champion() == champion

    decision = gate(number, unreadable_champion="replace")

    assert "champion version 2 cannot be scored" in str(decision)
    assert registry.champion() == number
    assert len(list_versions(DATASET, registry.root)) == number
