"""A training that is paused and continues ends exactly as one that was never paused."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import autorec_core
from autorec_core.errors import DataError
from autorec_core.recipe import Training
from autorec_core.training import Budget, Checkpoint, Limits, Rows, train

USERS, ITEMS = 30, 20
RECIPE = Training(learning_rate=0.05, decay=0.3, batch_size=64)
BUDGET = Budget(epochs=9, patience=3)


def recommender(**recipe):
    """Tables with a penalty, dropout, batch normalisation and click rates of ids."""
    ids = autorec_core.Input(shape=[2])
    vectors = [
        autorec_core.LatentFactorMapper(
            feat_column_id=column, id_num=number, embedding_dim=4, l2=1e-4
        )(ids)
        for column, number in enumerate((USERS, ITEMS))
    ]
    rates = autorec_core.RateMapper(vocabulary_sizes=(USERS, ITEMS), prior=10.0)(ids)
    mlp = autorec_core.MLPInteraction(units=8, num_layers=2, use_batch_norm=True, dropout_rate=0.5)
    return autorec_core.CTRRecommender(
        inputs=ids,
        outputs=autorec_core.CTRPredictionOptimizer()(mlp([*vectors, rates])),
        training=dataclasses.replace(RECIPE, **recipe),
    )


def rows(number, seed):
    random = np.random.default_rng(seed)
    ids = np.stack([random.integers(0, n, number) for n in (USERS, ITEMS)], axis=1)
    clicks = random.random(number) < np.where((ids[:, 0] + ids[:, 1]) % 3, 0.2, 0.7)
    return Rows({"ids": ids.astype(np.int32)}, clicks.astype(np.float32))


TRAIN, VALID = rows(600, seed=1), rows(200, seed=2)


def trained(checkpoint=None, until=None, budget=BUDGET, known=TRAIN, **recipe):
    return train(
        recommender(**recipe),
        known,
        VALID,
        budget=budget,
        seed=5,
        limits=Limits(until=until),
        checkpoint=checkpoint,
    )


def over_bytes(checkpoint):
    return Checkpoint.from_bytes(checkpoint.to_bytes())


def figures(one):
    """All that a training ends with, but the seconds."""
    curve = [{name: v for name, v in row.items() if name != "seconds"} for row in one.curve]
    return one.score, one.best_step, one.metrics, one.schedule, one.stopped, curve


def assert_same(one, other):
    assert figures(one) == figures(other)
    for ours, theirs in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture(scope="module")
def whole():
    return trained()


def test_stopped_and_continued_is_as_good_as_never_stopped(whole):
    rates = {row["learning_rate"] for row in whole.curve}
    assert len(rates) > 1  # it has gone back to its best weights on the way
    paused = trained(until=1)
    for until in (2, len(whole.curve) - 1):
        assert (paused.stopped, len(paused.curve)) == ("paused", paused.checkpoint.steps)
        paused = trained(over_bytes(paused.checkpoint), until=until)
    assert_same(trained(over_bytes(paused.checkpoint)), whole)


@pytest.mark.parametrize("recipe", [{"optimizer": "adagrad"}, {"decay": 1.0}], ids=str)
def test_that_holds_for_other_optimizers_and_without_decay(recipe):
    budget = Budget(epochs=4, patience=4)
    first = trained(until=3, budget=budget, **recipe)
    assert_same(
        trained(over_bytes(first.checkpoint), budget=budget, **recipe),
        trained(budget=budget, **recipe),
    )


def test_that_holds_amid_an_epoch_of_rows_that_are_read_from_disk(monkeypatch):
    monkeypatch.setattr("autorec_core.training.batches.CHUNK_BYTES", 20 * 64 * 2)
    monkeypatch.setattr("autorec_core.training.batches.BLOCK_ROWS", 50)
    budget = Budget(epochs=3, patience=9, evaluations=3)
    full = trained(budget=budget)
    assert len(full.curve) == 9
    for until in (1, 3, 5):
        paused = trained(until=until, budget=budget)
        assert paused.curve[-1]["epoch"] == pytest.approx(until / 3)
        assert_same(trained(over_bytes(paused.checkpoint), budget=budget), full)


def test_another_process_goes_on_to_the_bit(tmp_path):
    """Both parts run in a process of one thread, as trials do."""
    program = f"""
import sys
from pathlib import Path

sys.path.insert(0, {str(Path(__file__).parent)!r})
from autorec_core.search.workers.processes import make_ready

make_ready()
from test_checkpoint import Checkpoint, trained

path = Path(sys.argv[2])
if sys.argv[1] == "pause":
    path.write_bytes(trained(until=2).checkpoint.to_bytes())
    print(repr(trained().score))
else:
    print(repr(trained(Checkpoint.from_bytes(path.read_bytes())).score))
"""
    said = [
        subprocess.run(
            [sys.executable, "-c", program, what, str(tmp_path / "checkpoint.npz")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for what in ("pause", "go on")
    ]
    assert said[0] == said[1]
    assert float(said[0]) < 0.7


def test_a_hopeless_training_is_pruned_where_its_limit_says(whole):
    scores = [row["ce"] for row in whole.curve]
    best = min(scores[:2])
    limits = Limits(worst={1: 99.0, 2: best - 1e-6})
    stopped = train(recommender(), TRAIN, VALID, budget=BUDGET, seed=5, limits=limits)
    assert (stopped.stopped, len(stopped.curve), stopped.checkpoint) == ("pruned", 2, None)
    kept = dataclasses.replace(limits, worst={2: best})
    assert train(recommender(), TRAIN, VALID, budget=BUDGET, seed=5, limits=kept).score == (
        whole.score
    )


def test_a_checkpoint_that_is_damaged_or_of_another_training_is_refused():
    paused = trained(until=1).checkpoint
    content = paused.to_bytes()
    for damaged in (content[:-40], b"", b"PK\x03\x04", content.replace(b"belongs", b"belings")):
        with pytest.raises(DataError, match="checkpoint is damaged"):
            Checkpoint.from_bytes(damaged)
    with pytest.raises(DataError, match="belongs to another training"):
        trained(paused, learning_rate=0.01)
    with pytest.raises(DataError, match="variables of another model"):
        trained(dataclasses.replace(paused, state=paused.state[1:]))


def test_best_weights_are_stored_once_where_they_are_the_current_ones():
    checkpoint = trained(until=1).checkpoint
    weights = sum(array.nbytes for array in checkpoint.best.weights)
    state = sum(array.nbytes for array in checkpoint.state)
    assert weights > 1000
    assert len(checkpoint.to_bytes()) < state + weights + 20_000
