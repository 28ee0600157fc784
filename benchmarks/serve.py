"""Measures the speed of serving and of scoring files.

python benchmarks/serve.py WORKSPACE DATASET

The workspace must have two registered versions, one of them the champion. `autorec serve` runs
there on loopback. It gets requests from one client, then from 64 clients for a minute. In that
minute the alias moves to the other version and back. Then `autorec score` reads generated CSV files
of growing length.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np

from autorec_core.data.preparing.store import load_rows
from autorec_core.files import write_json
from flows.environment import prepare_environment
from flows.registry.versions import LIVE, aliased, client, list_versions, model_name
from flows.workspace import Places

REQUESTS = 500
CLIENTS = 64
AUTOREC = str(Path(sys.executable).with_name("autorec"))


@contextlib.contextmanager
def served(workspace: Path, dataset: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [AUTOREC, "serve", dataset, "--port", str(port)]
    process = subprocess.Popen(command, cwd=workspace)
    try:
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            assert process.poll() is None, "autorec serve ended"
            time.sleep(0.5)
        yield port
    finally:
        process.terminate()
        process.wait()


def one_client(port: int, rows: list[dict]) -> dict[str, float]:
    """Returns the milliseconds of one client's sequential requests, after a warm-up."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body, times = json.dumps({"rows": rows}), []
    for _ in range(REQUESTS + 50):
        started = time.perf_counter()
        connection.request("POST", "/score", body)
        answer = connection.getresponse()
        answer.read()
        times.append(1000 * (time.perf_counter() - started))
        assert answer.status == 200
    times = sorted(times[50:])
    return {
        "p50_ms": round(statistics.median(times), 2),
        "p95_ms": round(times[int(0.95 * REQUESTS)], 2),
    }


async def many_clients(port: int, rows: list[dict], seconds: float, move) -> dict[str, object]:
    """Counts the answers to 64 clients in `seconds`; calls `move` after one and two thirds."""
    end = time.monotonic() + seconds
    seen: Counter[str] = Counter()
    times: list[float] = []

    async def ask(session: httpx.AsyncClient) -> None:
        while time.monotonic() < end:
            started = time.perf_counter()
            try:
                answer = await session.post("/score", json={"rows": rows})
                outcome = f"{answer.status_code} by version {answer.json().get('version')}"
            except httpx.HTTPError as error:
                outcome = type(error).__name__
            seen[outcome] += 1
            times.append(1000 * (time.perf_counter() - started))

    async def moves() -> None:
        for turn in range(2):
            await asyncio.sleep(seconds / 3)
            await asyncio.to_thread(move, turn)

    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=120, limits=limits
    ) as session:
        await asyncio.gather(*(ask(session) for _ in range(CLIENTS)), moves())
    return {
        "clients": CLIENTS,
        "seconds": seconds,
        "alias_moves": 2,
        "answers": dict(sorted(seen.items())),
        "errors": sum(count for outcome, count in seen.items() if not outcome.startswith("200")),
        "p50_ms": round(statistics.median(times), 1),
    }


def score_files(workspace: Path, dataset: str, sizes: list[int]) -> list[dict[str, float]]:
    """Measures `autorec score` on CSV files that repeat the test rows."""
    rows = load_rows(Places(dataset, workspace).prepared, "test")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "rows.csv", Path(folder) / "scores.csv"
        for size in sizes:
            times = int(np.ceil(size / len(rows)))
            text = rows.to_csv(index=False)
            head, _, body = text.partition("\n")
            with source.open("w", encoding="utf-8") as file:
                file.write(head + "\n")
                for _ in range(times):
                    file.write(body)
            command = [AUTOREC, "score", dataset]
            command += ["--input", str(source), "--output", str(target)]
            started = time.perf_counter()
            process = subprocess.Popen(command, cwd=workspace, stdout=subprocess.DEVNULL)
            _, code, used = os.wait4(process.pid, 0)
            assert code == 0
            found.append(
                {
                    "rows": times * len(rows),
                    "seconds": round(time.perf_counter() - started, 1),
                    "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
                    "peak_mb": round(used.ru_maxrss / 1024),
                }
            )
            print(found[-1], flush=True)
    return found


def main() -> None:
    prepare_environment()
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("dataset")
    parser.add_argument("--seconds", type=float, default=60.0)
    sizes = [100_000, 1_100_000, 4_100_000, 8_100_000]
    parser.add_argument("--sizes", type=int, nargs="*", default=sizes)
    parser.add_argument(
        "--parts", nargs="*", choices=["serve", "score"], default=["serve", "score"]
    )
    options = parser.parse_args()
    workspace, dataset = options.workspace.resolve(), options.dataset

    live = aliased(dataset, LIVE, workspace).number
    other = next(v.number for v in list_versions(dataset, workspace) if v.number != live)

    def move(turn: int) -> None:
        number = str(other if turn == 0 else live)
        client(workspace).set_registered_model_alias(model_name(dataset), LIVE, number)

    path = Path(__file__).parent / "results" / "serve.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for part in options.parts:
        measured = (
            measure_server(workspace, dataset, options.seconds, move)
            if part == "serve"
            else measure_files(workspace, dataset, options.sizes)
        )
        result[part] = {
            "command": f"python benchmarks/serve.py WORKSPACE {dataset} --parts {part}",
            "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
            "load_average": [round(one, 1) for one in os.getloadavg()],
            **measured,
        }
        write_json(path, result)
    print(json.dumps(result, indent=2))


def measure_server(workspace: Path, dataset: str, seconds: float, move) -> dict[str, object]:
    rows = load_rows(Places(dataset, workspace).prepared, "test").head(100)
    asked = json.loads(rows.to_json(orient="records"))
    with served(workspace, dataset) as port:
        return {
            "one_row": one_client(port, asked[:1]),
            "hundred_rows": one_client(port, asked),
            "load": asyncio.run(many_clients(port, asked[:1], seconds, move)),
        }


def measure_files(workspace: Path, dataset: str, sizes: list[int]) -> dict[str, object]:
    """Measures files; rates come from the difference to the shortest, so start-up is left out."""
    files = score_files(workspace, dataset, sizes)
    first, last = files[0], files[-1]
    rows = last["rows"] - first["rows"]
    return {
        "files": files,
        "rows_per_second": round(rows / (last["seconds"] - first["seconds"])),
        "rows_per_cpu_second": round(rows / (last["cpu_seconds"] - first["cpu_seconds"])),
    }


if __name__ == "__main__":
    main()
