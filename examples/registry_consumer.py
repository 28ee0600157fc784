"""Loads the live model from the registry by its alias with MLflow alone, and scores raw rows.

`python registry_consumer.py movielens-100k` uses the registry that MLFLOW_TRACKING_URI names.
Otherwise it uses mlflow.db in the current folder, which `autorec run` has written. Without an
argument it first trains and registers a small model.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


def publish(dataset: str) -> None:
    """Trains a small model on synthetic ratings and makes it the champion, as the pipeline does."""
    import keras_tuner
    import numpy as np
    import pandas as pd

    from autorec_core import zoo
    from autorec_core.config import DatasetParams, PreprocessParams
    from autorec_core.data.encoding.preprocessor import Preprocessor
    from autorec_core.data.reading.guess import propose
    from autorec_core.scorer import Scorer
    from autorec_core.training import Budget, Rows, train
    from flows.registry.register import register
    from flows.registry.versions import LIVE, client, model_name

    random = np.random.default_rng(0)
    user, item = random.integers(0, 50, 3000), random.integers(0, 30, 3000)
    rating = np.clip(3 + (user % 5 - 2) / 2 + (item % 3 - 1) / 2, 1, 5)
    rows = pd.DataFrame({"user_id": user, "item_id": item, "rating": rating})
    rows.to_csv("ratings.csv", index=False)
    entry = propose(Path("ratings.csv"), label="rating").entry
    entry |= {"sources": [{"kind": "file", "path": "ratings.csv"}]}
    preprocess = PreprocessParams(
        min_count=1, max_vocabulary=None, numeric="log", missing_flag=True
    )
    rows = rows.astype({"user_id": str, "item_id": str})
    preprocessor = Preprocessor.fit(DatasetParams.model_validate(entry), preprocess, rows)
    known, valid = (preprocessor.encode(rows[part]) for part in (slice(2700), slice(2700, None)))
    mf = zoo.build("mf", preprocessor.schema).resolve(keras_tuner.HyperParameters())
    trained = train(
        mf,
        Rows(known.inputs(), known.label),
        Rows(valid.inputs(), valid.label),
        budget=Budget(epochs=10, patience=2),
        seed=1,
    )
    scorer = Scorer(preprocessor, trained.model)
    scorer.save(Path("scorer"))
    sample = rows[scorer.columns].head(3)
    number = register(
        dataset,
        Path("scorer"),
        sample,
        scorer.score(sample),
        run=None,
        tags={},
        lineage={"dataset": dataset},
        metrics={"mse": trained.metrics["mse"]},
    )
    client(Path()).set_registered_model_alias(model_name(dataset), LIVE, str(number))


def consume(dataset: str) -> None:
    """Loads the live model, prints its version and columns, and scores rows with it."""
    import mlflow
    import pandas as pd

    if not os.environ.get("MLFLOW_TRACKING_URI"):
        mlflow.set_tracking_uri(f"sqlite:///{Path('mlflow.db').resolve()}")
    name = f"autorec-{dataset}"
    version = mlflow.MlflowClient().get_model_version_by_alias(name, "champion")
    model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    rows = pd.DataFrame({"user_id": ["7", "nobody"], "item_id": ["11", "11"]})
    print(
        f"{name} version {version.version}, columns {model.metadata.signature.inputs.input_names()}"
    )
    print(rows.assign(score=model.predict(rows)))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        publish("made-up")
    consume(sys.argv[1] if len(sys.argv) > 1 else "made-up")
