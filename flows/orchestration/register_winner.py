"""Registers the pipeline's scorer with its lineage, then runs the gate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.data.preparing.learned_rows import LearnedRows
from autorec_core.data.preparing.store import load_examples, load_rows
from autorec_core.evaluation.segments import segments
from autorec_core.files import write_text
from autorec_core.scorer import Scorer
from flows.config import Params
from flows.registry.decision import Decision
from flows.registry.judged_lists import JudgedLists
from flows.registry.lineage import lineage, lineage_tags, required_checks
from flows.registry.register import EXAMPLE_ROWS, register
from flows.registry.run_gate import Evidence, apply_gate
from flows.registry.versions import list_versions
from flows.results import test_figures
from flows.retraining.evidence import retrain_tags
from flows.tracking import mlflow_runs, outbox
from flows.watching.histograms import score_histogram
from flows.workspace import Places


@mlflow_runs.answered()
def register_winner(params: Params, places: Places) -> Decision:
    """Registers the evaluated scorer and compares it with the champion.

    A scorer that is already registered is not registered again.

    Returns:
        The gate's decision. It is also written to the version's tags and to `Places.decision`.

    Raises:
        DataError: The pipeline has not evaluated a model yet.
        RegistryError: The new version fails its smoke test.
        UnreachableError: MLflow does not answer.
    """
    delivered = outbox.settle(places)  # the version belongs to the run of the search
    document = lineage(params, places)
    tags = {**lineage_tags(document), **retrain_tags(params, places)}
    preprocessor = Preprocessor.load(places.prepared)
    schema = preprocessor.schema
    rows = load_rows(places.prepared, "test")
    number = _registered(places, tags["dvc.model"])
    if number is None:
        scorer, features = Scorer.load(places.model), rows[schema.columns].head(EXAMPLE_ROWS)
        # The watch compares the scores of live rows with these.
        document["scores"] = score_histogram(
            scorer.score(rows[schema.columns], scorer.unknown_ids())
        )
        number = register(
            places.dataset,
            places.model,
            features,
            # With so few rows, a high share of unknown ids means nothing, so no warning.
            scorer.score(features, scorer.unknown_ids()),
            run=mlflow_runs.search_run(places) if delivered else None,
            tags=tags,
            lineage=document,
            metrics=test_figures(places)["model"],
            learned=LearnedRows.of(
                learned_from(places), key=params.dataset(places.dataset).facts.unique
            ),
            root=places.root,
        )
    ids = load_examples(places.prepared, "test").categorical
    evidence = Evidence(
        schema,
        rows,
        segments(preprocessor, ids, min_rows=params.registry.min_segment_rows),
        required_checks(document),
        tags["dvc.prepared"],
        _mean_label(places),
        JudgedLists.of(places.prepared, preprocessor, rows, params.seed)
        if schema.task == "ranking"
        else None,
        preprocessor,
    )
    decision = apply_gate(
        places.dataset, number, evidence, params.registry, seed=params.seed, root=places.root
    )
    write_text(places.decision, decision.to_json() + "\n")
    return decision


def learned_from(places: Places) -> list[Path]:
    """Returns the files with the raw rows that the winner was trained on."""
    return [places.prepared / f"rows_{part}.parquet" for part in _parts_learned_from(places)]


def _parts_learned_from(places: Places) -> tuple[str, ...]:
    result = json.loads((places.search / "winner" / "result.json").read_text(encoding="utf-8"))
    return ("train", "valid") if result["refit_on_train_and_valid"] else ("train",)


def _mean_label(places: Places) -> float:
    """Returns the mean label of the rows that the winner was trained on."""
    splits = json.loads((places.prepared / "profile.json").read_text(encoding="utf-8"))["splits"]
    parts = [splits[name] for name in _parts_learned_from(places)]
    return float(
        np.average([part["label_mean"] for part in parts], weights=[part["rows"] for part in parts])
    )


def _registered(places: Places, model_hash: str) -> int | None:
    """Returns the number of the version with exactly this scorer, or None."""
    for version in list_versions(places.dataset, places.root):
        if version.tags.get("dvc.model") == model_hash:
            return version.number
    return None
