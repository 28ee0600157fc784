import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import strange_blocks
from small_searches import Notes, make_recommender

import autorec_core

HELPERS = Path(__file__).parent.parent

PROGRAM = f"""
import sys
from pathlib import Path

sys.path.insert(0, {str(HELPERS)!r})
from small_searches import make_recommender, make_rows
from autorec_core.search import Listener, run_search
from autorec_core.training import Budget


class Count(Listener):
    def on_trial_start(self, trial):
        print("started", trial.number, flush=True)


# No guard: the program is not imported by worker processes.
run_search(
    make_recommender(),
    make_rows(20_000, seed=1),
    make_rows(2_000, seed=2),
    directory=Path(sys.argv[1]),
    tuner="greedy",
    max_trials=5,
    budget=Budget(epochs=10, patience=10),
    seed=4,
    workers=1,
    listener=Count(),
)
"""


def found(result):
    return {
        trial.number: (dict(trial.hyperparameters), trial.score) for trial in result.leaderboard
    }


@pytest.mark.slow
def test_processes_find_what_this_process_finds(search, tmp_path):
    notes = Notes()
    inline = search(max_trials=4)
    processes = search(max_trials=4, workers=2, directory=tmp_path / "processes", listener=notes)
    assert {n: values for n, (values, _) in found(processes).items()} == {
        n: values for n, (values, _) in found(inline).items()
    }
    for number, (_, score) in found(processes).items():
        assert score == pytest.approx(found(inline)[number][1], rel=1e-4)
    assert sorted(notes.started) == sorted(notes.ended) == [0, 1, 2, 3]
    assert sorted(notes.rows) == [(trial, step) for trial in range(4) for step in (1, 2)]


@pytest.mark.slow
def test_a_worker_that_dies_is_a_failed_trial_and_the_others_go_on(search):
    block = strange_blocks.StrangeInteraction(mood=autorec_core.choice("deadly", "calm"))
    result = search(make_recommender(block, learning_rate=0.01), workers=1)
    reasons = {
        trial.hyperparameters["strange_interaction_1/mood"]: (trial.number, trial.reason)
        for trial in result.leaderboard
    }
    assert reasons["calm"] == (1, None)
    assert reasons["deadly"][0] == 0
    assert "worker process died" in reasons["deadly"][1]


@pytest.mark.slow
def test_a_bug_in_a_worker_process_passes_through(search):
    block = strange_blocks.StrangeInteraction(mood="buggy")
    with pytest.raises(AttributeError, match="no_such_attribute"):
        search(make_recommender(block), workers=1)


def test_any_executor_can_run_the_trials(search, tmp_path):
    with ThreadPoolExecutor(max_workers=1) as executor:
        result = search(executor=executor, workers=1)
    assert found(result) == found(search(directory=tmp_path / "inline"))


class TestKilled:
    """A search that is killed continues with the trials that it has finished."""

    def run(self, folder, *, kill_after=None, wait=0.0):
        """The trials that a run of the program starts; with `kill_after`, up to its end."""
        program = folder.parent / "program.py"
        program.write_text(PROGRAM)
        process = subprocess.Popen(
            [sys.executable, str(program), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started = []
        for line in process.stdout:
            started.append(int(line.split()[1]))
            if started[-1] == kill_after:
                time.sleep(wait)
                workers = children(process.pid)
                process.send_signal(signal.SIGKILL)
                process.wait()
                assert workers
                assert not_alive_soon(workers)
        process.stdout.close()
        process.wait()
        return started

    @staticmethod
    def trials(folder):
        return {
            path.name: {
                key: json.loads(path.read_text())[key]
                for key in ("hyperparameters", "score", "best_step", "known")
            }
            for path in folder.glob("*/trials/*.json")
        }

    @pytest.mark.slow
    def test_the_result_is_that_of_an_undisturbed_search(self, tmp_path):
        undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
        assert self.run(undisturbed) == [0, 1, 2, 3, 4]
        assert self.run(killed, kill_after=1) == [0, 1]
        assert self.run(killed, kill_after=3, wait=0.3)[0] in (1, 2)
        assert self.run(killed)[0] >= 3
        assert self.trials(killed) == self.trials(undisturbed)
        assert len(self.trials(killed)) == 5
        models = [list(folder.glob("*/model-*.keras")) for folder in (undisturbed, killed)]
        assert [path.name for path in models[0]] == [path.name for path in models[1]]


def children(parent):
    """The ids of a process' children."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


def not_alive_soon(processes):
    """Whether the processes end within some seconds."""
    for _ in range(100):
        if not any(alive(process) for process in processes):
            return True
        time.sleep(0.1)
    return False


def alive(process):
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"
