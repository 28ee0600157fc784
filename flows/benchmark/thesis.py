"""Test losses that the thesis reports on the full data sets, and its settings."""

from __future__ import annotations

TUNERS = ("random", "greedy", "bayesian")
EPOCHS, PATIENCE, TRIALS = 10, 1, 10
BATCH_SIZES = {"netflix": 512_000}
"""Batch sizes of full data sets for which it is not 1,024."""

MODELS = {
    "rating": ("mf", "mlp", "neumf", "autorec_rp"),
    "ctr": ("deepfm", "dlrm", "dcn", "autoint", "autorec_ctr"),
}
"""The models of tables 5.3 (ratings) and 5.4 (clicks), by task."""

FIGURES: dict[str, dict[str, tuple[float, float, float]]] = {
    "netflix": {
        "mf": (0.749, 0.740, 0.729),
        "mlp": (0.755, 0.765, 0.755),
        "neumf": (0.706, 0.644, 0.707),
        "autorec_rp": (0.637, 0.740, 0.645),
    },
    "movielens-1m": {
        "mf": (0.755, 0.750, 0.752),
        "mlp": (0.768, 0.771, 0.760),
        "neumf": (0.772, 0.752, 0.772),
        "autorec_rp": (0.750, 0.751, 0.749),
    },
    "avazu": {
        "deepfm": (0.406, 0.401, 0.403),
        "dlrm": (0.401, 0.402, 0.404),
        "dcn": (0.399, 0.400, 0.403),
        "autoint": (0.403, 0.405, 0.409),
        "autorec_ctr": (0.400, 0.405, 0.409),
    },
    "criteo": {
        "deepfm": (0.481, 0.480, 0.472),
        "dlrm": (0.476, 0.474, 0.478),
        "dcn": (0.471, 0.479, 0.476),
        "autoint": (0.476, 0.472, 0.474),
        "autorec_ctr": (0.475, 0.476, 0.471),
    },
}
"""Test MSE or cross entropy by data set and model, in the order of `TUNERS`."""
