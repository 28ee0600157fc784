"""Measures ranked lists: a file for all users of MovieLens 1M, and POST /recommend.

python benchmarks/recommend.py RATINGS [--models rating average ranking] [--epochs 1]

RATINGS is ratings.dat of MovieLens 1M. Each model is trained for a few epochs in a workspace of its
own, because speed is measured here and not quality: `rating` is the default candidate of
`movielens-1m`, `average` the mean of five of them with different seeds, `ranking` the default
candidate of `movielens-1m-liked`. It is registered as the champion. `autorec recommend --all` then
writes the ten best items of each user, and `autorec serve` answers one client. Results go to
benchmarks/results/recommend.json, figures only.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_tuner
import numpy as np
import pyarrow.parquet as pq
from serve import AUTOREC, served

from autorec_core import zoo
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_rows
from autorec_core.files import write_json
from autorec_core.scorer import Scorer
from autorec_core.search.ensemble import averaged
from autorec_core.training import Budget, Rows, train
from flows.config import Params
from flows.environment import prepare_environment
from flows.registry.register import register
from flows.registry.versions import LIVE, client, model_name
from flows.workspace import Places

RESULTS = Path(__file__).parent / "results" / "recommend.json"
MODELS = {
    "rating": ("movielens-1m", 1),
    "average": ("movielens-1m", 5),
    "ranking": ("movielens-1m-liked", 1),
}
REQUESTS = 500


def train_model(root: Path, model: str, ratings: Path, epochs: int) -> None:
    """Prepares the data, trains a model and saves its scorer."""
    dataset, members = MODELS[model]
    params, places = Params.load(root / "params.yaml"), Places(dataset, root)
    entry = params.dataset(dataset)
    prepare(entry, params.split, params.preprocess, params.seed, ratings, places.prepared)
    preprocessor = Preprocessor.load(places.prepared)
    learn, check = (
        Rows(part.inputs(), part.label)
        for part in (
            load_examples(places.prepared, "train"),
            load_examples(places.prepared, "valid"),
        )
    )
    recommender = zoo.build("auto", preprocessor.schema).resolve(keras_tuner.HyperParameters())
    budget = Budget(epochs=epochs, patience=1)
    models = []
    for seed in range(members):
        models.append(train(recommender, learn, check, budget=budget, seed=seed).model)
        print(f"{model}: member {seed} is trained", flush=True)
    Scorer(preprocessor, averaged(models, recommender)).save(root / "scorer")


def make_champion(root: Path, dataset: str) -> None:
    """Registers the saved scorer with the code that runs here, and makes it the champion."""
    scorer = Scorer.load(root / "scorer")
    rows = load_rows(Places(dataset, root).prepared, "test").head(3)
    number = register(
        dataset,
        root / "scorer",
        rows[scorer.columns],
        scorer.score(rows),
        run=None,
        tags={"git.commit": "0" * 40},
        lineage={"dataset": dataset},
        metrics={},
        root=root,
    )
    client(root).set_registered_model_alias(model_name(dataset), LIVE, str(number))


def all_users(root: Path, dataset: str) -> dict[str, Any]:
    """Measures the command that writes the lists of all users."""
    command = [AUTOREC, "recommend", dataset, "--all", "--output", "lists.parquet"]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL)
    _, code, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    assert code == 0
    lists = pq.read_table(root / "lists.parquet")
    return {
        "users": len(lists["user_id"].unique()),
        "rows": len(lists),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1024),
    }


def one_client(root: Path, dataset: str) -> dict[str, Any]:
    """Measures one client's requests for users drawn at random."""
    lists = pq.read_table(root / "lists.parquet", columns=["user_id"])
    users = np.random.default_rng(0).choice(lists["user_id"].unique().to_pylist(), REQUESTS + 50)
    times = []
    with served(root, dataset) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for user in users:
            body = json.dumps({"user": str(user), "top": 10})
            started = time.perf_counter()
            connection.request("POST", "/recommend", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
            times.append(1000 * (time.perf_counter() - started))
            assert answer.status == 200, content
    times = sorted(times[50:])
    return {
        "requests": REQUESTS,
        "p50_ms": round(statistics.median(times), 1),
        "p99_ms": round(times[int(0.99 * REQUESTS)], 1),
    }


def main() -> None:
    """Measures the models and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ratings", type=Path)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder in which the trained models stay")
    options = parser.parse_args()
    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models:
            root, dataset = (options.keep or Path(folder)) / model, MODELS[model][0]
            root.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(__file__).parent.parent / "params.yaml", root / "params.yaml")
            if not (root / "scorer").exists():
                train_model(root, model, options.ratings.resolve(), options.epochs)
            make_champion(root, dataset)
            figures = {
                "all_users": all_users(root, dataset),
                "recommend": one_client(root, dataset),
            }
            print(model, json.dumps(figures), flush=True)
            found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
            found["machine"] = f"{os.cpu_count()} cores, Python {platform.python_version()}"
            found["command"] = f"python {' '.join(['benchmarks/recommend.py', 'RATINGS'])}"
            found.setdefault("models", {})[model] = {
                **figures,
                "load_average": [round(one, 1) for one in os.getloadavg()],
            }
            write_json(RESULTS, found)


if __name__ == "__main__":
    main()
