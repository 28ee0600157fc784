"""Each example runs by itself, in an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from pages import ROOT

pytestmark = pytest.mark.slow

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ALONE = {"clicks.py", "rating.py"}
"""They start worker processes, so each is a program of its own; the others share one."""
TOGETHER = """
import contextlib, io, json, os, runpy, sys, traceback

said = {}
for path in sys.argv[1:]:
    os.mkdir(os.path.basename(path) + ".folder")
    os.chdir(os.path.basename(path) + ".folder")
    sys.argv = [path]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            runpy.run_path(path, run_name="__main__")
        except BaseException:
            traceback.print_exc(file=out)
    said[os.path.basename(path)] = out.getvalue()
    os.chdir("..")
print(json.dumps(said))
"""


def ran(*command, cwd):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each example that may share a process has printed."""
    files = [path for path in EXAMPLES if path.name not in ALONE]
    done = ran("-c", TOGETHER, *files, cwd=tmp_path_factory.mktemp("examples"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(example, tmp_path, request):
    if example.name in ALONE:
        done = ran(example, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        text = done.stdout + done.stderr
    else:
        text = request.getfixturevalue("said")[example.name]

    assert "Traceback" not in text, text


def test_an_interactor_of_one_s_own_is_tried(said):
    assert "Angle, power=" in said["own_interactor.py"]


def test_a_table_of_one_s_own_beats_the_mean_and_scores_who_is_unknown(said):
    losses = {
        line.split()[0]: float(line.split()[4].rstrip(","))
        for line in said["own_data.py"].splitlines()
        if "cross entropy" in line
    }
    assert losses["model"] < losses["mean"]
    assert said["own_data.py"].splitlines()[-1].count("0.") == 2


def test_the_registry_s_consumer_scores_a_known_and_an_unknown_user(said):
    head, *rows = said["registry_consumer.py"].splitlines()[-4:]
    assert "autorec-made-up version 1, columns ['user_id', 'item_id']" in head
    assert [row.split()[1] for row in rows[1:]] == ["7", "nobody"]
    assert all(1 <= float(row.split()[-1]) <= 5 for row in rows[1:])


def test_a_customer_gets_what_similar_customers_bought(said):
    lines = [line.split() for line in said["shop_purchases.py"].splitlines()]
    assert lines[0][:2] == ["task", "ranking,"]
    first = {line[0]: line[2][0] for line in lines if line[1:2] == ["1"]}
    assert (first["c0"], first["c1"]) == ("g", "b")
    assert sum(line[-1] == "popular" for line in lines) == 3


def test_a_viewer_gets_films_of_their_taste_and_of_a_genre(said):
    everything, dramas = said["media_ratings.py"].split("genres = Drama and year >= 2000")
    assert everything.count("The Comedy of") == 3
    assert dramas.count("The Drama of 20") == 3


def test_ads_depend_on_the_hour(said):
    lines = [line for line in said["ad_clicks.py"].splitlines() if line.startswith("hour")]
    by_day, at_night = ([int(word) % 2 for word in line.split()[3::2]] for line in lines)
    assert (by_day, at_night) == ([0, 0, 0], [1, 1, 1])
