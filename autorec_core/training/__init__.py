"""The training engine: it trains ordinary Keras models with a fast training loop of its own."""

from autorec_core.training.checkpoint import Checkpoint
from autorec_core.training.compiled import Compiled, CompiledModels
from autorec_core.training.errors import FailedTrial
from autorec_core.training.loop import refit, train
from autorec_core.training.prediction import Predictor, evaluate, predict
from autorec_core.training.rows import Rows, StoredRows
from autorec_core.training.schedule import Budget, Limits, Schedule, Stopped, Trained
from autorec_core.training.trial import Outcome, Task, run_trial

__all__ = [
    "Budget",
    "Checkpoint",
    "Compiled",
    "CompiledModels",
    "FailedTrial",
    "Limits",
    "Outcome",
    "Predictor",
    "Rows",
    "Schedule",
    "Stopped",
    "StoredRows",
    "Task",
    "Trained",
    "evaluate",
    "predict",
    "refit",
    "run_trial",
    "train",
]
