import math

import numpy as np
import pytest

from autorec_core.errors import ConfigError
from autorec_core.metrics import (
    METRICS,
    calibration_curve,
    objective_metric,
    task_metrics,
)

LABELS = np.array([1.0, 0.0, 1.0, 0.0])
CLICKS = np.array([0.8, 0.2, 0.4, 0.4])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mse", (1 + 0 + 4) / 3), ("rmse", math.sqrt(5 / 3)), ("mae", (1 + 0 + 2) / 3)],
)
def test_rating_metrics_of_three_rows(name, expected):
    assert METRICS[name](np.array([3, 4, 5]), np.array([2, 4, 3])) == pytest.approx(expected)


def test_cross_entropy_is_the_full_binary_one():
    expected = -(math.log(0.8) + math.log(0.8) + math.log(0.4) + math.log(0.6)) / 4
    assert METRICS["ce"](LABELS, CLICKS) == pytest.approx(expected)


def test_cross_entropy_of_a_certain_mistake_is_finite():
    assert METRICS["ce"](np.array([1.0]), np.array([0.0])) == pytest.approx(-math.log(1e-7))


def test_auc_counts_ties_half():
    # Of the four pairs (click, no click): .8 wins twice, .4 wins once and ties once.
    assert METRICS["auc"](LABELS, CLICKS) == pytest.approx(3.5 / 4)


def test_auc_of_one_class_is_not_a_number():
    assert math.isnan(METRICS["auc"](np.ones(3), np.array([0.1, 0.2, 0.3])))


def test_calibration_is_the_mean_gap_of_prediction_and_outcome():
    labels = np.array([0.0, 1.0] * 10)
    assert METRICS["calibration"](labels, np.full(20, 0.5)) == pytest.approx(0.0)
    assert METRICS["calibration"](np.ones(20), np.full(20, 0.75)) == pytest.approx(0.25)


def test_calibration_curve_has_bins_of_equal_size_where_no_predictions_tie():
    predicted, observed, counts = calibration_curve(LABELS, np.array([0.8, 0.2, 0.5, 0.4]), bins=2)
    assert predicted == pytest.approx([0.3, 0.65])
    assert observed == pytest.approx([0.0, 1.0])
    assert counts.tolist() == [2, 2]


def test_equal_predictions_share_a_bin_of_the_calibration_curve():
    # Ranks 2 and 3 of 4 tie; their middle lies at the bins' border and so in the second bin.
    predicted, observed, counts = calibration_curve(LABELS, CLICKS, bins=2)
    assert predicted == pytest.approx([0.2, (0.4 + 0.4 + 0.8) / 3])
    assert observed == pytest.approx([0.0, 2 / 3])
    assert counts.tolist() == [1, 3]


@pytest.mark.parametrize("values", [1, 2, 7, 1000])
def test_calibration_does_not_depend_on_the_order_of_rows(values):
    random = np.random.default_rng(values)
    predictions = random.integers(1, values + 1, 5000) / (values + 1)
    labels = (random.random(5000) < predictions).astype(float)
    found = METRICS["calibration"](labels, predictions)

    for order in (np.argsort(labels), np.argsort(-labels), random.permutation(5000)):
        again = METRICS["calibration"](labels[order], predictions[order])
        assert again == pytest.approx(found, abs=1e-12)
    assert found < 0.03


def test_a_calibrated_constant_has_no_calibration_error_in_any_order():
    labels = np.repeat([0.0, 1.0], [600, 400])
    assert METRICS["calibration"](labels, np.full(1000, 0.4)) == pytest.approx(0.0, abs=1e-12)


def test_a_metric_knows_which_way_is_better():
    mse, auc = METRICS["mse"], METRICS["auc"]
    assert mse.better(0.8, than=0.9)
    assert not mse.better(0.9, than=0.8)
    assert auc.better(0.9, than=0.8)
    assert not auc.better(0.8, than=0.9)
    for metric in (mse, auc):
        assert metric.better(0.5, than=metric.worst)
        assert not metric.better(float("nan"), than=metric.worst)


def test_an_objective_names_a_metric_of_its_task():
    assert objective_metric("val_auc", "ctr") is METRICS["auc"]
    with pytest.raises(ConfigError, match=r"'val_mse'.*val_auc, val_calibration, val_ce"):
        objective_metric("val_mse", "ctr")
    with pytest.raises(ConfigError, match="Unknown objective 'accuracy'"):
        objective_metric("accuracy")


def test_a_task_has_all_its_metrics():
    assert set(task_metrics("rating", LABELS, CLICKS)) == {"mse", "rmse", "mae"}
    assert set(task_metrics("ctr", LABELS, CLICKS)) == {"ce", "auc", "calibration"}


def test_model_outputs_of_any_shape_are_accepted():
    assert METRICS["mse"](LABELS, CLICKS[:, None]) == METRICS["mse"](LABELS, CLICKS)


def test_a_gain_is_clear_when_it_exceeds_its_standard_error():
    labels, zeros = np.array([1.0, -1.0, 1.0, -1.0]), np.zeros(4)
    mse = METRICS["mse"]
    assert mse.clearly_better(labels, labels / 2, zeros)
    # Gains of .5, .5, .5 and -1.3: a mean of .05, a standard error of .39.
    mixed = np.array([0.29, -0.29, 0.29, 0.52])
    assert mse(labels, mixed) < mse(labels, zeros)
    assert not mse.clearly_better(labels, mixed, zeros)
    assert not mse.clearly_better(labels, zeros, zeros)


def test_for_a_metric_that_is_not_a_mean_over_rows_any_gain_is_enough():
    labels = np.array([0.0, 1.0, 0.0, 1.0])
    assert METRICS["auc"].clearly_better(labels, np.array([0.1, 0.1, 0.2, 0.3]), np.full(4, 0.5))
    assert not METRICS["auc"].clearly_better(labels, np.full(4, 0.2), np.full(4, 0.5))
