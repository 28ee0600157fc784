"""Measures the time that Prefect adds to the steps of the pipeline.

python benchmarks/flow.py DATASET [--repeats 3]

Run it in a workspace whose data set is already built (`autorec run DATASET`). No step then has
anything to do, so only the cost of the flow is measured. The same steps without Prefect are
`dvc repro evaluate@DATASET`, and `register_winner` in a process of its own. A command is timed from
the start to the end of its process. A scheduled run is timed from its creation on the server to its
end. Medians are written to benchmarks/results/flow.json, with the load of the machine and the
processor time of the command, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from autorec_core.files import write_json
from flows.config import Params
from flows.environment import prepare_environment
from flows.processes.services import addresses, down, up

RESULT = Path(__file__).parent / "results" / "flow.json"
REGISTER = """
import sys
from flows.environment import prepare_environment
prepare_environment()
from flows.config import Params
from flows.workspace import Places
from flows.orchestration.register_winner import register_winner
print(register_winner(Params.load(), Places(sys.argv[1])))
"""


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def steps_alone(dataset: str) -> None:
    run("-m", "dvc", "repro", f"evaluate@{dataset}")
    run("-c", REGISTER, dataset)


def flow(dataset: str) -> None:
    run("-m", "flows.cli", "run", dataset)


def scheduled(dataset: str, api: str) -> None:
    """Has the worker run the training deployment now, and waits for its end."""
    where = httpx.get(f"{api}/deployments/name/autorec/{dataset}").raise_for_status().json()["id"]
    made = httpx.post(
        f"{api}/deployments/{where}/create_flow_run", json={"state": {"type": "SCHEDULED"}}
    )
    run_id = made.raise_for_status().json()["id"]
    while True:
        state = httpx.get(f"{api}/flow_runs/{run_id}").raise_for_status().json()["state"]
        if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            assert state["type"] == "COMPLETED", state
            return
        time.sleep(0.2)


def timed(act: Callable[[], None], repeats: int) -> dict[str, Any]:
    seconds, processor, loads = [], [], []
    for _ in range(repeats):
        began, used = time.monotonic(), cpu_seconds()
        act()
        seconds.append(round(time.monotonic() - began, 2))
        processor.append(round(cpu_seconds() - used, 2))
        loads.append(round(os.getloadavg()[0], 1))
    return {
        "median_seconds": statistics.median(seconds),
        "median_cpu_seconds": statistics.median(processor),
        "seconds": seconds,
        "cpu_seconds": processor,
        "load": loads,
    }


def cpu_seconds() -> float:
    """Returns the processor time of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    prepare_environment()
    name, repeats = arguments.dataset, arguments.repeats
    flow(name)  # builds everything, so that the measured runs have nothing to do
    found = {
        "steps_alone": timed(lambda: steps_alone(name), repeats),
        "flow_embedded_server": timed(lambda: flow(name), repeats),
    }
    up(Path())
    try:
        api = addresses(Params.load().services)["PREFECT_API_URL"]
        found["flow_running_server"] = timed(lambda: flow(name), repeats)
        found["unchanged_scheduled_run"] = timed(lambda: scheduled(name, api), repeats)
    finally:
        down(Path())
    over = {
        unit: {
            kind: round(found[f"flow_{kind}_server"][unit] - found["steps_alone"][unit], 2)
            for kind in ("embedded", "running")
        }
        for unit in ("median_seconds", "median_cpu_seconds")
    }
    write_json(
        RESULT,
        {
            "command": f"python benchmarks/flow.py {name} --repeats {repeats}",
            "cores": os.cpu_count(),
            "versions": {one: version(one) for one in ("prefect", "dvc", "mlflow")},
            "overhead": over,
            "unchanged_scheduled_run_seconds": found["unchanged_scheduled_run"]["median_seconds"],
            "measured": found,
        },
    )
    print(over, found["unchanged_scheduled_run"])


if __name__ == "__main__":
    main()
