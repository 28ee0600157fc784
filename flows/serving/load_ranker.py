"""Makes a registered version ready to recommend, with the users and items of the workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from autorec_core.config import DatasetParams
from autorec_core.data.encoding.preprocessor import Preprocessor
from autorec_core.errors import DataError
from autorec_core.recommending.catalogue import Catalogue
from autorec_core.recommending.columns import own_columns
from autorec_core.recommending.facts import NO_COLUMNS, ItemFacts
from autorec_core.recommending.interactions import Interactions
from autorec_core.recommending.pairs import EncodedPairs, Pairs, TablePairs
from autorec_core.recommending.ranker import Ranker
from autorec_core.scorer import Scorer
from flows.config import Params
from flows.registry.loading import RowScorer, load_preprocessor
from flows.registry.versions import Version
from flows.workspace import Places


@dataclass(frozen=True)
class History:
    """What the prepared data of a workspace know of users: read when it is first asked for.

    Args:
        entry: The data set's entry in params.yaml.
        places: Where its data lie.
    """

    entry: DatasetParams
    places: Places
    user: str = field(init=False)
    item: str = field(init=False)

    def __post_init__(self) -> None:
        lacking = [role for role in ("user", "item") if getattr(self.entry, role) is None]
        if lacking:
            named = " and no ".join(f"`{role}`" for role in lacking)
            raise DataError(
                f"The entry of {self.places.dataset} in params.yaml has no {named} column. "
                "Recommending needs both, user and item."
            )
        object.__setattr__(self, "user", self.entry.user)
        object.__setattr__(self, "item", self.entry.item)

    @property
    def is_here(self) -> bool:
        """Whether the workspace has the prepared data."""
        return (self.places.prepared / "schema.json").is_file()

    @cached_property
    def interactions(self) -> Interactions:
        """Who met what, in train, valid and test.

        Raises:
            DataError: The prepared data are not here, or lack a column.
        """
        if not self.is_here:
            name = self.places.dataset
            raise DataError(
                f"{self.places.prepared} is not here, so what users have seen is not known: "
                f"`dvc pull prepare@{name}` or `autorec run {name}` brings it; or exclude nothing."
            )
        entry = self.entry
        return Interactions.read(
            self.places.prepared, self.user, self.item, entry.label_name, entry.time
        )


def history_of(dataset: str, root: Path = Path()) -> History:
    """Returns what the workspace knows about a data set's users.

    Raises:
        ConfigError: The data set is unknown.
        DataError: It has no user or no item column.
    """
    entry = Params.load(root / "params.yaml").dataset(dataset)
    return History(entry, Places(dataset, root))


def ranker_of(version: Version, scorer: RowScorer, history: History) -> Ranker:
    """Makes a loaded version ready to recommend.

    Args:
        version: The version.
        scorer: Its scorer.
        history: What the workspace knows. It decides which columns belong to a user or an item.

    Raises:
        DataError: The model has no user or no item column.
        RegistryError: What it knows cannot be read.
    """
    pairs: Pairs[Any]
    if isinstance(scorer, Scorer):
        preprocessor: Preprocessor = scorer.preprocessor
        # A time feature of an item depends on the time, which comes with the user.
        timed = preprocessor.times is not None
        pairs = TablePairs(scorer) if timed else EncodedPairs(scorer)
    else:
        preprocessor = load_preprocessor(version, history.places.root)
        pairs = TablePairs(scorer)
    catalogue = Catalogue.of(preprocessor)
    more = [name for name in scorer.columns if name not in (catalogue.user, catalogue.item)]
    separators = {one.name: one.separator for one in preprocessor.schema.lists}
    of_users, of_items = (
        own_columns(history.places.prepared, key, more, separators)
        if more and history.is_here
        else NO_COLUMNS
        for key in (catalogue.user, catalogue.item)
    )
    tables = [one for one in preprocessor.tables.values() if one.joins == catalogue.item]
    facts = ItemFacts(of_items, tables, separators)
    return Ranker(catalogue, pairs, scorer.columns, of_users, facts)
