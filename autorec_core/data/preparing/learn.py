"""The second pass over the rows: learns vocabularies and statistics from train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from autorec_core.config import DatasetParams, PreprocessParams
from autorec_core.data.encoding.learned_schema import NumberStatistics, countable
from autorec_core.data.encoding.preprocessor import vocabulary_file
from autorec_core.data.encoding.vocabulary import VocabularyCounter
from autorec_core.data.preparing.scratch import Scratch
from autorec_core.data.preparing.store import windows
from autorec_core.data.values import plain

TRAIN = 0


@dataclass(frozen=True)
class Learned:
    """Facts about a vocabulary that was written to a file.

    Args:
        size: Number of ids, including "unknown".
        is_empty: Whether all values of the column were missing.
    """

    size: int
    is_empty: bool


def learn(
    entry: DatasetParams,
    settings: PreprocessParams,
    folder: Path,
    scratch: Scratch,
    names: Sequence[str],
) -> dict[str, Learned] | NumberStatistics:
    """Learns the vocabularies of some columns from train, or the statistics of all numbers.

    Vocabularies are written to their files, and the codes of each partition's categories to the
    scratch folder. It can run in any process.

    Args:
        entry: The data set's entry in params.yaml.
        settings: How columns become ids and numbers.
        folder: The folder of the vocabularies.
        scratch: The rows.
        names: The columns of categories; if empty, the numbers are learned.
    """
    if not names:
        return _numbers(entry, settings, scratch)
    counters = {name: VocabularyCounter(numbered=name in entry.categorical) for name in names}
    for table, parts in scratch.tables(names):
        trained = parts == TRAIN
        for name, counter in counters.items():
            column = table[name].chunk(0)
            if name in entry.multi_valued:
                counter.update(countable(entry, name, column.filter(pa.array(trained))))
            else:
                counter.update(column, trained)
    learned, places = {}, [*entry.categorical, *entry.multi_valued]
    for name, counter in counters.items():
        vocabulary = counter.finish(settings.min_count, settings.max_vocabulary)
        vocabulary.save(vocabulary_file(folder, places.index(name)))
        scratch.save_words(name, counter, vocabulary)
        learned[name] = Learned(vocabulary.size, vocabulary.is_empty)
    return learned


def _numbers(
    entry: DatasetParams, settings: PreprocessParams, scratch: Scratch
) -> NumberStatistics:
    statistics = NumberStatistics(entry, settings)
    names = list(dict.fromkeys((entry.label_name, *entry.numeric)))
    trained = (table.filter(pa.array(parts == TRAIN)) for table, parts in scratch.tables(names))
    for table in windows(trained, scratch.window):
        statistics.update({name: plain(table[name]) for name in names})
    return statistics
