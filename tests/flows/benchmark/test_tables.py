"""The benchmark's tables show the results, and never compare a sample with full data."""

from __future__ import annotations

import pytest

from flows.benchmark.tables import data_table, mean_sd, runs_said, sections, summary_table
from flows.benchmark.truth_table import (
    alone_table,
    chance,
    interactors,
    told_apart_table,
    truth_table,
    winners_table,
)


def line(**changes):
    return {
        "dataset": "movielens-1m",
        "data": "abc-all",
        "title": "MovieLens 1M",
        "task": "rating",
        "whole": True,
        "rows": [800, 100, 100],
        "model": "autorec_rp",
        "space": "thesis",
        "tuner": "random",
        "seed": 1,
        "trials": 10,
        "test": {"mse": 0.75},
        **changes,
    }


def test_a_mean_is_shown_with_the_standard_deviation_over_seeds():
    found = [line(seed=seed, test={"mse": loss}) for seed, loss in ((1, 0.7), (2, 0.8), (3, 0.9))]

    assert mean_sd(found, seeds=3) == ".8000 ± .1000"
    assert mean_sd(found[:1], seeds=1) == ".7000"
    assert mean_sd([], seeds=3) == "–"


def test_a_mean_of_fewer_seeds_says_so():
    assert mean_sd([line()], seeds=3) == ".7500 (1 of 3 seeds)"


def test_full_data_are_compared_with_the_thesis_only_in_its_space():
    text = data_table([line(), line(space="extended", test={"mse": 0.7})])

    thesis, extended = (row for row in text.splitlines() if row.startswith("| AutoRec-RP"))
    assert "the thesis (full data" in text
    assert "all 1,000 rows" in text
    assert extended.endswith("| .7500 | – | – | .750 / .751 / .749 |")
    assert thesis.endswith("| .7000 | – | – | – |")


def test_full_data_of_the_extended_space_alone_have_no_column_for_the_thesis():
    assert "the thesis (" not in data_table([line(space="extended")])


def test_a_sample_is_never_compared_with_the_thesis():
    text = data_table([line(whole=False)])

    assert "a sample of 1,000 rows" in text
    assert "the thesis (" not in text
    assert ".751" not in text


def test_a_sample_and_full_data_of_one_data_set_have_tables_of_their_own():
    parts = sections([line(whole=False, data="abc-1000"), line()])

    assert [[one["whole"] for one in part] for part in parts] == [[True], [False]]


def test_the_summary_takes_the_strongest_baseline_and_random_search():
    outside = [
        line(model=name, space="outside", tuner=None, trials=None, test={"mse": loss})
        for name, loss in (("mean", 1.2), ("svd", 0.8), ("bias", 0.9))
    ]
    text = summary_table([*outside, line(), line(tuner="greedy", test={"mse": 0.1})])

    assert text.splitlines()[-1] == (
        "| MovieLens 1M, all 1,000 rows | MSE | .8000, SVD (Surprise) | .7500 | – | – | 10, – |"
    )


def test_a_difference_is_taken_seed_by_seed():
    svd = {"model": "svd", "space": "outside", "tuner": None, "trials": None}
    found = [
        line(seed=seed, **what, test={"mse": loss})
        for seed, ours, theirs in ((1, 0.6, 0.7), (2, 0.7, 0.9))
        for what, loss in ((svd, theirs), ({"space": "extended"}, ours))
    ]

    # .6 − .7 = −.1 and .7 − .9 = −.2: mean −.15, standard deviation .0707
    assert "| −.1500 ± .0707 |" in summary_table(found)


def test_the_chance_of_an_interactor_is_worked_out_over_one_to_three_branches():
    # 1 of 2 kinds: 1/2 with one branch, 3/4 with two, 7/8 with three
    assert chance(["a"], ["a", "b"]) == pytest.approx((1 / 2 + 3 / 4 + 7 / 8) / 3)


