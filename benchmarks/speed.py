"""Measures the speed of training and search, as ratios within one run: `make bench`.

python benchmarks/speed.py [--rounds N] [--rows N] [--ratings FILE] [--epochs N] [--only NAME ...]

Contestants are processes that stay alive and train in turn, so other work on the machine affects
all of them alike. A ratio is the median over rounds. There are ratios of elapsed time and of
processor time, which other work hardly changes. DeepCTR-Torch gets an environment of its own in the
user's cache. The search needs MovieLens 1M's ratings.dat (or ratings.dat.gz).
Results are written to benchmarks/results/speed.json and speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from autorec_core.files import write_json, write_text

HERE = Path(__file__).parent
RESULTS = HERE / "results"
TORCH = (
    "torch==2.13.0",
    "deepctr-torch==0.3.0",
    "requests",
)  # it imports requests without declaring it
SMALL, LARGE, HUGE = 26_000, 1_000_000, 10_000_000
# name: title, the two contestants (ratio = first ÷ second), targets "must" and "ahead"
ROWS: dict[str, tuple[str, str, str, float, float | None]] = {
    "keras": ("DeepFM, 1 M ids: ours ÷ Keras fit", f"engine {LARGE}", f"keras {LARGE}", 4, 6),
    "torch": ("DeepFM, 1 M ids: ours ÷ DeepCTR-Torch", f"engine {LARGE}", f"torch {LARGE}", 4, 6),
    "small": ("DeepFM, 26 K ids: ours ÷ DeepCTR-Torch", f"engine {SMALL}", f"torch {SMALL}", 3, 5),
    "huge": ("DeepFM: 10 M ids ÷ 26 K ids", f"engine {HUGE}", f"engine {SMALL}", 0.4, 0.8),
}
SEARCH = ("10-trial AutoRec-RP, MovieLens 1M, thesis space: KerasTuner's time ÷ ours", 4, 8)
MEMORY = ("driver memory after 30 trials ÷ after 3", 1.1)

BUSY = (
    "Taken while other work kept the processors busy, which slows down libraries that wait for all "
    "their threads at every step far more than ours: these ratios are not those of a quiet machine."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20_480)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--ratings", type=Path)
    parser.add_argument("--only", nargs="+", choices=[*ROWS, "search", "memory"])
    arguments = parser.parse_args()
    wanted = arguments.only or [*ROWS, "search", "memory"]
    figures: dict[str, Any] = {}
    if names := [name for name in ROWS if name in wanted]:
        figures |= training(names, arguments.rounds, arguments.rows)
    if "search" in wanted and arguments.ratings is not None:
        figures["search"] = search(arguments.ratings, arguments.epochs)
    if "memory" in wanted:
        figures["memory"] = memory()
    write(figures)


def training(names: list[str], rounds: int, rows: int) -> dict[str, Any]:
    """Returns ratios of training speeds; the contestants train in turn."""
    contestants = list(dict.fromkeys(who for name in names for who in ROWS[name][1:3]))
    speeds: dict[str, list[dict[str, float]]] = {who: [] for who in contestants}
    with_torch = any(who.startswith("torch") for who in contestants)
    torch = torch_environment() if with_torch else Path()
    processes = {}
    try:
        for who in contestants:
            processes[who] = contestant(who, rows, torch)
            next_answer(processes[who])
        for number in range(rounds):
            for who in contestants:
                processes[who].stdin.write("\n")
                processes[who].stdin.flush()
                speeds[who].append(json.loads(next_answer(processes[who])))
                print(f"round {number + 1}: {who}: {speeds[who][-1]['per_s']:,.0f} samples/s")
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    figures = {}
    for name in names:
        title, ours, theirs, must, ahead = ROWS[name]
        figures[name] = {
            "what": title,
            **{
                label: round(
                    statistics.median(
                        a[key] / b[key] for a, b in zip(speeds[ours], speeds[theirs], strict=True)
                    ),
                    2,
                )
                for label, key in (("ratio", "per_s"), ("ratio_processor", "per_processor_s"))
            },
            "must": must,
            "ahead": ahead,
            "samples_a_second": {
                who: [round(speed["per_s"]) for speed in speeds[who]] for who in (ours, theirs)
            },
        }
    return figures


def contestant(who: str, rows: int, torch: Path) -> Any:
    how, ids = who.split()
    if how == "torch":
        command = [str(torch / "bin" / "python"), str(HERE / "deepfm_torch.py"), ids, str(rows)]
    else:
        command = [sys.executable, str(HERE / "deepfm_ours.py"), how, ids, str(rows)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def next_answer(process: Any) -> str:
    """Returns the next line of the contestant, without lines that its library prints."""
    for line in process.stdout:
        if line.startswith(("ready", "{")):
            return line
    raise SystemExit(f"{shlex.join(process.args)} has ended; run it by hand to see why.")


def torch_environment() -> Path:
    """Returns the environment of DeepCTR-Torch; creates it if it does not exist."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "autorec-bench" / "deepctr-torch"
    python = place / "bin" / "python"
    if not (place / ".complete").exists():
        print(f"Making an environment with {', '.join(TORCH)} ...")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *TORCH], check=True)
        (place / ".complete").touch()
    return place


def search(ratings: Path, epochs: int) -> dict[str, Any]:
    """Compares our search with KerasTuner's loop on the same ten candidates and epochs."""
    took = {
        who: measured("search_movielens.py", who, str(ratings), str(epochs))
        for who in ("ours", "tuner")
    }
    title, must, ahead = SEARCH
    return {
        "what": title,
        "ratio": round(took["tuner"]["seconds"] / took["ours"]["seconds"], 2),
        "ratio_processor": round(
            took["tuner"]["processor_seconds"] / took["ours"]["processor_seconds"], 2
        ),
        "must": must,
        "ahead": ahead,
        "epochs": epochs,
        **took,
    }


def memory() -> dict[str, Any]:
    found = measured("driver_memory.py")
    title, must = MEMORY
    ratio = round(found["after_30_mb"] / found["after_3_mb"], 3)
    return {"what": title, "ratio": ratio, "must": must, "ahead": None, **found}


def measured(script: str, *arguments: str) -> dict[str, Any]:
    """Runs a benchmark of its own file, and returns the figures in its last line."""
    print(f"{script} {' '.join(Path(argument).name for argument in arguments)} ...")
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def write(figures: dict[str, Any]) -> None:
    """Adds figures to those of earlier runs, and writes the table of all."""
    path = RESULTS / "speed.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    options = shlex.join("FILE" if Path(a).is_file() else a for a in sys.argv[1:])
    about = {
        "command": f"python benchmarks/speed.py {options}".strip(),
        "machine": {"cores": os.cpu_count(), "kind": platform.machine()},
        "load_average_at_end": round(os.getloadavg()[0], 1),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("tensorflow", "keras", "keras-tuner", "numpy")},
            **dict(requirement.split("==") for requirement in TORCH[:2]),
        },
    }
    known |= {name: {**row, **about} for name, row in figures.items()}
    write_json(path, known)
    lines = [
        "| benchmark | ratio, elapsed time | ratio, processor time | must | ahead |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in (*ROWS, "search", "memory"):
        if name in known:
            row = known[name]
            cells = [row["ratio"], row.get("ratio_processor", ""), row["must"], row["ahead"] or ""]
            lines.append(f"| {row['what']} | {' | '.join(map(str, cells))} |")
    if any(row["load_average_at_end"] > 2 * row["machine"]["cores"] for row in known.values()):
        lines += ["", BUSY]
    write_text(RESULTS / "speed.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
