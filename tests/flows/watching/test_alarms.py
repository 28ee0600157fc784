"""Injected drift is found within a thousand rows, and clean rows cause hardly any alarm."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from autorec_core.data.preparing.tally import column_counts
from flows.watching.alarms import alarms_of, label_alarms
from flows.watching.histograms import count_in, score_histogram
from flows.watching.profile import Profile
from flows.watching.reference import Binned, Reference

ROWS, BATCH, MAX_PSI = 100_000, 1000, 0.05
USERS, ITEMS = 943, 1682
USUAL = {"user": 0.0, "item": 0.02}


def activity(count: int, random: np.random.Generator) -> np.ndarray:
    """The share of each id, about as uneven as in MovieLens."""
    weights = random.lognormal(0, 1.1, count)
    return weights / weights.sum()


class World:
    """Where training rows and live rows come from."""

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.user, self.item = activity(USERS, random), activity(ITEMS, random)
        self.buckets = {
            name: np.array([self.bucket(f"{name}{place}") for place in range(count)])
            for name, count in (("user", USERS), ("item", ITEMS), ("new", 5000))
        }
        scores = random.normal(3.5, 0.6, 10_000)
        found = score_histogram(scores)
        self.age_edges = np.quantile(random.gamma(9, 4, 1000), np.linspace(0.1, 0.9, 9)).tolist()
        batch = self.draw(ROWS, random)
        self.reference = Reference(
            1,
            {
                name: Binned(counts, self.age_edges if name == "age" else None)
                for name, counts in batch.columns.items()
            },
            Binned([6_110, 11_370, 27_145, 34_174, 21_201, 0], [1.0, 2.0, 3.0, 4.0]),
            Binned([*found["counts"], 0], found["edges"]),
            {},
            "mse",
            0.8,
        )
        self.edges = found["edges"]

    @staticmethod
    def bucket(text: str) -> int:
        return int(column_counts(pa.array([text]), None).argmax())

    def draw(self, rows: int, random: np.random.Generator, **drift) -> Profile:
        """A window of rows: the profile that the recorder would have made of them."""
        user = random.choice(USERS, rows, p=drift.get("user", self.user))
        item = random.choice(ITEMS, rows, p=drift.get("item", self.item))
        unknown = random.random(rows) < drift.get("unknown", USUAL["item"])
        items = self.buckets["item"][item]
        items[unknown] = self.buckets["new"][random.integers(0, 5000, unknown.sum())]
        ages = random.gamma(9, 4 * drift.get("age", 1.0), rows)
        scores = random.normal(3.5 + drift.get("score", 0.0), 0.6, rows)
        edges = getattr(self, "edges", [0.0])
        return Profile(
            rows=rows,
            requests=rows,
            columns={
                "user": [*np.bincount(self.buckets["user"][user], minlength=64).tolist(), 0],
                "item": [*np.bincount(items, minlength=64).tolist(), 0],
                "age": [*count_in(self.age_edges, ages).tolist(), 0],
            },
            unknown={"user": [0, rows], "item": [int(unknown.sum()), rows]},
            scores=count_in(edges, scores).tolist(),
        )


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def found(world: World, profile: Profile) -> set[str]:
    alarms = alarms_of(profile, world.reference, USUAL, MAX_PSI)
    return {alarm.name or alarm.check for alarm in alarms}


def test_clean_windows_cause_hardly_any_alarm(world):
    random = np.random.default_rng(5)

    alarmed = sum(bool(found(world, world.draw(BATCH, random))) for _ in range(1000))

    assert alarmed <= 10  # 1 %; the level of the tests is .1 %


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("where", "drift"),
    [
        ("user", lambda world, random: {"user": random.permutation(world.user)}),
        ("item", lambda world, random: {"item": random.permutation(world.item)}),
        ("item", lambda world, random: {"unknown": 5 * USUAL["item"]}),
        ("age", lambda world, random: {"age": 1.25}),
        ("scores", lambda world, random: {"score": 0.3}),
    ],
    ids=["users reshuffled", "items reshuffled", "unknown ids times five", "older", "scores"],
)
def test_injected_drift_is_found_in_one_window(world, where, drift, seed):
    random = np.random.default_rng(seed)

    assert where in found(world, world.draw(BATCH, random, **drift(world, random)))


@pytest.mark.parametrize("seed", range(5))
def test_shifted_labels_are_found_and_clean_ones_are_not(world, seed):
    random = np.random.default_rng(seed)
    assert world.reference.label is not None
    shares = np.array(world.reference.label.counts[:-1]) / ROWS
    shifted = np.roll(shares, 1)

    clean = random.multinomial(BATCH, shares).tolist()
    moved = random.multinomial(BATCH, shifted / shifted.sum()).tolist()

    assert label_alarms([*clean, 0], world.reference, MAX_PSI) == []
    [alarm] = label_alarms([*moved, 0], world.reference, MAX_PSI)
    assert str(alarm).startswith("labels have drifted: PSI 0.")


def test_a_few_rows_are_no_reason_for_an_alarm(world):
    random = np.random.default_rng(1)
    strange = world.draw(199, random, item=random.permutation(world.item), unknown=0.9)

    assert found(world, strange) == set()
