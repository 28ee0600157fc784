"""Runs Great Expectations; no file imports it but this one, and `docs_view` for its pages.

Results keep counts, never values: neither JSON nor Data Docs carry an id.
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
        """Holds one table, or its next chunk, against its suite.

        Args:
            title: The table's title.
            table: The rows.
            suite: What is expected of them.
            rows: How many rows the table speaks for, where these are not its own; asked at the end.
        """
        if title not in self._checkpoints:
            self._checkpoints[title] = self._prepared(title, suite)
        result = self._checkpoints[title].run(batch_parameters={"dataframe": table})
        ((page, of_suite),) = result.run_results.items()
        found = [_outcome(title, one, len(table)) for one in of_suite.results]
        shown = self._shown.setdefault(title, [])
        if not shown or (len(shown) <= MOST_PAGES and not all(one.success for one in found)):
            shown.append(page)
        self._chunks.setdefault(title, []).append((found, rows))

    def show(self) -> None:
        """Writes the pages: all at once, since the templates are compiled at each call."""
        pages = [page for shown in self._shown.values() for page in shown]
        suites = dict.fromkeys(page.expectation_suite_identifier for page in pages)
        self._context.build_data_docs(
            site_names=[SITE], resource_identifiers=[*pages, *suites], build_index=True
        )

    def outcomes(self) -> list[Outcome]:
        """The outcome of each expectation over all chunks."""
        same: dict[tuple[str, ...], list[Outcome]] = {}
        for chunks in self._chunks.values():
            for one in (one for chunk in chunks for one in _counted(*chunk)):
                key = (one.table, one.expectation, one.column, str(one.settings))
                same.setdefault(key, []).append(one)
        return [_together(ones) for ones in same.values()]

    def _prepared(self, title: str, suite: Sequence[Expectation]) -> Any:
        """A checkpoint for a suite."""
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
    """A validator whose Data Docs appear in `docs`, whole or not at all."""
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings(), whole_folder(docs) as pages:
        warnings.simplefilter("ignore")
        context: Any = gx.get_context(mode="ephemeral")  # its own types know only what it returns
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
    """The outcomes with the number of rows that they speak for."""
    return outcomes if rows is None else [replace(one, rows=rows()) for one in outcomes]


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
