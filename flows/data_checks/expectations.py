"""Runs Great Expectations. Only this file and `data_docs` import it.

Results contain counts and no values, so neither the JSON files nor the Data Docs contain an id.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from autorec_core.files import whole_folder

RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
SITE = "checks"
MOST_PAGES = 20
"""Maximum number of pages for the failed chunks of one table. The first chunk also has a page."""


@dataclass(frozen=True)
class Expectation:
    """One expectation, as data.

    Args:
        kind: Name of the class in Great Expectations.
        settings: Arguments of the class.
        warn: Whether a failure is only a warning.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    warn: bool = False


@dataclass(frozen=True)
class Outcome:
    """The result of one expectation over all chunks of its table.

    Args:
        table: Title of the table.
        expectation: Type of the expectation.
        column: Its column or columns; empty for the whole table.
        settings: Its other settings.
        severity: "error" or "warning".
        success: Whether it passed in every chunk.
        rows: Number of checked rows.
        unexpected: Number of rows that failed.
        raised: Whether computing it raised an exception.
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
        """Returns a sentence about the failure."""
        where = f" of column {self.column}" if self.column else ""
        settings = ", ".join(f"{key} {value}" for key, value in self.settings.items())
        count = f": {self.unexpected:,} of {self.rows:,} rows" if where and self.rows > 1 else ""
        return (
            f"{self.table}: {self.expectation}{where} ({settings or 'no settings'}) failed{count}; "
            f"see {docs / 'index.html'}"
        )


class Validator:
    """Validates tables, whole or chunk by chunk.

    Args:
        context: An ephemeral context of Great Expectations.
        name: Name of the data set.
    """

    def __init__(self, context: Any, name: str) -> None:
        self._context = context
        self._name = name
        self._source = context.data_sources.add_pandas(name)
        self._checkpoints: dict[str, Any] = {}
        self._chunks: dict[str, list[tuple[list[Outcome], Callable[[], int] | None]]] = {}
        self._shown: dict[str, list[Any]] = {}

    def validate(
        self,
        title: str,
        table: pd.DataFrame,
        suite: Sequence[Expectation],
        *,
        rows: Callable[[], int] | None = None,
    ) -> None:
        """Validates one table, or its next chunk.

        Args:
            title: Title of the table.
            table: The rows.
            suite: The expectations.
            rows: Returns the number of rows that the table stands for, if it differs from its own
                number of rows. Called at the end.
        """
        if title not in self._checkpoints:
            self._checkpoints[title] = self._prepared(title, suite)
        result = self._checkpoints[title].run(batch_parameters={"dataframe": table})
        ((page, suite_result),) = result.run_results.items()
        outcomes = [_outcome(title, single, len(table)) for single in suite_result.results]
        pages = self._shown.setdefault(title, [])
        if not pages or (len(pages) <= MOST_PAGES and not all(one.success for one in outcomes)):
            pages.append(page)
        self._chunks.setdefault(title, []).append((outcomes, rows))

    def show(self) -> None:
        """Writes all pages in one call, because each call compiles the templates."""
        pages = [page for shown in self._shown.values() for page in shown]
        suites = dict.fromkeys(page.expectation_suite_identifier for page in pages)
        self._context.build_data_docs(
            site_names=[SITE], resource_identifiers=[*pages, *suites], build_index=True
        )

    def outcomes(self) -> list[Outcome]:
        """Returns the result of each expectation over all chunks."""
        same: dict[tuple[str, ...], list[Outcome]] = {}
        for chunks in self._chunks.values():
            for one in (one for chunk in chunks for one in _counted(*chunk)):
                key = (one.table, one.expectation, one.column, str(one.settings))
                same.setdefault(key, []).append(one)
        return [_together(ones) for ones in same.values()]

    def _prepared(self, title: str, suite: Sequence[Expectation]) -> Any:
        """Creates the checkpoint of a suite."""
        import great_expectations as gx
        from great_expectations import expectations as gxe

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
        return self._context.checkpoints.add(
            gx.Checkpoint(
                name=name, validation_definitions=[definition], result_format=RESULT_FORMAT
            )
        )


@contextmanager
def validator(name: str, docs: Path) -> Iterator[Validator]:
    """Yields a validator. Its Data Docs are written to `docs` at the end, all or none."""
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings(), whole_folder(docs) as pages:
        warnings.simplefilter("ignore")
        context: Any = gx.get_context(
            mode="ephemeral"
        )  # Any: GX's type hints lack what is used here
        context.variables.progress_bars = {"globally": False}
        for site in list(context.get_site_names()):
            context.delete_data_docs_site(site)
        context.add_data_docs_site(SITE, _site(pages))
        validating = Validator(context, name)
        yield validating
        validating.show()


def _site(folder: Path) -> dict[str, Any]:
    page, index = (
        {"module_name": "flows.data_checks.data_docs", "class_name": name}
        for name in ("PageView", "IndexView")
    )
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": index},
        "site_section_builders": {name: {"view": page} for name in ("expectations", "validations")},
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder.resolve()),
        },
    }


def _counted(outcomes: list[Outcome], rows: Callable[[], int] | None) -> list[Outcome]:
    """Replaces the number of rows in the outcomes, if `rows` is given."""
    return outcomes if rows is None else [replace(one, rows=rows()) for one in outcomes]


def _outcome(table: str, result: Any, rows: int) -> Outcome:
    """Converts one result of Great Expectations, without any value of the data."""
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
    """Returns whether computing an expectation, or one of its metrics, raised an exception."""
    parts = [info] if "raised_exception" in info else list(info.values())
    return any(bool(part.get("raised_exception")) for part in parts)


def _together(same: Sequence[Outcome]) -> Outcome:
    """Combines the results of one expectation over several chunks."""
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
