"""Synthetic files are read like real ones, and their noise floor is correct."""

from __future__ import annotations

import numpy as np
import pytest
from project import PARAMS_FILE

from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.raw import read_chunks, read_raw
from autorec_core.data.synthetic.generator import NOISE, generate, rating_variance
from autorec_core.errors import ConfigError
from flows.config import Params

PARAMS = Params.load(PARAMS_FILE)
ENTRIES = {
    "movielens": "movielens-1m",
    "netflix": "netflix",
    "avazu": "avazu",
    "criteo": "criteo",
}
ROWS = 3000


def rows(form, path):
    return read_raw(PARAMS.dataset(ENTRIES[form]), path, check_labels=True)


@pytest.mark.parametrize("form", ENTRIES)
@pytest.mark.parametrize("name", ["rows", "rows.gz"])
def test_the_benchmark_s_entry_reads_them(tmp_path, form, name):
    generate(form, ROWS, tmp_path / name, seed=1)
    found = rows(form, tmp_path / name)

    assert len(found) == ROWS
    assert found.nunique().min() > 1


@pytest.mark.parametrize("form", ["movielens", "netflix"])
def test_no_pair_of_user_and_item_comes_twice(tmp_path, form):
    generate(form, 20_000, tmp_path / "rows", seed=1)

    assert not rows(form, tmp_path / "rows").duplicated(["user_id", "item_id"]).any()


def test_criteo_has_gaps_and_negative_numbers(tmp_path):
    generate("criteo", ROWS, tmp_path / "rows", seed=1)
    found = rows("criteo", tmp_path / "rows")

    assert found["I13"].isna().mean() == pytest.approx(0.45, abs=0.05)
    assert found["I2"].min() == -3
    assert 0.15 < found["label"].mean() < 0.4


def test_the_seed_decides_every_byte(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate("criteo", ROWS, tmp_path / name, seed=seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")

    assert first == again
    assert first != other


def test_the_noise_floor_is_below_what_the_mean_loses_and_above_nothing(tmp_path):
    made = generate("movielens", 20_000, tmp_path / "rows", seed=1)
    labels = rows("movielens", tmp_path / "rows")["rating"]

    assert 0.4 < made.noise_floor < 0.8 * labels.var()


def test_a_rating_s_variance_given_its_score_is_that_of_draws():
    scores = np.array([1.0, 2.2, 3.0, 4.7])
    drawn = np.random.default_rng(0).normal(scores, NOISE, (200_000, 4))

    found = rating_variance(scores)

    assert found == pytest.approx(np.clip(np.rint(drawn), 1, 5).var(axis=0), abs=0.01)


@pytest.mark.parametrize("form", ENTRIES)
def test_dirt_is_found_and_nothing_else(tmp_path, form):
    made = generate(form, ROWS, tmp_path / "rows", seed=1, dirt=0.01)
    bad = BadRows(limit=1000)
    chunks = read_chunks(PARAMS.dataset(ENTRIES[form]), tmp_path / "rows", bad=bad)
    good = sum(chunk.table.num_rows for chunk in chunks)

    assert 10 < made.soiled < 60
    assert len(bad.rows) == made.soiled
    assert good == ROWS - made.soiled


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Known formats: movielens, netflix, avazu, criteo"):
        generate("yoochoose", 10, tmp_path / "rows", seed=1)
