"""The MLflow model: takes raw rows and returns scores. MLflow saves it as this source file.

`autorec_core` and the scorer's folder are registered with it. There is no pickle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class RecommenderModel(PythonModel):
    """Scores a table of raw rows with the scorer in its artifacts."""

    def load_context(self, context: Any) -> None:
        """Loads the scorer and compares its files with their hashes."""
        from autorec_core.scorer import Scorer

        self.scorer = Scorer.load(Path(context.artifacts["scorer"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Scores raw rows. Returns float32, shape (rows,)."""
        return self.scorer.score(model_input)


set_model(RecommenderModel())
