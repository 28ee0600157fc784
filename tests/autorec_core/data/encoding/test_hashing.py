"""Hashes of different texts differ, never change, and are spread evenly over buckets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from autorec_core.data.encoding.hashing import hashes
from autorec_core.data.preparing.tally import BUCKETS, TOP


def test_equal_texts_have_equal_hashes_and_others_do_not():
    texts = [
        "",
        "a",
        "a\0",
        "\0a",
        "12345678",
        "123456789",
        "87654321",
        "x" * 100,
        "é",
        *map(str, range(5000)),
    ]
    found = hashes(pa.array(texts))

    assert len(set(found.tolist())) == len(texts)
    assert hashes(pa.array(["skipped", *texts, None]).slice(1)).tolist() == [*found, found[0]]
    assert hashes(pa.array([], pa.string())).tolist() == []
    # So that tallies of two versions of the data can be compared, it must never change.
    assert hashes(pa.array(["user 1"])).tolist() == [5547966384323193054]
    in_buckets = np.bincount(found % np.uint64(BUCKETS), minlength=BUCKETS)
    assert in_buckets.min() > 40
    assert np.bincount((found >> TOP).astype(int), minlength=BUCKETS).min() > 40
