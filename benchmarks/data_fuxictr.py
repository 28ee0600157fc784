"""Measures FuxiCTR's encoding of the rows of `data.py`; runs in FuxiCTR's own environment."""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any


def main(source: Path, target: Path) -> None:
    from fuxictr.preprocess import FeatureProcessor

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    numbers = [f"I{place}" for place in range(1, 14)]
    categories = [f"C{place}" for place in range(1, 27)]
    columns = [
        {"name": numbers, "dtype": "float", "type": "numeric", "fill_na": 0, **SCALED},
        {"name": categories, "dtype": "str", "type": "categorical", "fill_na": ""},
    ]
    columns = [{"active": True, **column} for column in columns]
    label = {"name": "label", "dtype": "float"}
    start, cpu = time.perf_counter(), time.process_time()
    encoder = FeatureProcessor(
        feature_cols=columns, label_col=label, dataset_id="rows", data_root=str(target)
    )
    frames = {
        part: encoder.preprocess(encoder.read_data(str(source / f"{part}.csv"))) for part in PARTS
    }
    encoder.fit(frames["train"], min_categr_count=1)
    for part, frame in frames.items():
        _encode(encoder, frame.collect(), target / f"{part}.parquet")
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(figures))


def _encode(encoder: Any, rows: Any, path: Path) -> None:
    """Encodes batch by batch as `build_dataset` does, but without its Ray cluster."""
    import polars

    encoded = [
        polars.DataFrame(
            encoder.transform({name: batch[name].to_numpy() for name in batch.columns})
        )
        for batch in rows.iter_slices(BATCH)
    ]
    polars.concat(encoded).write_parquet(path)


BATCH = 100_000
SCALED = {"normalizer": "StandardScaler"}
PARTS = ("train", "valid", "test")

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
