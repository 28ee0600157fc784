"""Takes the place of training: the curve of a trial depends only on its hyperparameters."""

import io
import json
import zipfile

from autorec_core.training import Outcome, Schedule

RATES = (0.001, 0.002, 0.003, 0.01, 0.02, 0.03)
UNITS = {4: 0.3, 8: 0.1, 16: 0.2}
EPOCHS = 27


def zipped(text):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("text", text)
    return content.getvalue()


def unzipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return file.read("text").decode()


def level(task):
    """What a trial's score tends to; the best has 8 units and the least rate."""
    (mlp,) = [node["block"] for node in task.recommender["nodes"] if "units" in str(node)]
    rate = task.recommender["training"]["learning_rate"]
    return UNITS[mlp["units"]] + rate + mlp["dropout_rate"] / 1000


class Trainer:
    """Takes the place of training: each epoch brings a score nearer to its level.

    Those of 16 units plateau in their second epoch.
    """

    def __init__(self):
        self.ran = []
        self.dies_before = None
        self.plateaus = True

    def __call__(self, task, report=None, models=None):
        assert len(self.ran) < 200, "the search runs without end"
        if len(self.ran) == self.dies_before:
            raise KeyboardInterrupt
        aim = level(task)
        began = 0
        if task.checkpoint is not None:
            identity, began = json.loads(unzipped(task.checkpoint))
            assert identity == aim
        self.ran.append((task.number, began, task.limits.until))
        curve = [self.row(step, aim) for step in range(1, began + 1)]
        stopped = "all epochs"
        for step in range(began + 1, task.budget.epochs + 1):
            curve.append(self.row(step, aim))
            if report is not None:
                report(curve[-1])
            if 0.2 <= aim < 0.3 and step == 2 and self.plateaus:
                stopped = "plateau"
            elif step == task.budget.epochs:
                stopped = "all epochs"
            elif curve[-1]["mse"] > task.limits.worst.get(step, 99):
                stopped = "pruned"
            elif step == task.limits.until:
                stopped = "paused"
            else:
                continue
            break
        score = curve[-1]["mse"]
        paused = stopped == "paused"
        return Outcome(
            score=score,
            best_step=len(curve),
            metrics={"mse": score},
            curve=tuple(curve),
            schedule=Schedule((0.1,) * len(curve), 1, 64),
            seconds=float(len(curve) - began),
            model=zipped(repr(score)),
            stopped=stopped,
            checkpoint=zipped(json.dumps([aim, len(curve)])) if paused else None,
        )

    @staticmethod
    def row(step, aim):
        return {
            "step": step,
            "epoch": float(step),
            "loss": 1.0,
            "learning_rate": 0.1,
            "seconds": float(step),
            "mse": aim + 1 / step,
        }


def found(result):
    """What a search says of each trial, but for the time."""
    return {
        trial.number: (
            dict(trial.hyperparameters),
            trial.score,
            trial.best_step,
            trial.spent,
            trial.stopped,
            trial.known,
        )
        for trial in result.leaderboard
    }
