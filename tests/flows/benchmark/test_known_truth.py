"""The planted data tell interactors apart, and a run of the benchmark can be gone on with."""

from __future__ import annotations

import json

import keras_tuner
import numpy as np
import pytest

from autorec_core.config import Params
from autorec_core.data.planted import plant
from autorec_core.training import Budget, Rows, predict, train
from flows.benchmark.known_truth import alone, run_known_truth
from flows.benchmark.lines import ALONE, TRUTH, TRUTH_RUNS, read_lines

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
            alone(made.schema, interactor).resolve(hp),
            Rows(known.inputs(), known.label),
            Rows(test.inputs(), test.label),
            budget=Budget(epochs=40, patience=2),
            seed=0,
        ).model
        predicted = np.asarray(predict(model, test.inputs()))
        return float(np.mean(np.square(predicted - test.label)) / floor)

    assert ratio(own) < 1.25 < ratio(other)


def test_a_finished_run_is_not_run_again(tmp_path):
    wanted = {
        "rows": 300,
        "tuners": ["random"],
        "seeds": [1],
        "trials": 1,
        "alone": 0,
        "epochs": 1,
        "workers": 1,
        "command": "autorec benchmark --known-truth",
    }
    params = Params.load()
    run_known_truth(params, tmp_path, **wanted)
    lines = read_lines(tmp_path / TRUTH)
    run_known_truth(params, tmp_path, **wanted)

    assert [line["structure"] for line in lines] == ["fm", "cross", "mlp"]
    assert all(line["ratio"] > 1 for line in lines)
    assert read_lines(tmp_path / TRUTH) == lines
    assert read_lines(tmp_path / ALONE) == []
    assert len(read_lines(tmp_path / TRUTH_RUNS)) == 2
    assert json.dumps(lines)
