import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from autorec_core.metrics import METRICS
from autorec_core.search import Display, SearchPlan, SearchResult, TrialRecord

CURVE = ({"step": 1, "epoch": 1.0, "loss": 0.9, "learning_rate": 0.001, "mse": 0.84},)
FIRST = TrialRecord(
    number=0,
    hyperparameters={
        "hyper_interaction_1/interactor_type_0": "FMInteraction",
        "hyper_interaction_1/fm_interaction_0/embedding_dim": 8,
    },
    known=0,
    epochs=5,
    status="completed",
    score=0.84,
    best_step=1,
    metrics={"mse": 0.84},
    curve=CURVE,
    seconds=2.5,
)
SECOND = TrialRecord(
    number=1, hyperparameters={}, known=1, epochs=5, status="failed", reason="out of memory"
)


def shown(*, first=FIRST, constant_score=1.2, terminal=False, width=120):
    """What the display of a search of two trials prints."""
    screen = io.StringIO()
    display = Display(Console(file=screen, width=width, force_terminal=terminal))
    display.on_search_start(
        SearchPlan(
            objective="val_mse",
            metric=METRICS["mse"],
            tuner="random",
            max_trials=2,
            epochs=5,
            workers=1,
            directory=Path(),
            finished=(),
        )
    )
    for trial in (FIRST, SECOND):
        display.on_trial_start(
            TrialRecord(number=trial.number, hyperparameters={}, known=0, epochs=5)
        )
        for row in trial.curve:
            display.on_epoch(trial, row)
        display.on_trial_end(trial)
    display.on_search_end(
        SearchResult(
            objective="val_mse",
            metric=METRICS["mse"],
            best=first,
            leaderboard=(first, SECOND),
            winner=None,
            recommender=None,
            model_path=Path(),
            directory=Path(),
            constant_score=constant_score,
            seconds=5.0,
        )
    )
    display.close()
    return screen.getvalue()


def test_a_trial_that_waits_or_was_given_up_says_so():
    screen = io.StringIO()
    display = Display(Console(file=screen, width=120))
    plan = SearchPlan("val_mse", METRICS["mse"], "halving", 2, 9, 1, Path(), ())
    display.on_search_start(plan)
    paused = dataclasses.replace(FIRST, spent=3.0, stopped="paused")
    display.on_trial_pause(paused)
    display.on_trial_end(dataclasses.replace(paused, stopped="pruned"))
    assert "Trial 0 paused after 3 epochs, score 0.840000" in screen.getvalue()
    assert "Pruned after 3 epochs" in screen.getvalue()


@pytest.fixture(scope="module")
def plain():
    return shown()


def test_a_trial_s_summary_has_paths_score_and_best_step(plain):
    summary = plain[plain.index("Trial 0 summary") : plain.index("Trial 1 summary")]
    assert "hyper_interaction_1/interactor_type_0: FMInteraction\n" in summary
    assert "hyper_interaction_1/fm_interaction_0/embedding_dim: 8\n" in summary
    assert "Score: 0.840000\n" in summary
    assert "Best step: 1\n" in summary
    assert "Best val_mse so far: 0.840000 (trial 0)" in summary
    assert "left" in summary


def test_a_failed_trial_says_why(plain):
    assert "Failed: out of memory" in plain


def test_the_leaderboard_has_all_trials_and_the_winner(plain):
    board = plain[plain.index("Leaderboard") :]
    assert "0.8400" in board
    assert "embedding_dim=8" in board
    assert "failed" in board
    assert "Winner: trial 0, val_mse 0.8400 (always the mean: 1.2000), 5 s" in board


def test_a_narrow_screen_cuts_settings_not_scores():
    board = shown(width=60)
    board = board[board.index("Leaderboard") :]
    header, _, first = [line for line in board.splitlines() if line.strip()][1:4]
    assert header.split()[:2] == ["trial", "val_mse"]
    assert first.split()[:2] == ["0", "0.8400"]
    assert "embedding_dim=8" not in first


def test_without_a_terminal_lines_are_plain(plain):
    assert "\x1b" not in plain


def test_a_terminal_has_a_bar_with_what_runs():
    screen = shown(terminal=True)
    assert "trials" in screen
    assert "epoch 1 of 5" in screen


def test_a_terminal_has_a_table_of_the_best_trials_while_another_runs():
    screen = shown(terminal=True)
    live = screen[screen.rindex("starting") :]
    live = live[: live.index("Leaderboard")]
    assert "0.8400" in live
    assert "completed" in live
    assert "FM, embedding_dim=8" in live


def test_a_winner_worse_than_the_mean_is_said_loudly(plain):
    assert "WARNING" not in plain
    assert "WARNING: The winner is not better than always predicting the mean" in shown(
        constant_score=0.8
    )


def test_a_narrow_leaderboard_keeps_the_trial_s_number():
    many = {f"mlp_interaction_1/setting_{number}": number for number in range(20)}
    printed = shown(first=dataclasses.replace(FIRST, hyperparameters=many), width=80)
    header = next(line for line in printed.splitlines() if "best step" in line)
    assert header.split()[:2] == ["trial", "val_mse"]
