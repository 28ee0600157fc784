import pytest
from pretended_training import EPOCHS, RATES, Trainer
from small_searches import make_recommender, make_rows

import autorec_core
from autorec_core.search import run_search, workers
from autorec_core.training import Budget


@pytest.fixture
def trainer(monkeypatch):
    trainer = Trainer()
    monkeypatch.setattr(workers, "run_trial", trainer)
    return trainer


@pytest.fixture
def search(tmp_path, trainer):
    """Runs a search; gives its result and what it had trained: trial, from, until."""

    def run(folder="searches", **settings):
        trainer.ran.clear()
        result = run_search(
            make_recommender(learning_rate=autorec_core.choice(*RATES)),
            make_rows(40, seed=1),
            make_rows(10, seed=2),
            directory=tmp_path / folder,
            **{
                "tuner": "halving",
                "max_trials": 12,
                "workers": 0,
                "seed": 4,
                "budget": Budget(epochs=EPOCHS, patience=2),
                **settings,
            },
        )
        return result, list(trainer.ran)

    return run
