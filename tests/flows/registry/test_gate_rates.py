"""How often the gate errs, on simulated test rows with fixed seeds.

The bounds in the tests are what is promised; the rates that are met lie below them.
"""

from __future__ import annotations

import numpy as np
import pytest

from autorec_core.evaluation.figures import row_losses
from flows.config import RegistryParams
from flows.registry.gate import compare
from flows.registry.guards import JudgedRows, Latency, ModelScores, enough_rows, guards

POLICY = RegistryParams.model_validate(
    {
        "mode": "auto",
        "min_improvement": 0.0,
        "unreadable_champion": "keep",
        "min_test_rows": 100,
        "min_test_users": 10,
        "min_segment_rows": 20,
        "tolerances": {"calibration": 0.05, "segment_loss": 0.05, "latency": 1.0, "size": 4.0},
    }
)


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    """Hundreds of decisions are made here; each can do with fewer draws."""
    monkeypatch.setattr("autorec_core.evaluation.intervals.RESAMPLES", 400)


def stars(random, count, errors, *, scale=1.0, users=None):
    """Rows of ratings, and two models whose errors have these standard deviations."""
    truth = random.normal(3, 0.7, count)
    labels = np.clip(np.round(truth + random.normal(0, 0.9, count)), 1, 5)
    noise = random.normal(0, 1, (2, count))
    if users is not None:
        noise = 0.6 * noise + 0.8 * random.normal(0, 1, (2, users.max() + 1))[:, users]
    scores = [(truth + error * part) * scale for error, part in zip(errors, noise, strict=True)]
    return judged("rating", labels * scale, scores, random, users)


def clicks(random, count, rate, errors):
    """Rows of clicks, and two models whose errors on the logit have these standard deviations."""
    logit = np.log(rate / (1 - rate)) + random.normal(0, 0.5, count)
    labels = (random.random(count) < 1 / (1 + np.exp(-logit))).astype(float)
    noise = random.normal(0, 1, (2, count))
    scores = [
        1 / (1 + np.exp(-logit - error * part)) for error, part in zip(errors, noise, strict=True)
    ]
    return judged("ctr", labels, scores, random, None)


def judged(task, labels, scores, random, users):
    """The rows, in seven segments, and what champion and challenger showed on them."""
    count = len(labels)
    third, quarter = random.integers(0, 3, count), random.integers(0, 4, count)
    segments = {f"user {at}": third == at for at in range(3)}
    segments |= {f"item {at}": quarter == at for at in range(4)}
    constant = row_losses(task, labels, np.full(count, labels.mean()))
    rows = JudgedRows(task, labels, segments, users, constant)
    champion, challenger = (
        ModelScores(number, one, row_losses(task, labels, one), 1)
        for number, one in enumerate(scores, 1)
    )
    return rows, champion, challenger


def wins(case):
    """Whether a challenger wins on the loss, which it must to be promoted."""
    rows, champion, challenger = case
    won = compare(champion.losses, challenger.losses, 0, rows.users).wins(0.0)
    return won and enough_rows(rows, POLICY).passed


def refused(case):
    """Whether a guard stops the challenger."""
    rows, champion, challenger = case
    latency = Latency(5.0, 1.0, 15)
    found = guards(champion, challenger, rows, latency, POLICY, seed=0)
    return any(not check.passed for check in found)


def rate(trials, one):
    random = np.random.default_rng(13)
    return np.mean([one(random) for _ in range(trials)])


USERS = {"no users": None, "15 users": np.arange(300) % 15, "100 users": np.arange(300) % 100}


@pytest.mark.parametrize("users", USERS)
def test_an_equal_challenger_is_promoted_in_at_most_5_of_100_cases(users):
    by = USERS[users]
    assert rate(200, lambda random: wins(stars(random, 300, (0.4, 0.4), users=by))) <= 0.05


@pytest.mark.parametrize("count", [1, 2, 5, 99, 100])
def test_equal_models_seldom_win_with_any_number_of_rows(count):
    assert rate(200, lambda random: wins(stars(random, count, (0.4, 0.4)))) <= 0.05


@pytest.mark.parametrize(("count", "share"), [(200, 0.2), (500, 0.02), (1000, 0.002)])
def test_equal_models_seldom_win_on_clicks(count, share):
    assert rate(300, lambda random: wins(clicks(random, count, share, (0.5, 0.5)))) <= 0.05


def skewed(random, count):
    """Losses of which one in twenty is about ten times as large as the others."""
    return random.exponential(1, count) * np.where(random.random(count) < 0.05, 10, 1)


DIFFERENCES = {
    "normal": lambda random, count: random.normal(0, 1, count),
    "one skewed": lambda random, count: skewed(random, count) - 1.45,
    "both skewed": lambda random, count: skewed(random, count) - skewed(random, count),
    "two values": lambda random, count: (
        np.where(random.random(count) < 0.05, 10.0, 1.0) - 1.45 + random.normal(0, 0.3, count)
    ),
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_equal_models_are_seldom_told_apart_even_if_few_rows_have_most_of_the_loss(kind):
    def told_apart(random):
        found = compare(np.zeros(100), DIFFERENCES[kind](random, 100), 0)
        return found.high < 0 or found.low > 0

    assert rate(300, told_apart) <= 0.06


def test_one_user_with_most_of_the_rows_does_not_decide_alone():
    users = np.repeat(np.arange(40), np.ceil(300 / np.arange(1, 41)).astype(int))

    def won(random):
        difference = random.normal(0, 1, 40)[users] + random.normal(0, 1, len(users))
        return compare(np.zeros(len(users)), difference, 0, users).wins(0.0)

    assert rate(200, won) <= 0.05


def test_a_useless_model_seldom_beats_the_constant_predictor():
    def won(random):
        labels, scores = random.normal(3, 1, 200), random.normal(3, 0.02, 200)
        return compare(np.square(labels - 3), np.square(labels - scores), 0).wins(0.0)

    assert rate(200, won) <= 0.05


@pytest.mark.parametrize("scale", [0.01, 25.0])
def test_a_better_challenger_is_refused_by_a_guard_in_at_most_2_of_100_cases(scale):
    assert rate(100, lambda random: refused(stars(random, 200, (0.7, 0.4), scale=scale))) <= 0.02


def test_a_better_challenger_is_seldom_refused_on_clicks():
    assert rate(100, lambda random: refused(clicks(random, 200, 0.2, (1.2, 0.3)))) <= 0.02


def test_an_equal_challenger_is_refused_by_a_guard_hardly_more_often():
    assert rate(100, lambda random: refused(stars(random, 200, (0.4, 0.4)))) <= 0.03


def test_a_much_better_challenger_wins_nearly_always():
    assert rate(50, lambda random: wins(stars(random, 300, (0.9, 0.2)))) >= 0.95