def test_the_truth_table_counts_winners_with_the_planted_interactor():
    winner = {"h/interactor_type_0": "FMInteraction", "h/fm_interaction_0/embedding_dim": 4}
    found = [
        {
            "structure": "fm",
            "tuner": "random",
            "trials": 6,
            "seed": seed,
            "ratio": ratio,
            "others": {"biases": 4.0, "mean": 5.0},
            "interactors": kinds,
            "choices": ["FMInteraction", "MLPInteraction"],
        }
        for seed, ratio, kinds in ((1, 1.1, interactors(winner)), (2, 1.3, ["MLPInteraction"]))
    ]
    row = truth_table(found).splitlines()[-1]

    assert "| 1.200 ± 0.141 |" in row
    assert "| 1 of 2 | 1 of 2 |" in row


def single(structure: str, seed: int, interactor: str, valid: float, test: float = 1.0) -> dict:
    names = {"structure": structure, "seed": seed, "interactor": interactor, "trials": 2}
    return {**names, "valid_ratio": valid, "ratio": test}


def test_structures_are_distinguished_if_the_best_interactor_is_kin():
    found = [
        single("fm", 1, "FMInteraction", 1.2),
        single("fm", 1, "BilinearInteraction", 1.1),
        single("fm", 1, "MLPInteraction", 1.5),
        single("fm", 2, "FMInteraction", 1.4),
        single("fm", 2, "BilinearInteraction", 1.5),
        single("fm", 2, "MLPInteraction", 1.3),
    ]
    row = told_apart_table(found).splitlines()[-1]

    # FM is second twice; its kin's best are 1.1 and 1.4, the others' 1.5 and 1.3; 2 of 3 are kin
    assert row == (
        "| pairs (FM-like) | 2 | 2, 2 of 3 | 1.250 ± 0.212 | 1.400 ± 0.141 | 1 of 2 | 0.67 |"
    )


def test_kin_is_bold_in_the_table_of_single_interactors():
    found = [
        single("fm", 1, "FMInteraction", 1.0, 1.1),
        single("fm", 2, "FMInteraction", 1.0, 1.3),
        single("mlp", 1, "FMInteraction", 1.0, 2.0),
    ]

    assert alone_table(found).splitlines()[-1] == "| FM | **1.200 ± 0.141** | 2.000 |"


def test_the_winners_table_has_the_best_trials_with_and_without_kin():
    found = {
        "structure": "mlp",
        "tuner": "random",
        "seed": 3,
        "ratio": 1.3,
        "valid_floor": 0.25,
        "interactors": ["MLPInteraction", "FMInteraction"],
        "tried": [
            {"score": 0.5, "interactors": ["FMInteraction"]},
            {"score": None, "interactors": ["FMInteraction"]},
            {"score": 0.3, "interactors": ["MLPInteraction", "FMInteraction"]},
            {"score": 0.4, "interactors": ["TwoStreamInteraction"]},
        ],
    }

    assert winners_table([found]).splitlines()[-1] == (
        "| perceptron | random | 3 | 1.300 | MLP, FM | 2 of 4 | 1.200 | 2.000 |"
    )


def test_a_stopped_run_is_listed_with_command_and_time():
    about = {
        "machine": {
            "system": "Linux",
            "architecture": "x86_64",
            "processor": "a processor",
            "processors": 2,
            "memory_gib": 8,
            "python": "3.12.1",
            "niceness": 0,
            "load": [0.5, 0.4, 0.3],
        },
        "versions": {"keras": "3.15.1", "lightgbm": None},
    }
    runs = [
        {"run": "1", "command": "autorec benchmark --seed 1", "code": "a", **about},
        {"run": "2", "command": "autorec benchmark", "code": "a", **about},
        {"run": "2", "wall_seconds": 90.0, "finished": 4},
    ]
    cells = [line(run="1", seconds=30.0), line(run="1", seconds=60.0)]
    text = runs_said(runs, cells)

    assert "`autorec benchmark --seed 1`: stopped by hand after 2 cells (1.5 minutes)" in text
    assert "`autorec benchmark`: 1.5 minutes for 4 cells; niceness 0, load before it 0.5." in text
    assert text.endswith("- Versions: keras 3.15.1.")
    runs[1]["code"] = "b"
    assert "- Code: 2 versions of it" in runs_said(runs, cells)
