"""The search: algorithms that propose candidates, and the running of trials."""

from autorec_core.search.again import Proven, Retrained, train_again
from autorec_core.search.display import Display
from autorec_core.search.facade import Search
from autorec_core.search.final import Final, best_of, finish
from autorec_core.search.listener import Listener, Listeners, SearchPlan
from autorec_core.search.records.record import TrialRecord
from autorec_core.search.records.tables import write_tables
from autorec_core.search.result import SearchResult
from autorec_core.search.runner import run_search
from autorec_core.search.settings import SearchSettings

__all__ = [
    "Display",
    "Final",
    "Listener",
    "Listeners",
    "Proven",
    "Retrained",
    "Search",
    "SearchPlan",
    "SearchResult",
    "SearchSettings",
    "TrialRecord",
    "best_of",
    "finish",
    "run_search",
    "train_again",
    "write_tables",
]
