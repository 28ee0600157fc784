"""Preparing on a Dask cluster gives the same files and the same errors."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading

import pytest
from distributed import LocalCluster

from autorec_core.config import PreprocessParams
from autorec_core.data.compute import LOCAL, compute_at, run_ahead
from autorec_core.data.preparing import store
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.reading import raw
from autorec_core.data.synthetic.generator import generate
from autorec_core.errors import DataError, UnreachableError

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dask_data")]


@pytest.fixture(scope="module")
def address():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def small_partitions(monkeypatch):
    """Makes many partitions from few rows."""
    monkeypatch.setattr(store, "CHUNK_ROWS", 400)
    monkeypatch.setattr(raw, "BLOCK_BYTES", 20_000)


CRITEO = {
    "task": "ctr",
    "label": "label",
    "categorical": [f"C{place}" for place in range(1, 27)],
    "numeric": [f"I{place}" for place in range(1, 14)],
    "user": None,
    "item": None,
}
FORM = {"kind": "delimited", "separator": "\t", "header": False, "quoted": False}
COLUMNS = [CRITEO["label"], *CRITEO["numeric"], *CRITEO["categorical"]]


def described(entry, **changes):
    facts = {**entry().facts.model_dump(), "label_values": [0.0, 1.0]}
    return entry(**CRITEO, format={**FORM, "columns": COLUMNS}, facts=facts, **changes)


def digests(folder):
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_files_do_not_depend_on_where_they_are_computed(
    entry, split, address, small_partitions, tmp_path
):
    generate("criteo", 2000, tmp_path / "rows", seed=1, dirt=0.002)
    dirty = described(entry, on_bad_rows="quarantine", max_bad_rows=100)
    settings = PreprocessParams(
        min_count=2, max_vocabulary=None, numeric="quantile", missing_flag=True
    )
    prepare(dirty, split, settings, 1, tmp_path / "rows", tmp_path / "here", LOCAL)
    with compute_at(address) as cluster:
        prepare(dirty, split, settings, 1, tmp_path / "rows", tmp_path / "there", cluster)

    assert "bad_rows.csv" in digests(tmp_path / "here")
    assert digests(tmp_path / "there") == digests(tmp_path / "here")


def test_errors_on_a_cluster_are_the_same_as_in_threads(
    entry, split, preprocess, address, small_partitions, tmp_path
):
    generate("criteo", 2000, tmp_path / "rows", seed=1, dirt=0.002)
    messages = []
    for place in (None, address):
        with compute_at(place) as compute, pytest.raises(DataError) as caught:
            prepare(
                described(entry),
                split,
                preprocess,
                1,
                tmp_path / "rows",
                tmp_path / "out",
                compute,
            )
        messages.append(str(caught.value))

    assert messages[0] == messages[1]
    assert ", line " in messages[0]
    assert not (tmp_path / "out").exists()


@pytest.fixture
def soon_lost(monkeypatch):
    """Makes a cluster lost a second after its last sign of life."""
    monkeypatch.setattr("autorec_core.cluster.WORKER_SECONDS", 1)
    monkeypatch.setattr("autorec_core.cluster.ANSWER_SECONDS", 1)


def test_a_cluster_that_loses_its_workers_or_its_scheduler_is_not_waited_for(soon_lost):
    def sums(compute, after):
        found = compute.map(sum, ([[number] * 10] for number in range(50)))
        assert next(found) == 0
        after()
        return list(found)

    for lost in ("workers", "scheduler"):
        with LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster:
            ends = (lambda: cluster.scale(0)) if lost == "workers" else cluster.close
            with (
                compute_at(cluster.scheduler_address) as compute,
                pytest.raises(UnreachableError, match="has lost its scheduler or all of its"),
            ):
                sums(compute, ends)


def test_a_result_that_is_lost_with_its_worker_is_not_waited_for(soon_lost):
    class Fatal:
        """Ends the process that sends it away."""

        def __reduce__(self):
            os._exit(1)

    with LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        address = cluster.scheduler_address
        command = ["-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
        worker = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
        try:
            cluster.wait_for_workers(1, timeout=60)
            with (
                compute_at(address) as compute,
                pytest.raises(UnreachableError, match="has lost its scheduler or all of its"),
            ):
                list(compute.map(lambda number: Fatal(), [(1,)]))
        finally:
            worker.kill()
            worker.wait()


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("autorec_core.cluster.ANSWER_SECONDS", 0.5)
    with (
        pytest.raises(UnreachableError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        compute_at("tcp://127.0.0.1:9"),
    ):
        pass


def test_one_item_is_made_ahead_and_the_generator_is_closed():
    made, closed = [], threading.Event()

    def items():
        try:
            for number in range(1, 9):
                made.append(number)
                yield number
        finally:
            closed.set()

    with run_ahead(items()) as coming:
        taken = [next(coming), next(coming)]

    assert taken == [1, 2]
    assert made in ([1, 2], [1, 2, 3])
    assert closed.is_set()


def test_an_error_in_the_next_item_is_raised_when_it_is_taken():
    def items():
        yield 1
        raise DataError("wrong")

    with run_ahead(items()) as coming:
        assert next(coming) == 1
        with pytest.raises(DataError, match="wrong"):
            next(coming)
