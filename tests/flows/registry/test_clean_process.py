"""The process of a registered version ends with the process that started it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
ASKING = """
import sys
from pathlib import Path
from flows.registry import clean_process
from flows.registry.versions import Version
clean_process._environment = lambda root: {**clean_process.os.environ}
clean_process.tempfile.mkdtemp = lambda prefix: sys.argv[1]
clean_process.CleanProcess(Version("small", 1, (), {"sha256": "0" * 64}, 0))
"""


@pytest.mark.slow
def test_a_killed_asker_takes_a_process_along_that_is_still_loading(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    with socket.socket() as store:  # takes connections and never answers
        store.bind(("127.0.0.1", 0))
        store.listen()
        tracking = f"http://127.0.0.1:{store.getsockname()[1]}"
        asking = subprocess.Popen(
            [sys.executable, "-c", ASKING, str(place)],
            cwd=ROOT,
            env={
                **os.environ,
                "MLFLOW_TRACKING_URI": tracking,
                "MLFLOW_REGISTRY_URI": tracking,
                "MLFLOW_HTTP_REQUEST_TIMEOUT": "300",
            },
        )
        store.settimeout(120)
        connection, _ = store.accept()
        with connection:
            (loading,) = psutil.Process(asking.pid).children()
            asking.kill()
            asking.wait()
            killed = time.monotonic()
            while loading.is_running() and loading.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() < killed + 5
                time.sleep(0.05)
    assert not place.exists()
