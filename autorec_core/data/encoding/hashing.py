"""Hashes of cells, the same on every machine, of whole columns at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from autorec_core.data import values

HASH = "multiplied"
"""The name of how texts are hashed: what comes of another hash cannot be compared."""
MIX = np.uint64(0x9E3779B97F4A7C15)
LANE = 8
"""Bytes that are hashed at a time."""
WITHIN = np.array([2 ** (8 * count) - 1 for count in range(LANE + 1)], dtype=np.uint64)
"""Masks of a lane's first bytes, by how many they are."""


def one_piece(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece; a dictionary in one piece stays one."""
    is_coded = pa.types.is_dictionary(column.type) and column.num_chunks == 1
    return column.chunk(0) if is_coded else values.plain(column)


def bits(column: pa.Array) -> np.ndarray:
    """Numbers as they stand in memory: uint64, shape (rows,); -0 is 0."""
    return (column.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0).view(np.uint64)


def hashes(texts: pa.Array) -> np.ndarray:
    """A hash of each text: eight bytes at a time are multiplied in, of all texts at once.

    Args:
        texts: Strings; where none stands, the hash is that of what lies there.

    Returns:
        uint64, shape (texts,), the same on every machine.
    """
    texts = texts.cast(pa.large_binary())
    _, ends, content = texts.buffers()
    offsets = np.frombuffer(ends, np.int64, len(texts) + 1, texts.offset * 8)
    # Eight bytes from every place on: the last ones reach beyond the end.
    data = np.append(np.frombuffer(content or b"", np.uint8), np.zeros(LANE, np.uint8))
    lanes = np.ndarray((len(data) - LANE + 1,), "<u8", data, strides=(1,))
    starts, lengths = offsets[:-1], np.diff(offsets)
    found = lengths.view(np.uint64) * MIX
    for lane in range(0, int(lengths.max(initial=0)), LANE):
        left = lengths - lane
        reach = slice(None) if left.min() > 0 else np.flatnonzero(left > 0)
        read = lanes[starts[reach] + lane]
        if (left := left[reach]).min() < LANE:
            read &= WITHIN[np.minimum(left, LANE)]
        read ^= found[reach]
        read *= MIX
        read ^= read >> np.uint64(32)
        found[reach] = read
    return found * MIX


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers with each bit spread over all others (Steele et al., 2014: SplitMix64)."""
    mixed = numbers + MIX
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
