import pytest
from small_searches import make_recommender, make_rows

from autorec_core.search import run_search
from autorec_core.training import Budget


@pytest.fixture
def search(tmp_path):
    """Searches in a folder of the test's own, with small settings unless others are given."""

    def run(recommender=None, **settings):
        return run_search(
            recommender or make_recommender(),
            make_rows(400, seed=1),
            make_rows(100, seed=2),
            **{
                "directory": tmp_path / "searches",
                "tuner": "random",
                "max_trials": 3,
                "budget": Budget(epochs=2, patience=1),
                "seed": 4,
                "workers": 0,
                **settings,
            },
        )

    return run
