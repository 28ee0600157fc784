"""Runs Great Expectations; the only file that imports it.

Results keep counts, never values: neither JSON nor Data Docs carry an id.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from autorec_core.files import whole_folder

RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
MOST_PAGES = 20
"""Chunks of one table that get a page: the first, and the first that fail."""


@dataclass(frozen=True)
class Expectation:
    """One expectation, as data.

    Args:
        kind: Its class in Great Expectations.
        settings: The class' arguments.
        warn: Whether its failure is reported but stops nothing.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    warn: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one expectation over all chunks of its table.

    Args:
        table: The table's title.
        expectation: The expectation's type.
        column: The column, or columns, it is about; empty for the whole table.
        settings: Its other settings.
        severity: "error" or "warning".
        success: Whether it held in every chunk.
        rows: Rows looked at.
        unexpected: Rows that are not as expected.
        raised: Whether it could not be computed.
    """

    table: str
    expectation: str
    column: str
    settings: Mapping[str, Any]
    severity: str
    success: bool
    rows: int
    unexpected: int
    raised: bool

    def sentence(self, docs: Path) -> str:
        """What failed, in a sentence."""
        where = f" of column {self.column}" if self.column else ""
        settings = ", ".join(f"{key} {value}" for key, value in self.settings.items())
        count = f": {self.unexpected:,} of {self.rows:,} rows" if where and self.rows > 1 else ""
        return (
            f"{self.table}: {self.expectation}{where} ({settings or 'no settings'}) failed{count}; "
            f"see {docs / 'index.html'}"
        )


class Validator:
    """Validates tables, each in one piece or chunk by chunk.

    Args:
        context: An ephemeral context of Great Expectations.
        name: The data set's name.
    """

    def __init__(self, context: Any, name: str) -> None:
        self._context = context
        self._name = name
        self._source = context.data_sources.add_pandas(name)
        self._checkpoints: dict[str, tuple[Any, Any]] = {}
        self._chunks: dict[str, list[list[Outcome]]] = {}

    def validate(self, title: str, table: pd.DataFrame, suite: Sequence[Expectation]) -> None:
        """Holds one table, or its next chunk, against its suite."""
        if title not in self._checkpoints:
            self._checkpoints[title] = self._prepared(title, suite)
        quiet, shown = self._checkpoints[title]
        chunks = self._chunks.setdefault(title, [])
        pages = sum(not all(one.success for one in chunk) for chunk in chunks[1:])
        found = _run(title, quiet if chunks else shown, table)
        if chunks and pages < MOST_PAGES and not all(one.success for one in found):
            found = _run(title, shown, table)  # once more, for its page
        chunks.append(found)

    def outcomes(self) -> list[Outcome]:
        """The outcome of each expectation over all chunks."""
        same: dict[tuple[str, ...], list[Outcome]] = {}
        for chunks in self._chunks.values():
            for one in (one for chunk in chunks for one in chunk):
                key = (one.table, one.expectation, one.column, str(one.settings))
                same.setdefault(key, []).append(one)
        return [_together(ones) for ones in same.values()]

    def _prepared(self, title: str, suite: Sequence[Expectation]) -> tuple[Any, Any]:
        """Two checkpoints for a suite: one without a page, one with."""
        import great_expectations as gx
        from great_expectations import expectations as gxe
        from great_expectations.checkpoint import UpdateDataDocsAction

        name = f"{self._name} {title}"
        asset = self._source.add_dataframe_asset(title)
        expectations = [
            getattr(gxe, one.kind)(**one.settings, severity="warning" if one.warn else "critical")
            for one in suite
        ]
        definition = self._context.validation_definitions.add(
            gx.ValidationDefinition(
                name=name,
                data=asset.add_batch_definition_whole_dataframe("whole"),
                suite=self._context.suites.add(
                    gx.ExpectationSuite(name=name, expectations=expectations)
                ),
            )
        )
        actions: list[Any] = [UpdateDataDocsAction(name="pages", site_names=["checks"])]
        quiet, shown = (
            self._context.checkpoints.add(
                gx.Checkpoint(
                    name=f"{name} {kind}",
                    validation_definitions=[definition],
                    actions=acting,
                    result_format=RESULT_FORMAT,
                )
            )
            for kind, acting in (("quiet", []), ("shown", actions))
        )
        return quiet, shown


@contextmanager
def validator(name: str, docs: Path) -> Iterator[Validator]:
    """A validator whose Data Docs appear in `docs`, whole or not at all."""
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings(), whole_folder(docs) as pages:
        warnings.simplefilter("ignore")
        context: Any = gx.get_context(mode="ephemeral")  # its own types know only what it returns
        context.variables.progress_bars = {"globally": False}
        for site in list(context.get_site_names()):
            context.delete_data_docs_site(site)
        context.add_data_docs_site("checks", _site(pages))
        yield Validator(context, name)


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder.resolve()),
        },
    }


def _run(title: str, checkpoint: Any, table: pd.DataFrame) -> list[Outcome]:
    result = checkpoint.run(batch_parameters={"dataframe": table})
    (only,) = result.run_results.values()
    return [_outcome(title, one, len(table)) for one in only.results]


def _outcome(table: str, result: Any, rows: int) -> Outcome:
    """One result of Great Expectations without any value of the data."""
    config = result.expectation_config
    settings = dict(config.kwargs)
    settings.pop("batch_id", None)
    column = settings.get("column") or ", ".join(settings.get("column_list") or [])
    unexpected = int((result.result or {}).get("unexpected_count") or 0)
    warn = str(getattr(config.severity, "value", config.severity)) == "warning"
    return Outcome(
        table=table,
        expectation=config.type,
        column=column,
        settings={key: value for key, value in settings.items() if not key.startswith("column")},
        severity="warning" if warn else "error",
        success=bool(result.success),
        rows=rows,
        unexpected=unexpected,
        raised=_raised(result.exception_info or {}),
    )


def _raised(info: Mapping[str, Any]) -> bool:
    """Whether computing an expectation, or one of its metrics, raised."""
    each = [info] if "raised_exception" in info else list(info.values())
    return any(bool(one.get("raised_exception")) for one in each)


def _together(same: Sequence[Outcome]) -> Outcome:
    """The outcome of one expectation over several chunks."""
    first = same[0]
    return Outcome(
        first.table,
        first.expectation,
        first.column,
        first.settings,
        first.severity,
        success=all(one.success for one in same),
        rows=sum(one.rows for one in same),
        unexpected=sum(one.unexpected for one in same),
        raised=any(one.raised for one in same),
    )
