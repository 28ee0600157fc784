"""One candidate's training: stopping, the best weights, seeds, failures and refitting."""

import dataclasses
import random
import threading

import keras
import numpy as np
import pytest
from small_training import RECIPE, TRAIN, USERS, VALID, recommender, rows

import autorec_core
from autorec_core.errors import ConfigError
from autorec_core.training import (
    Budget,
    FailedTrial,
    Rows,
    Schedule,
    evaluate,
    predict,
    refit,
    train,
)
from autorec_core.training.learner import build_model


@pytest.fixture(scope="module")
def overtrained():
    """A candidate that trains long past its best evaluation."""
    recipe = dataclasses.replace(RECIPE, learning_rate=0.05)
    return train(
        recommender(recipe=recipe), TRAIN, VALID, budget=Budget(epochs=20, patience=20), seed=3
    )


class TestTrained:
    def test_the_model_is_the_best_evaluation_not_the_last(self, overtrained):
        scores = [row["mse"] for row in overtrained.curve]
        assert len(scores) == 20
        assert overtrained.score == min(scores) < scores[-1]
        assert overtrained.best_step == 1 + scores.index(min(scores)) < 20

    def test_its_score_is_what_evaluating_it_gives_every_time(self, overtrained):
        again = [evaluate(overtrained.model, VALID, "rating") for _ in range(2)]
        assert again[0] == again[1] == overtrained.metrics
        assert again[0]["mse"] == overtrained.score

    def test_a_saved_and_loaded_model_scores_the_same_and_has_its_loss(self, overtrained, tmp_path):
        overtrained.model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert evaluate(loaded, VALID, "rating")["mse"] == overtrained.score
        loss, _ = loaded.evaluate(VALID.inputs["ids"], VALID.labels, verbose=0)
        assert loss == pytest.approx(overtrained.score, rel=1e-5)

    def test_it_beats_the_constant_whose_score_it_tells(self, overtrained):
        mean = TRAIN.labels.mean(dtype=np.float64)
        assert overtrained.constant_score == pytest.approx(np.mean((VALID.labels - mean) ** 2))
        assert overtrained.score < 0.7 * overtrained.constant_score

    def test_predictions_are_those_of_keras(self, overtrained):
        ours = predict(overtrained.model, VALID.inputs)
        theirs = overtrained.model.predict(VALID.inputs["ids"], verbose=0)[:, 0]
        assert ours == pytest.approx(theirs, rel=1e-5)

    def test_refit_on_the_same_rows_walks_the_same_way(self, overtrained):
        recipe = dataclasses.replace(RECIPE, learning_rate=0.05)
        again = refit(recommender(recipe=recipe), TRAIN, schedule=overtrained.schedule, seed=3)
        assert evaluate(again, VALID, "rating")["mse"] == overtrained.score

    def test_refit_learns_from_all_splits(self, overtrained):
        recipe = dataclasses.replace(RECIPE, learning_rate=0.05)
        both = refit(
            recommender(recipe=recipe), [TRAIN, VALID], schedule=overtrained.schedule, seed=3
        )
        assert evaluate(both, VALID, "rating")["mse"] < 0.9 * overtrained.score


class TestSeed:
    def test_a_training_is_a_function_of_its_seed(self):
        def score(seed):
            random.random()  # what the program draws elsewhere does not matter
            budget = Budget(epochs=2, patience=2)
            return train(recommender(dropout_rate=0.5), TRAIN, VALID, budget=budget, seed=seed)

        first, again, other = score(5), score(5), score(6)
        assert first.score == again.score != other.score
        assert [r["loss"] for r in first.curve] == [r["loss"] for r in again.curve]

    def test_what_other_threads_draw_does_not_matter(self):
        def weights():
            return [w.tolist() for w in build_model(recommender(), seed=5).get_weights()]

        alone, busy = weights(), threading.Event()
        thread = threading.Thread(target=lambda: [random.random() for _ in iter(busy.is_set, True)])
        thread.start()
        try:
            assert weights() == alone
        finally:
            busy.set()
            thread.join()

    def test_the_program_s_own_random_state_is_left_alone(self):
        random.seed(7)
        before = random.getstate()
        train(recommender(), TRAIN, VALID, budget=Budget(epochs=1, patience=1), seed=1)
        assert random.getstate() == before


