"""Hopeless trials stop early, and the winner stays the same."""

import pytest
from pretended_training import EPOCHS, found

from autorec_core.metrics import METRICS
from autorec_core.search.pruning import MedianRule


class TestPruned:
    def test_the_median_rule(self):
        rule = MedianRule(METRICS["mse"], evaluations=9)
        for curve in ([3, 2, 1], [5, 4, 4.5], [2, 2.5]):
            assert rule.worst() == {}
            rule.add(curve)
        assert rule.worst() == {1: 3, 2: 2, 3: 2}
        rule.add([9])
        assert rule.worst() == {1: 5, 2: 4, 3: 4}  # of an even number the worse one
        more = MedianRule(METRICS["auc"], evaluations=27)
        for curve in ([0.5, 0.6, 0.7, 0.7], [0.6, 0.8, 0.7, 0.9], [0.9, 0.1, 0.1, 0.1]):
            more.add(curve)
        assert more.worst() == {3: 0.8, 4: 0.9}

    @pytest.mark.parametrize("tuner", ["random", "greedy", "bayesian"])
    def test_hopeless_trials_stop_and_the_winner_is_the_same_as_of_those_that_ran(
        self, search, trainer, tuner
    ):
        trainer.plateaus = False
        result, _ = search(tuner=tuner, prune=True)
        stopped = {trial.number: trial.stopped for trial in result.leaderboard}
        assert "pruned" in stopped.values()
        assert not {"pruned"} & {stopped[n] for n in range(3)}
        assert result.best.stopped != "pruned"
        assert sum(trial.spent for trial in result.leaderboard) < 12 * EPOCHS
        again, nothing = search(tuner=tuner, prune=True)
        assert (found(again), nothing) == (found(result), [])
        assert all(trial.status == "completed" for trial in result.leaderboard)

    def test_killed_and_resumed_it_prunes_the_same(self, search, trainer):
        trainer.plateaus = False
        whole, _ = search("whole", tuner="random", prune=True)
        assert "pruned" in [trial.stopped for trial in whole.leaderboard]
        for instant in (4, 9):
            trainer.dies_before = instant
            with pytest.raises(KeyboardInterrupt):
                search(f"killed {instant}", tuner="random", prune=True)
            trainer.dies_before = None
            assert found(search(f"killed {instant}", tuner="random", prune=True)[0]) == found(whole)

    def test_a_search_that_prunes_is_another_search(self, search):
        one, other = search(tuner="random"), search(tuner="random", prune=True)
        assert one[0].directory != other[0].directory
