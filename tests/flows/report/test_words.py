"""Texts of page and model card: headline, importance, limits, and the length of the card."""

from __future__ import annotations

import dataclasses

from autorec_core.evaluation.intervals import Interval
from flows.report import words
from flows.report.importance import importances, varied
from flows.report.model_card import MOST_LENGTH, model_card


def test_the_headline_names_the_strongest_baseline_and_the_share(rating_run):
    text = words.headline(rating_run)

    assert "MSE is 0.7500 (95% interval 0.7300 to 0.7700)" in text
    assert "16.7% below the strongest baseline, user and item biases (0.9000)" in text


def test_a_model_as_good_as_a_baseline_is_not_called_better(ctr_run):
    text = words.headline(ctr_run)

    assert "not clearly different from the baseline logistic regression" in text
    assert "below" not in text


def test_a_model_worse_than_a_baseline_should_not_go_live(ctr_run):
    model, mean, logistic = ctr_run.figures
    worse = dataclasses.replace(logistic, difference=Interval(0.01, 0.005, 0.015))

    text = words.headline(dataclasses.replace(ctr_run, figures=(model, mean, worse)))

    assert "should not go live" in text


def test_the_card_names_the_trials_of_a_mean(rating_run):
    winner = dataclasses.replace(rating_run.winner, members=(4, 0, 7), refit=True)

    card = model_card(dataclasses.replace(rating_run, winner=winner))

    assert "; the model is the mean of trials 4, 0 and 7, each trained again on" in card
    assert "the mean of trials" not in model_card(rating_run)


def test_the_card_says_what_a_score_of_each_task_means(rating_run, ctr_run):
    """A preference is neither a rating nor a probability."""
    ranking = model_card(dataclasses.replace(rating_run, task="ranking", label="interaction"))

    assert "Ranks the items of the catalogue for a user" in ranking
    assert "cannot be compared between users" in ranking
    assert "probability" not in ranking
    assert "mean interaction" not in ranking
    assert "a user would give an item" in model_card(rating_run)
    assert f"the probability that `{ctr_run.label}` is 1" in model_card(ctr_run)


def test_page_and_card_say_what_the_search_added_to_the_default_candidate(rating_run):
    first = next(trial for trial in rating_run.trials if trial.number == 0)
    better = dataclasses.replace(rating_run.winner, trial=3, score=first.score * 0.98)
    run = dataclasses.replace(rating_run, winner=better)
    default = dataclasses.replace(
        rating_run, winner=dataclasses.replace(rating_run.winner, trial=0, score=first.score)
    )
    failed = dataclasses.replace(
        run, trials=tuple(trial for trial in run.trials if trial.number != 0)
    )

    assert f"had {first.score:.5f}: the search improved it by 2.00% on valid" in words.gain(run)
    assert words.gain(run) in model_card(run)
    assert "the search found nothing better" in words.gain(default)
    assert words.gain(failed) == ""


def test_the_card_says_how_many_seeds_of_a_trial_are_in_a_mean(rating_run):
    def card(*members):
        winner = dataclasses.replace(rating_run.winner, members=members, refit=True)
        return model_card(dataclasses.replace(rating_run, winner=winner))

    assert "the mean of trials 4 (2 seeds) and 0, each trained" in card(4, 0, 4)
    assert "the mean of 2 seeds of that trial, each trained" in card(4, 4)


def test_a_card_without_a_search_says_that_nothing_was_judged_on_valid(settings_run):
    card = model_card(settings_run)

    assert "Trained with the champion's settings, without a search. Nothing calls for a" in card
    assert "2 settings were averaged, each trained on train and valid together" in card
    assert "no score on valid" in card
    assert " trials, " not in card


def test_importance_finds_the_hyperparameter_that_decides_the_score(rating_run):
    found = importances(rating_run.completed, seed=1)

    assert found.rows[0].name == "learning_rate"
    assert found.rows[0].share > 0.6
    assert abs(sum(row.share for row in found.rows) - 1) < 1e-6
    assert found.explained is not None
    assert found.explained > 0.3


def test_importance_of_too_few_trials_is_not_shown(ctr_run):
    found = importances(ctr_run.completed, seed=1)

    assert found.rows == ()
    assert "3 completed trials are too few" in found.verdict


def test_a_hyperparameter_that_was_never_varied_is_not_ranked(rating_run):
    same = [
        dataclasses.replace(t, hyperparameters={**t.hyperparameters, "decay": 0.3})
        for t in rating_run.completed
    ]

    assert "decay" not in varied(same)
    assert "learning_rate" in varied(same)


def test_the_limits_name_where_the_loss_is_highest_and_what_is_unknown(rating_run):
    assert words.limits(rating_run) == [
        "MSE is highest on rows whose user_id has 5 to 9 training rows: 1.0000 (50 test rows).",
        "MSE is highest on rows whose item_id is not in train: 1.0000 (50 test rows).",
        "Share of test rows with a value that is not in train: item_id 2.0%.",
    ]


def test_the_card_has_metrics_decision_and_lineage(rating_run):
    card = model_card(rating_run)

    assert card.startswith("# Model card: MovieLens <100K>\n")
    assert "| AutoRec | 0.7500 | 0.8660 | 0.6700 | 0.7300 to 0.7700 |" in card
    assert "Registered as version 2. Version 1 stays champion: too close." in card
    assert "| loss | 0.74 | 0.75 | 0.74 | NO |" in card
    assert "- git.commit: `aaaa" in card


def test_a_card_with_many_hyperparameters_still_fits_the_registry(rating_run):
    many = {f"hyper_interaction_1/some_interaction_{n}/units": n for n in range(200)}
    winner = dataclasses.replace(rating_run.winner, hyperparameters=many)

    card = model_card(dataclasses.replace(rating_run, winner=winner))

    assert len(card) <= MOST_LENGTH
    assert "more | see the report |" in card
    assert "- seed: `13`" in card
