"""Halving that was killed, or has another limit, finds what an undisturbed search finds."""

import pytest
from pretended_training import EPOCHS, found, unzipped


class TestInterrupted:
    def test_killed_anywhere_and_resumed_it_finds_the_same(self, search, trainer):
        whole, ran = search("whole")
        for instant in range(2, len(ran), 3):
            trainer.dies_before = instant
            with pytest.raises(KeyboardInterrupt):
                search(f"killed {instant}")
            trainer.dies_before = None
            resumed, again = search(f"killed {instant}")
            assert found(resumed) == found(whole)
            assert again == ran[instant:]
        assert search("whole")[1] == []

    def test_more_trials_go_on_and_find_what_a_search_of_so_many_finds(self, search):
        for number in (3, 10):
            search(f"raised {number}", max_trials=number)
            raised, ran = search(f"raised {number}", max_trials=14)
            afresh, all_ran = search("afresh", max_trials=14, overwrite=True)
            assert found(raised) == found(afresh)
            assert len(ran) < len(all_ran)
            assert search(f"raised {number}", max_trials=14)[1] == []

    def test_fewer_trials_give_what_a_search_of_so_many_finds(self, search):
        search(max_trials=12)
        for number in (4, 9):
            fewer, _ = search(max_trials=number)
            assert found(fewer) == found(search("afresh", max_trials=number, overwrite=True)[0])
            assert unzipped(fewer.model_path.read_bytes()) == repr(fewer.best.score)
        again, _ = search(max_trials=12)
        assert found(again) == found(search("afresh", max_trials=12, overwrite=True)[0])

    def test_a_lost_or_damaged_checkpoint_costs_time_alone(self, search, trainer):
        whole, ran = search("whole")
        instant = next(place for place, (_, began, _) in enumerate(ran) if began)
        for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b"PK")):
            trainer.dies_before = instant
            with pytest.raises(KeyboardInterrupt):
                search("lost", overwrite=True)
            trainer.dies_before = None
            for path in (whole.directory.parent.parent / "lost").rglob("*.npz"):
                damage(path)
            resumed, again = search("lost")
            assert again[0] == (ran[instant][0], 0, ran[instant][2])
            assert found(resumed) == found(whole)

    def test_checkpoints_are_kept_of_paused_trials_within_their_room(self, search, monkeypatch):
        result, _ = search()
        paused = [t for t in result.leaderboard if t.stopped == "paused"]
        names = [path.stem for path in (result.directory / "checkpoints").glob("*.npz")]
        assert sorted(names) == sorted(f"{t.number:04d}-{t.until:05d}" for t in paused)
        size = (result.directory / "checkpoints" / f"{names[0]}.npz").stat().st_size
        monkeypatch.setattr("autorec_core.search.records.store.CHECKPOINT_BYTES", 2 * size + 20)
        less, _ = search("little room")
        assert found(less) == found(result)
        assert len(list((less.directory / "checkpoints").glob("*.npz"))) <= 2


class TestBudgets:
    @pytest.mark.parametrize("tuner", ["random", "halving"])
    def test_no_trial_starts_after_so_many_epochs(self, search, tuner):
        result, ran = search(tuner=tuner, max_epochs=60)
        spent = [t.spent for t in sorted(result.leaderboard, key=lambda t: t.number)]
        last = ran[-1]
        assert sum(spent) >= 60
        assert sum(spent) - (len(ran) and (spent[last[0]] - last[1])) < 60
        assert search(tuner=tuner, max_epochs=60)[1] == []
        more, _ = search(tuner=tuner, max_epochs=90)
        assert found(more) == found(search("afresh", tuner=tuner, max_epochs=90)[0])

    def test_time_of_earlier_parts_counts_once(self, search):
        """Each fake epoch takes a second, by its record."""
        result, _ = search(max_trials=6)
        spent = sum(trial.seconds for trial in result.leaderboard)
        assert search(max_trials=12, seconds=EPOCHS - 1)[1] == []
        assert spent > EPOCHS
        assert len(search(max_trials=7, seconds=10 * spent)[1]) >= 1
