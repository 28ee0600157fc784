"""The registry's model, saved as this code: raw rows in, scores out.

It travels with `autorec_core` and a scorer's folder, and holds no pickle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class RecommenderModel(PythonModel):
    """Scores a table of raw rows with the scorer among its artifacts."""

    def load_context(self, context: Any) -> None:
        """Loads the scorer, whose files are held against their hashes."""
        from autorec_core.scorer import Scorer

        self.scorer = Scorer.load(Path(context.artifacts["scorer"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Scores rows as they stand in the raw file; float32, shape (rows,)."""
        return self.scorer.score(model_input)


set_model(RecommenderModel())
