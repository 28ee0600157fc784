"""Planted data show which interactor fits, and an interrupted benchmark continues."""

from __future__ import annotations

import keras_tuner
import numpy as np
import pytest

from autorec_core.data.synthetic.planted import STRUCTURES, plant
from autorec_core.training import Budget, Rows, predict, train
from flows.benchmark import known_truth
from flows.benchmark.result_lines import ALONE, TRUTH, TRUTH_RUNS, read_lines
from flows.config import Params

ROWS = 10_000
SETTINGS = {
    "CrossNetInteraction": {"cross_net_interaction_0/num_layers": 2},
    "MLPInteraction": {
        "mlp_interaction_0/num_layers": 2,
        "mlp_interaction_0/units": 128,
        "mlp_interaction_0/dropout_rate": 0.0,
    },
    "FMInteraction": {},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("structure", "own", "other"),
    [
        ("fm", "FMInteraction", "CrossNetInteraction"),
        ("cross", "CrossNetInteraction", "FMInteraction"),
        ("mlp", "MLPInteraction", "FMInteraction"),
    ],
)
def test_a_structure_s_own_interactor_comes_near_the_floor_and_another_does_not(
    structure, own, other
):
    made = plant(structure, ROWS, seed=11)
    known, test = made.part(0, 9_000), made.part(9_000, ROWS)
    floor = np.mean(np.square(made.truth[9_000:] - test.label))

    def ratio(interactor: str) -> float:
        hp = keras_tuner.HyperParameters()
        for name, value in SETTINGS[interactor].items():
            hp.Fixed(f"hyper_interaction_1/{name}", value)
        model = train(
            known_truth.alone(made.schema, interactor).resolve(hp),
            Rows(known.inputs(), known.label),
            Rows(test.inputs(), test.label),
            budget=Budget(epochs=40, patience=2),
            seed=0,
        ).model
        predicted = np.asarray(predict(model, test.inputs()))
        return float(np.mean(np.square(predicted - test.label)) / floor)

    assert ratio(own) < 1.25 < ratio(other)


@pytest.mark.slow
def test_a_finished_run_is_not_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(known_truth, "STRUCTURES", {"fm": STRUCTURES["fm"]})
    monkeypatch.setattr(known_truth, "offered", lambda schema: ["FMInteraction"])
    wanted = {
        "rows": 300,
        "tuners": ["random"],
        "seeds": [1],
        "trials": 1,
        "alone": 1,
        "epochs": 1,
        "workers": 1,
        "command": "autorec benchmark --known-truth",
    }
    for _ in range(2):
        known_truth.run_known_truth(Params.load(), tmp_path, **wanted)

    searched, single = (read_lines(tmp_path / name) for name in (TRUTH, ALONE))
    assert [(line["structure"], line["tuner"]) for line in searched] == [("fm", "random")]
    assert [(line["structure"], line["interactor"]) for line in single] == [("fm", "FMInteraction")]
    assert searched[0]["ratio"] > 1 < single[0]["ratio"]
    assert len(read_lines(tmp_path / TRUTH_RUNS)) == 2  # a begin and an end
