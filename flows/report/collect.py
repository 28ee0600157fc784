"""Reads the facts of a run from the workspace and the registry."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autorec_core.data.preparing.split import PARTS
from autorec_core.data.preparing.store import load_schema
from autorec_core.errors import DataError
from autorec_core.evaluation.breakdown import ActivityRow, CalibrationRow, ResidualRow
from autorec_core.evaluation.intervals import Interval
from flows.config import Params
from flows.registry.decision import Decision
from flows.registry.lineage import lineage, lineage_tags
from flows.registry.versions import Version, list_versions
from flows.report.facts import (
    CurvePoint,
    Expectation,
    Figures,
    JoinedTable,
    Registered,
    Run,
    Split,
    Trial,
    Winner,
)
from flows.results import chosen_settings, run_warnings, test_figures, title_of
from flows.retraining.plan import Plan
from flows.tracking import mlflow_runs
from flows.workspace import Places


def collect(params: Params, places: Places) -> Run:
    """Reads the facts of the data set's last run.

    Args:
        params: The parameters of the workspace.
        places: The paths of the data set.

    Raises:
        DataError: The pipeline has not evaluated a model of this data set yet, or one of its files
            is missing or damaged.
    """
    entry = params.dataset(places.dataset)
    try:
        origin = lineage_tags(lineage(params, places))
        profile = _json(places.prepared / "profile.json")
        schema = load_schema(places.prepared)
        intervals = _json(places.evaluation / "intervals.json")
        plan = Plan.load(places.plan)
        versions, version, tags = _registered(places, origin["dvc.model"])
        return Run(
            dataset=places.dataset,
            title=entry.title,
            task=schema.task,
            label=schema.label,
            columns=tuple(field.name for field in (*schema.categorical, *schema.lists)),
            places=tuple(schema.id_columns),
            user=schema.user,
            item=schema.item,
            loss=intervals["loss"],
            level=intervals["level"],
            figures=_figures(places, intervals),
            trials=tuple(_trials(places.search / "leaderboard.csv")),
            curves=tuple(_curves(places.search / "curves.csv")),
            winner=_winner(_json(places.search / "winner" / "result.json")),
            calibration=tuple(_calibration(places.evaluation / "calibration.csv")),
            residuals=tuple(_residuals(places.evaluation / "residuals.csv")),
            activity=tuple(_activity(places.evaluation / "activity.csv")),
            splits=tuple(_split(part, profile["splits"][part]) for part in PARTS),
            bad_rows=profile["bad_rows"],
            expectations=tuple(_expectations(places.checks)),
            versions=versions,
            version=version,
            decision=Decision.from_json(tags["gate"]) if "gate" in tags else None,
            # The version's tags count, because the workspace may have changed since.
            lineage={key: tags.get(key, value) for key, value in origin.items()},
            params=params.flat(places.dataset),
            warnings=tuple(run_warnings(places)),
            mode="search" if plan is None else plan.mode,
            reason="" if plan is None else plan.reason,
            tables=tuple(
                JoinedTable(one.name, one.joins, profile["tables"][one.name], one.columns)
                for one in schema.tables
            ),
            raw_columns=tuple(schema.columns),
            time_features=tuple(feature for feature, _ in schema.time_features),
        )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"The run of {places.dataset} cannot be read ({type(error).__name__}: {error}). "
            f"Run `autorec run {places.dataset}` to build the missing files."
        ) from error


def _figures(places: Places, intervals: Mapping[str, Any]) -> tuple[Figures, ...]:
    differences, settings = intervals["differences"], chosen_settings(places)
    return tuple(
        Figures(
            name=name,
            title=title_of(name),
            metrics=metrics,
            loss=Interval(**intervals["losses"][name]),
            difference=Interval(**differences[name]) if name in differences else None,
            chosen=settings.get(name, ""),
        )
        for name, metrics in test_figures(places).items()
    )


def _trials(path: Path) -> Iterator[Trial]:
    for row in _rows(path):
        score = float(row["score"]) if row["score"] else None
        yield Trial(
            rank=int(row["rank"]),
            number=int(row["trial"]),
            status=row["status"],
            score=score,
            best_step=int(row["best_step"]),
            seconds=float(row["seconds"]),
            hyperparameters=json.loads(row["hyperparameters"]),
            reason=row["reason"],
            epochs=float(row["epochs"]),
            stopped=row["stopped"],
        )


def _curves(path: Path) -> Iterator[CurvePoint]:
    for row in _rows(path):
        yield CurvePoint(
            trial=int(row["trial"]),
            step=int(float(row["step"])),
            epoch=float(row["epoch"]),
            loss=float(row["loss"]),
            objective=float(row["objective"]),
        )


def _winner(content: Mapping[str, Any]) -> Winner:
    return Winner(
        trial=content["trial"],
        objective=content["objective"],
        score=content["score"],
        best_step=content["best_step"],
        hyperparameters=content["hyperparameters"],
        recommender=content["recommender"],
        refit=content["refit_on_train_and_valid"],
        members=tuple(content.get("members", [content["trial"]])),
    )


def _calibration(path: Path) -> Iterator[CalibrationRow]:
    for row in _rows(path):
        numbers = {key: float(row[key]) for key in ("predicted", "observed", "low", "high")}
        yield CalibrationRow(**numbers, rows=int(row["rows"]))


def _residuals(path: Path) -> Iterator[ResidualRow]:
    for row in _rows(path):
        label = float(row["label"]) if row["label"] else None
        yield ResidualRow(label, float(row["low"]), float(row["high"]), int(row["rows"]))


def _activity(path: Path) -> Iterator[ActivityRow]:
    for row in _rows(path):
        yield ActivityRow(
            by=row["by"],
            least=int(row["least"]),
            most=int(float(row["most"])) if row["most"] else None,
            rows=int(row["rows"]),
            ids=int(row["ids"]),
            loss=float(row["loss"]),
            low=float(row["low"]),
            high=float(row["high"]),
            baselines={
                key.removeprefix("loss_"): float(value)
                for key, value in row.items()
                if key.startswith("loss_")
            },
        )


def _split(name: str, content: Mapping[str, Any]) -> Split:
    return Split(
        name=name,
        rows=content["rows"],
        label_mean=content["label_mean"],
        label_counts=_by_label(content["label_counts"]),
        categories=content["categories"],
        unknown=content["unknown_rate"],
        missing=content["missing_rate"],
        quantiles=content["quantiles"],
        label_quantiles=content.get("label_quantiles", {}),
    )


def _by_label(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: float(item[0])))


def _expectations(checks: Path) -> Iterator[Expectation]:
    for part in ("raw", "splits"):
        for result in _json(checks / f"{part}.json")["expectations"]:
            settings = ", ".join(f"{key} {value}" for key, value in result["settings"].items())
            yield Expectation(
                table=result["table"],
                name=result["expectation"].removeprefix("expect_").replace("_", " "),
                column=result["column"],
                settings=settings,
                severity=result["severity"],
                success=result["success"],
                rows=result["rows"],
                unexpected=result["unexpected"],
            )


def _registered(
    places: Places, model: str
) -> tuple[tuple[Registered, ...], Registered | None, Mapping[str, str]]:
    """Returns the versions to show, this run's version and its tags.

    All are empty or None if the registry does not answer.
    """
    versions = mlflow_runs.attempt(lambda: list_versions(places.dataset, places.root)) or []
    own = next((version for version in versions if version.tags.get("dvc.model") == model), None)
    kept = tuple(_version(version) for version in versions if version.aliases or version is own)
    if own is None:
        return kept, None, {}
    return kept, _version(own), own.tags


def _version(version: Version) -> Registered:
    return Registered(
        version.number, version.aliases, version.figures, version.tags.get("decision", "")
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
