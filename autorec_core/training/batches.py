"""Shuffled batches of any number of rows, in bounded memory.

An epoch is a sequence of chunks. If all rows fit into one chunk, it stays in memory and only its
order changes. Otherwise each chunk is put together from blocks of neighbouring rows from all over
the split. This reads long pieces from disk and still mixes rows that are far apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from autorec_core.training.negatives import NEGATIVES, Negatives
from autorec_core.training.rows import Rows

CHUNK_BYTES = 256 * 2**20
BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Chunk:
    """Rows in memory, and the order in which to use them.

    Args:
        inputs: Tensors of shape (rows, ...) by input name.
        labels: float32 labels, shape (rows,).
        order: int32 row numbers, shape (rows to use,).
    """

    inputs: dict[str, tf.Tensor]
    labels: tf.Tensor
    order: np.ndarray


class Batches:
    """Epochs over one split, or over several as if they were one.

    Args:
        parts: The splits.
        batch_size: Rows in each step; the size of a chunk is a multiple of it.
        seed: The seed of the order of all epochs.
        chunk_bytes: The approximate size of a chunk in memory.
        negatives: Samples items for each row in every epoch; None for rows with labels.
    """

    def __init__(
        self,
        parts: Sequence[Rows],
        batch_size: int,
        seed: int,
        chunk_bytes: int | None = None,
        negatives: Negatives | None = None,
    ) -> None:
        self._negatives = negatives
        self._parts = list(parts)
        self._seed = seed
        self._starts = np.cumsum([0, *(len(part) for part in self._parts)])
        self.num_rows = int(self._starts[-1])
        one_row = sum(array[:1].nbytes for array in self._parts[0].inputs.values()) + 4
        rows = (chunk_bytes or CHUNK_BYTES) // one_row
        self._chunk_rows = max(1, rows // batch_size) * batch_size
        self._whole: Chunk | None = None

    def epoch(self, number: int, skipped: int = 0) -> Iterator[Chunk]:
        """Yields the chunks of one epoch, in an order that depends on the seed and the number.

        Args:
            number: The number of the epoch, counted from 0.
            skipped: How many rows at the start of the epoch are left out.
        """
        generator = np.random.default_rng([self._seed, number])
        if self.num_rows <= self._chunk_rows:
            if self._whole is None:
                self._whole = self._read([(0, self.num_rows)])
            order = generator.permutation(self.num_rows).astype(np.int32)
            yield self._sampled(
                Chunk(self._whole.inputs, self._whole.labels, order[skipped:]), number, 0
            )
            return
        plan = self._plan(generator)
        place = 0
        while skipped >= (size := sum(stop - start for start, stop in plan[0])):
            generator.permutation(size)  # so that the following chunks keep their order
            skipped -= size
            place += 1
            del plan[0]
        with ThreadPoolExecutor(max_workers=1) as reader:  # reads the next chunk during training
            coming = reader.submit(self._read, plan[0])
            for following in [*plan[1:], None]:
                chunk = coming.result()
                if following is not None:
                    coming = reader.submit(self._read, following)
                order = generator.permutation(len(chunk.order)).astype(np.int32)
                ordered = Chunk(chunk.inputs, chunk.labels, order[skipped:])
                yield self._sampled(ordered, number, place)
                skipped, place = 0, place + 1

    def _sampled(self, chunk: Chunk, epoch: int, place: int) -> Chunk:
        """Adds sampled items to a chunk's rows: those of this epoch and place."""
        if self._negatives is None:
            return chunk
        found = self._negatives.draw(chunk.inputs, epoch, place)
        return replace(chunk, inputs={**chunk.inputs, NEGATIVES: tf.convert_to_tensor(found)})

    def _plan(self, generator: np.random.Generator) -> list[list[tuple[int, int]]]:
        """Returns the ranges of rows of each chunk: shuffled blocks, cut where a chunk is full."""
        starts = np.arange(0, self.num_rows, BLOCK_ROWS)
        chunks: list[list[tuple[int, int]]] = [[]]
        room = self._chunk_rows
        for start in generator.permutation(starts).tolist():
            stop = min(start + BLOCK_ROWS, self.num_rows)
            while start < stop:
                if not room:
                    chunks.append([])
                    room = self._chunk_rows
                taken = min(room, stop - start)
                chunks[-1].append((start, start + taken))
                start, room = start + taken, room - taken
        return chunks

    def _read(self, ranges: Sequence[tuple[int, int]]) -> Chunk:
        pieces = [piece for start, stop in ranges for piece in self._pieces(start, stop)]
        inputs = {
            name: tf.convert_to_tensor(
                np.concatenate([part.inputs[name][start:stop] for part, start, stop in pieces])
            )
            for name in self._parts[0].inputs
        }
        labels = np.concatenate([part.labels[start:stop] for part, start, stop in pieces])
        return Chunk(
            inputs, tf.convert_to_tensor(labels.astype(np.float32)), np.arange(len(labels))
        )

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[Rows, int, int]]:
        """Yields the rows from `start` to `stop` as ranges within the parts."""
        for part, first in zip(self._parts, self._starts.tolist(), strict=False):
            lower, upper = max(start, first), min(stop, first + len(part))
            if lower < upper:
                yield part, lower - first, upper - first