class TestStopping:
    def test_patience_counts_evaluations_without_improvement(self):
        trained = train(recommender(), TRAIN, VALID, budget=Budget(epochs=60, patience=3), seed=1)
        assert len(trained.curve) == trained.best_step + 3 < 60

    def test_decay_goes_back_to_the_best_weights_with_a_smaller_step(self):
        recipe = dataclasses.replace(RECIPE, learning_rate=0.1, decay=0.1)
        trained = train(
            recommender(recipe=recipe), TRAIN, VALID, budget=Budget(epochs=30, patience=2), seed=1
        )
        rates = [row["learning_rate"] for row in trained.curve]
        worse = next(
            place
            for place in range(1, len(rates))
            if trained.curve[place]["mse"] > min(row["mse"] for row in trained.curve[:place])
        )
        assert rates[: worse + 1] == [0.1] * (worse + 1)
        assert rates[worse + 1] == pytest.approx(0.01)
        # The way to the best weights leaves out the evaluation that was undone.
        assert trained.schedule.rates[worse - 1 : worse + 1] == pytest.approx((0.1, 0.01))

    def test_an_epoch_can_have_several_evaluations(self):
        budget = Budget(epochs=2, patience=9, evaluations=3)
        trained = train(recommender(), TRAIN, VALID, budget=budget, seed=1)
        assert [row["epoch"] for row in trained.curve] == pytest.approx(
            [1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2]
        )
        assert trained.schedule.epochs == trained.best_step / 3

    def test_many_rows_are_evaluated_several_times_an_epoch(self):
        budget = Budget(epochs=1, patience=1)
        assert budget.evaluations_an_epoch(800_000) == 1
        assert budget.evaluations_an_epoch(6_000_000) == 3
        assert budget.evaluations_an_epoch(10**9) == 5


class TestTasks:
    def test_clicks_are_learned_and_auc_is_maximised(self):
        trained = train(
            recommender("ctr"),
            rows(600, 1, "ctr"),
            rows(200, 2, "ctr"),
            budget=Budget(epochs=15, patience=15),
            seed=1,
            objective="val_auc",
        )
        scores = [row["auc"] for row in trained.curve]
        assert trained.score == max(scores) > 0.85
        assert trained.constant_score == 0.5
        assert predict(trained.model, VALID.inputs).min() > 0

    def test_the_training_loss_of_clicks_is_the_cross_entropy(self):
        clicks = rows(64, 1, "ctr")
        recipe = dataclasses.replace(RECIPE, learning_rate=1e-12)
        trained = train(
            recommender("ctr", recipe), clicks, clicks, budget=Budget(epochs=1, patience=1), seed=1
        )
        assert trained.curve[0]["loss"] == pytest.approx(trained.curve[0]["ce"], rel=1e-5)

    def test_regularisation_is_in_the_loss_but_not_in_the_score(self):
        recipe = dataclasses.replace(RECIPE, learning_rate=1e-12)
        budget = Budget(epochs=1, patience=1)
        plain = train(recommender(recipe=recipe), VALID, VALID, budget=budget, seed=1)
        heavy = train(recommender(recipe=recipe, l2=100.0), VALID, VALID, budget=budget, seed=1)
        assert heavy.curve[0]["mse"] == pytest.approx(plain.curve[0]["mse"], rel=1e-5)
        assert heavy.curve[0]["loss"] > plain.curve[0]["loss"] + 0.1

    def test_other_keras_optimizers_learn_too(self):
        recipe = dataclasses.replace(RECIPE, optimizer="sgd", learning_rate=0.05)
        trained = train(
            recommender(recipe=recipe), TRAIN, VALID, budget=Budget(epochs=10, patience=10), seed=1
        )
        assert trained.score < 0.9 * trained.constant_score

    def test_an_objective_of_the_other_task_is_refused(self):
        with pytest.raises(ConfigError, match="val_auc"):
            train(
                recommender(),
                TRAIN,
                VALID,
                budget=Budget(epochs=1, patience=1),
                seed=1,
                objective="val_auc",
            )


class TestFailures:
    def test_a_loss_that_is_no_number_fails_the_trial(self):
        recipe = dataclasses.replace(RECIPE, learning_rate=1e30)
        with pytest.raises(FailedTrial, match="the training loss became"):
            train(
                recommender(recipe=recipe),
                TRAIN,
                VALID,
                budget=Budget(epochs=5, patience=5),
                seed=1,
            )

    def test_an_id_beyond_its_table_fails_the_trial(self):
        beyond = Rows({"ids": TRAIN.inputs["ids"] + 1000}, TRAIN.labels)
        with pytest.raises(FailedTrial, match=rf"is not in \[0, {USERS}\)"):
            train(recommender(), beyond, VALID, budget=Budget(epochs=1, patience=1), seed=1)


def test_a_schedule_knows_its_length():
    assert Schedule(rates=(0.1, 0.1, 0.01), parts=2, batch_size=64).epochs == 1.5


def test_refit_takes_steps_of_the_size_that_training_took():
    """Chosen again, it would double here: 600 rows have 4 steps of 128, 800 have 4 of 256."""
    recipe = dataclasses.replace(RECIPE, batch_size=256, least_steps=4)
    assert (recipe.rows_a_step(600), recipe.rows_a_step(800)) == (128, 256)
    trained = train(recommender(recipe=recipe), TRAIN, VALID, budget=Budget(3, 3), seed=5)

    again = refit(recommender(recipe=recipe), [TRAIN, VALID], schedule=trained.schedule, seed=5)

    fixed = dataclasses.replace(RECIPE, batch_size=128)
    same = refit(recommender(recipe=fixed), [TRAIN, VALID], schedule=trained.schedule, seed=5)
    np.testing.assert_array_equal(predict(again, VALID.inputs), predict(same, VALID.inputs))


