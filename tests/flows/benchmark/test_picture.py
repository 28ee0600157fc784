"""The picture of a benchmark is drawn for any results."""

from __future__ import annotations

import warnings

from flows.benchmark.picture import draw


def test_a_single_row_has_room_for_its_panel_and_legend(tmp_path):
    line = {"dataset": "mine", "title": "Mine", "whole": True, "rows": [80, 10, 10], "seed": 1}
    line |= {"task": "rating", "model": "mf", "space": "extended", "tuner": "random", "trials": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw([[{**line, "test": {"mse": 0.5}}]], tmp_path / "one.svg")

    picture = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert picture.rstrip().endswith("</svg>")
    assert "MF, 1 trial<" in picture
