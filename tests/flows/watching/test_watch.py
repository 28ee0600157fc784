"""From requests to an alarm: scored rows are profiled, labels come later, the watch tells."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from serve_settings import serve_settings
from small_ratings import DATASET, ratings

from autorec_core.data.preparing.tally import RawTally, count
from autorec_core.data.reading.raw import bad_rows_of, read_chunks
from autorec_core.scorer import Scorer
from flows.config import Params
from flows.registry.loading import load_scorer
from flows.registry.versions import LIVE, aliased
from flows.report.watch_page import watch
from flows.serving.api.app import make_app
from flows.serving.api.live_model import Champion
from flows.serving.api.prometheus import Measures
from flows.serving.api.recommend_requests import Recommendations
from flows.serving.files.feedback_files import take_file
from flows.watching.feedback import Judge
from flows.watching.histograms import score_histogram
from flows.watching.journal import Journal
from flows.watching.recorder import Recorder
from flows.watching.reference import Reference
from flows.workspace import Places

pytestmark = pytest.mark.slow


def lineage(params: Params, scorer: Path, folder: Path) -> dict[str, Any]:
    """What a run records of its training, as far as the watch reads it."""
    rows = ratings(20_000, 7).assign(timestamp=0)
    raw = folder / "rows.tsv"
    rows.to_csv(raw, sep="\t", header=False, index=False)
    entry = params.dataset(DATASET)
    tally = RawTally(entry)
    for chunk in read_chunks(entry, raw, bad=bad_rows_of(entry)):
        tally.learn(chunk.table)
        tally.add(count(entry, tally.edges, chunk.table))
    test = ratings(2_000, 8)
    return {
        "params": {"datasets": {DATASET: entry.model_dump(mode="json")}},
        "checks": {"raw": {"tally": tally.finish()}},
        "intervals": {"loss": "mse", "losses": {"model": {"mean": 0.05, "high": 0.06}}},
        "scores": score_histogram(Scorer.load(scorer).score(test[["user_id", "item_id"]])),
    }


class Served:
    """A server of the champion that is watched.

    Args:
        root: The workspace.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.places = root, Places(DATASET, root)
        self.params = Params.load(root / "params.yaml")
        champion = Champion(
            lambda: aliased(DATASET, LIVE, root), lambda one: load_scorer(one, root), 60.0
        )
        journal = Journal(self.places.watch)
        recorder = Recorder(journal, lambda one: Reference.of(one, root), seconds=0.1)
        self.client = TestClient(
            make_app(
                champion,
                serve_settings(),
                Measures(),
                Recommendations(DATASET),
                recorder=recorder,
                make_judge=partial(Judge.of, journal=journal, root=root),
            )
        )

    def score(self, rows: pd.DataFrame) -> None:
        """Scores rows in requests of a hundred; the profile is written when the server ends."""
        with self.client as client:
            for start in range(0, len(rows), 100):
                part = rows.iloc[start : start + 100][["user_id", "item_id"]]
                answer = client.post("/score", json={"rows": part.to_dict("records")})
                assert answer.status_code == 200


@pytest.fixture
def root(registry, small_params, tmp_path) -> Path:
    params = Params.load(small_params)
    number = registry.register(
        registry.models.good, lineage=lineage(params, registry.models.good, tmp_path)
    )
    registry.point("champion", number)
    return registry.root


def test_clean_rows_are_no_alarm_and_strange_ones_are(root):
    served = Served(root)
    served.score(ratings(1000, 11))
    clean = watch(served.params, served.places)
    strange = ratings(1000, 12)
    strange["item_id"] = np.where(np.arange(1000) % 4 == 0, "new", strange["item_id"])
    strange["user_id"] = [f"u{int(user[1:]) % 5}" for user in strange["user_id"]]
    Served(root).score(strange)
    found, again = (watch(served.params, served.places) for _ in range(2))

    assert (clean.alarms, clean.watched.total.rows) == ((), 1000)
    assert {alarm.name for alarm in found.alarms if alarm.check == "column"} >= {"user_id"}
    assert "25.0% of the ids of item_id are unknown" in str(found.reason)
    assert (found.news, again.news) == (True, False)  # nobody is told twice
    page = served.places.watch_page.read_text(encoding="utf-8")
    assert "2,000 rows in 20 requests" in page
    assert "Alarm:" in page
    state = json.loads((served.places.watch / "state.json").read_text(encoding="utf-8"))
    assert state["wanted"] == found.reason  # the next training on new data is a search
    kept = "".join(path.read_text("utf-8") for path in served.places.watch.glob("*.json"))
    assert "u1" not in kept  # neither rows nor ids


def test_later_labels_give_the_live_loss(root, registry, tmp_path):
    rows = ratings(500, 13)
    errors = Scorer.load(registry.models.good).score(rows[["user_id", "item_id"]]) - rows["rating"]
    said: list[str] = []
    rows.iloc[:300].to_csv(tmp_path / "later.csv", index=False)

    take_file(DATASET, tmp_path / "later.csv", root, say=said.append)
    served = Served(root)
    with served.client as client:
        content = {"rows": rows.iloc[300:].to_dict("records")}
        answer = client.post("/feedback", json=content).json()
        without = client.post("/feedback", json={"rows": [{"user_id": "u1", "item_id": 3}]})

    assert said[0].startswith("300 rows with labels were counted")
    assert (answer["counted"], answer["left_out"], answer["loss"]["rows"]) == (200, 0, 500)
    assert answer["loss"]["mean"] == pytest.approx(float((errors**2).mean()), rel=1e-5)
    assert answer["loss"]["low"] < answer["loss"]["mean"] < answer["loss"]["high"]
    assert without.status_code == 422
    assert "lack the columns rating" in without.json()["detail"][0]["msg"]
    live = watch(served.params, served.places).live
    assert live is not None
    assert sum(count for count, _, _ in live.calibration) == 500


def test_labels_that_make_the_loss_worse_than_in_the_test_are_an_alarm(root, tmp_path):
    rows = ratings(400, 14)
    rows["rating"] = 6 - rows["rating"]
    rows.to_csv(tmp_path / "later.csv", index=False)

    take_file(DATASET, tmp_path / "later.csv", root, say=lambda _: None)

    places = Places(DATASET, root)
    found = watch(Params.load(root / "params.yaml"), places)
    assert "loss" in {alarm.check for alarm in found.alarms}
    assert "the live MSE is" in str(found.reason)
