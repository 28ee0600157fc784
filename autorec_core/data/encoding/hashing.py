"""Hashes of whole columns, the same on every machine."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from autorec_core.data import values

HASH = "multiplied"
"""The name of the hash function: only hashes of the same function can be compared."""
MIX = np.uint64(0x9E3779B97F4A7C15)
LANE = 8
"""Number of bytes that are hashed at a time."""
WITHIN = np.array([2 ** (8 * count) - 1 for count in range(LANE + 1)], dtype=np.uint64)
"""Masks of the first 0 to 8 bytes of a lane."""


def one_piece(column: pa.ChunkedArray) -> pa.Array:
    """Returns a column as one array; a dictionary in one chunk stays a dictionary."""
    is_coded = pa.types.is_dictionary(column.type) and column.num_chunks == 1
    return column.chunk(0) if is_coded else values.plain(column)


def bits(column: pa.Array) -> np.ndarray:
    """Returns the bits of float64 numbers: uint64, shape (rows,); -0 is the same as 0."""
    numbers: np.ndarray = column.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0
    return numbers.view(np.uint64)


def hashes(texts: pa.Array) -> np.ndarray:
    """Hashes each text, eight bytes at a time, for all texts at once.

    Args:
        texts: Strings; the hash of null means nothing.

    Returns:
        uint64, shape (texts,), the same on every machine.
    """
    texts = texts.cast(pa.large_binary())
    _, ends, content = texts.buffers()
    offsets = np.frombuffer(ends, np.int64, len(texts) + 1, texts.offset * 8)
    # Eight bytes from every place on; the padding is for the last places.
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
    """Mixes the bits of uint64 numbers with SplitMix64 (Steele et al., 2014)."""
    mixed = numbers + MIX
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