class TestNothingToLearn:
    """Weights before the first step are a candidate, and so is the constant."""

    @staticmethod
    def noise(number, seed, task):
        generator = np.random.default_rng(seed)
        ids = rows(number, seed).inputs["ids"]
        labels = (
            generator.normal(3, 1, number) if task == "rating" else generator.random(number) < 0.3
        )
        return Rows({"ids": ids}, labels.astype(np.float32))

    @pytest.mark.parametrize("task", ["rating", "ctr"])
    def test_noise_is_answered_with_the_constant(self, task, tmp_path):
        model = recommender(task, dataclasses.replace(RECIPE, learning_rate=0.1))
        known, valid = self.noise(600, 1, task), self.noise(200, 2, task)
        trained = train(model, known, valid, budget=Budget(5, 5), seed=3)

        assert trained.score == pytest.approx(trained.constant_score, rel=1e-6)
        assert trained.best_step == 0
        assert len(trained.curve) == 5
        mean = np.full(200, known.labels.mean())
        np.testing.assert_allclose(predict(trained.model, valid.inputs), mean, rtol=1e-6)
        assert evaluate(trained.model, valid, task) == trained.metrics
        trained.model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
        np.testing.assert_array_equal(
            predict(loaded, valid.inputs), predict(trained.model, valid.inputs)
        )

        refitted = refit(model, [known, valid], schedule=trained.schedule, seed=3)
        of_both = np.concatenate([known.labels, valid.labels]).mean()
        np.testing.assert_allclose(
            predict(refitted, valid.inputs), np.full(200, of_both), rtol=1e-6
        )

    def test_first_weights_that_training_makes_worse_are_kept(self):
        """Rates alone are a good model; steps of this size lead away from it."""
        of = ar_rates(learning_rate=10.0)
        known, valid = clicked(2000, 1), clicked(500, 2)
        trained = train(of, known, valid, budget=Budget(3, 3), seed=3)
        assert trained.best_step == 0
        assert not trained.schedule.constant
        assert trained.score < 0.95 * trained.constant_score
        again = refit(of, known, schedule=trained.schedule, seed=3)
        np.testing.assert_array_equal(
            predict(again, valid.inputs), predict(trained.model, valid.inputs)
        )

    def test_a_model_that_knows_something_is_not_given_up_for_calibration(self):
        """The constant is nearly always calibrated."""
        known, valid = rows(600, 1, "ctr"), rows(200, 2, "ctr")
        trained = train(
            recommender("ctr"),
            known,
            valid,
            budget=Budget(9, 9),
            seed=3,
            objective="val_calibration",
        )
        assert trained.best_step > 0
        assert trained.metrics["auc"] > 0.8


def clicked(number, seed):
    """Clicks whose rate depends on one id of fifty."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(1, 50, (number, 1)).astype(np.int32)
    clicks = generator.random(number) < np.where(ids[:, 0] % 2, 0.1, 0.7)
    return Rows({"ids": ids}, clicks.astype(np.float32))


def ar_rates(learning_rate):
    ids = autorec_core.Input(shape=[1])
    rates = autorec_core.RateMapper(vocabulary_sizes=(50,), prior=10.0)(ids)
    outputs = autorec_core.CTRPredictionOptimizer()(autorec_core.LinearMapper(start=1.0)(rates))
    recipe = dataclasses.replace(RECIPE, learning_rate=learning_rate)
    return autorec_core.CTRRecommender(inputs=ids, outputs=outputs, training=recipe)


def test_rates_of_ids_that_occur_together_are_learnt_with():
    """Their weight was never trained: a row's fold held all the rows with its ids."""
    from autorec_core.recommender import Recommender

    config = ar_rates(learning_rate=0.01).get_config()
    config["nodes"][2]["block"]["start"] = 0.0
    trained = train(
        Recommender.from_config(config),
        clicked(4000, 1),
        clicked(500, 2),
        budget=Budget(20, 20),
        seed=3,
    )
    assert trained.score < 0.8 * trained.constant_score


def test_training_takes_at_least_so_many_steps_an_epoch():
    halved = dataclasses.replace(RECIPE, batch_size=256, least_steps=8)  # of 600 rows: 64 a step

    few = train(recommender(recipe=halved), TRAIN, VALID, budget=Budget(2, 2), seed=5)
    same = train(recommender(), TRAIN, VALID, budget=Budget(2, 2), seed=5)

    assert few.curve[-1]["mse"] == same.curve[-1]["mse"]
