import keras_tuner
import numpy as np
import pytest

import autorec_core
from autorec_core.errors import ConfigError
from autorec_core.search.oracles import ask, make_oracle, tell
from autorec_core.search.oracles.points import Points
from autorec_core.search.oracles.surrogate import Encoding
from autorec_core.search.space import search_space


def bowl(**numbers):
    """A space of numbers from 0 to 9, each beginning at 9."""
    space = keras_tuner.HyperParameters()
    for name in numbers or "abcd":
        space.Choice(f"block_{name}/{name}", list(range(10)), default=9)
    return space


def distance(values):
    """What there is to minimise: the squared distance from all numbers being 3."""
    return float(sum((value - 3) ** 2 for value in values.values()))


def run(tuner, number, *, space=None, score=distance, seed=1, direction="min", epochs=9, first=()):
    """Asks and tells; gives the trials' values and scores."""
    oracle = make_oracle(
        tuner,
        space or bowl(),
        objective="val_mse",
        direction=direction,
        seed=seed,
        epochs=epochs,
        first=first,
    )
    trials = []
    for place in range(number):
        trial = ask(oracle, place)
        if trial.status != "RUNNING":
            break
        values = dict(trial.hyperparameters.values)
        searched = {k: v for k, v in values.items() if not k.startswith("tuner/")}
        trials.append((values, score(searched)))
        curve = [trials[-1][1]] * values.get("tuner/until", 1)
        tell(oracle, trial, score=trials[-1][1], step=1, reason=None, curve=curve)
    return trials


TUNERS = ["random", "greedy", "bayesian", "hyperband", "halving", "staged"]


def test_given_candidates_are_tried_alone_and_none_twice():
    first = [{"block_a/a": value, "block_b/b": 1} for value in (4, 5, 4)]

    trials = run("given", 9, space=bowl(a=0, b=0), first=first)

    assert [tuple(values.values()) for values, _ in trials] == [(4, 1), (5, 1)]


@pytest.mark.parametrize("tuner", TUNERS)
class TestEveryOracle:
    def test_begins_with_the_defaults(self, tuner):
        values, _ = run(tuner, 1)[0]
        assert {k: v for k, v in values.items() if not k.startswith("tuner/")} == {
            f"block_{name}/{name}": 9 for name in "abcd"
        }

    def test_tries_what_it_was_given_right_after_the_defaults(self, tuner):
        near = {f"block_{name}/{name}": 2 for name in "abcd"} | {"block_a/a": 47, "of/old": 1}
        best = {f"block_{name}/{name}": 3 for name in "abcd"}
        trials = run(tuner, 3, first=[near, best, near])
        tried = [
            tuple(value for name, value in values.items() if not name.startswith("tuner/"))
            for values, _ in trials
        ]
        # 47 is not in the space: the nearest number is.
        assert tried == [(9, 9, 9, 9), (9, 2, 2, 2), (3, 3, 3, 3)]

    def test_is_a_function_of_its_seed(self, tuner):
        assert run(tuner, 8) == run(tuner, 8) != run(tuner, 8, seed=2)

    def test_ends_where_the_space_ends(self, tuner):
        space = keras_tuner.HyperParameters()
        space.Boolean("only")
        trials = run(tuner, 9, space=space, score=lambda values: float(values["only"]))
        assert [values["only"] for values, _ in trials[:2]] == [False, True]
        longer = [(values["only"], values.get("tuner/epochs")) for values, _ in trials[2:]]
        assert longer == ([(False, 9)] if tuner == "hyperband" else [])

    def test_proposes_live_hyperparameters_alone(self, tuner):
        space = keras_tuner.HyperParameters()
        space.Choice("type", ["fm", "mlp"])
        for kind in ("fm", "mlp"):
            with space.conditional_scope("type", [kind]):
                space.Choice(f"{kind}/dim", [1, 2, 3, 4])
        for values, _ in run(tuner, 8, space=space, score=lambda values: 1.0):
            live = {name for name in values if not name.startswith("tuner/")}
            assert live == {"type", f"{values['type']}/dim"}


def branches():
    """A space of up to three branches, each of four kinds, and its number of points."""
    space = keras_tuner.HyperParameters()
    space.Choice("branches", [1, 2, 3])
    for place in range(3):
        with space.conditional_scope("branches", [n for n in (1, 2, 3) if n > place]):
            space.Choice(f"kind_{place}", ["fm", "mlp", "cross", "dot"])
    with space.conditional_scope("branches", [1]):
        space.Choice("lone", [1, 2, 3, 4])
    return space, 4 * 4 + 4**2 + 4**3


@pytest.mark.parametrize("tuner", TUNERS)
def test_a_search_goes_on_until_every_point_has_been_tried(tuner):
    space, points = branches()
    flat = run(tuner, 2 * points, space=space, score=lambda values: 1.0, epochs=1)
    tried = {tuple(sorted((k, v) for k, v in p.items() if "tuner" not in k)) for p, _ in flat}
    assert len(tried) == len(flat) == points


def best_of(tuner, number, **settings):
    """The mean best score of several seeds."""
    return sum(min(s for _, s in run(tuner, number, seed=k, **settings)) for k in range(3)) / 3


@pytest.mark.parametrize("tuner", ["greedy", "bayesian"])
def test_learning_from_results_beats_guessing(tuner):
    assert best_of(tuner, 30) < 0.7 * best_of("random", 30)


@pytest.mark.parametrize("tuner", ["greedy", "bayesian"])
def test_more_can_be_better(tuner):
    def closeness(values):
        return -distance(values)

    best = max(score for _, score in run(tuner, 30, score=closeness, direction="max"))
    assert best > -5


class TestGreedy:
    def test_changes_one_group_of_the_best_so_far(self):
        trials = run("greedy", 10)
        for place in range(1, len(trials)):
            best = min(trials[:place], key=lambda trial: trial[1])[0]
            changed = [name for name, value in trials[place][0].items() if best[name] != value]
            assert len(changed) in (1, 4)  # one block, or all that there is

    def test_starts_again_from_another_point_when_it_is_stuck(self):
        flat = run("greedy", 14, score=lambda values: 1.0)
        changed = [
            sum(values[name] != flat[0][0][name] for name in values) for values, _ in flat[1:]
        ]
        assert all(number in (1, 2, 3, 4) for number in changed[:10])
        restart = flat[11][0]
        near = [sum(values[n] != restart[n] for n in values) for values, _ in flat[12:]]
        assert sum(restart[n] != flat[0][0][n] for n in restart) >= 2
        assert min(near) == 1


def test_bayesian_proposes_nothing_twice():
    tried = [tuple(values.items()) for values, _ in run("bayesian", 30, space=bowl(a=1, b=1))]
    assert len(set(tried)) == 30


def structures():
    """Five kinds, each with settings of its own."""
    space = keras_tuner.HyperParameters()
    space.Choice("kind", ["fm", "mlp", "cross", "dot", "sum"])
    for kind in ("fm", "mlp", "cross", "dot", "sum"):
        with space.conditional_scope("kind", [kind]):
            space.Choice(f"{kind}/width", [1, 2, 3, 4, 5, 6, 7, 8])
    space.Choice("rate", [0.001, 0.003, 0.01, 0.03, 0.1])
    return space


def structure_loss(values):
    """Of the kinds the third is best, in any order of the list."""
    kind = {"fm": 1.0, "mlp": 2.0, "cross": 0.0, "dot": 2.0, "sum": 1.0}[values["kind"]]
    return kind + abs(values[f"{values['kind']}/width"] - 6) / 5 + abs(values["rate"] - 0.01)


def proposed_at_once(oracle, number, known):
    """What an oracle proposes for some workers at once, after some results."""
    for place in range(known):
        trial = ask(oracle, place)
        values = dict(trial.hyperparameters.values)
        tell(oracle, trial, score=structure_loss(values), step=1, reason=None)
    return [dict(ask(oracle, known + n).hyperparameters.values) for n in range(number)]


class TestBayesian:
    def make(self, space, seed=1):
        return make_oracle(
            "bayesian", space, objective="val_mse", direction="min", seed=seed, epochs=1
        )

    def test_workers_get_different_points(self):
        for seed in range(3):
            points = proposed_at_once(self.make(structures(), seed), 4, 8)
            apart = [
                sum(left.get(name) != right.get(name) for name in {*left, *right})
                for place, left in enumerate(points)
                for right in points[:place]
            ]
            assert min(apart) >= 1
            assert sum(apart) / len(apart) >= 2

    def test_what_runs_changes_what_is_proposed(self):
        one, other = (proposed_at_once(self.make(structures()), n, 8) for n in (1, 2))
        assert one[0] == other[0] != other[1]

    def test_an_absent_setting_is_as_far_from_each_of_its_values(self):
        points = Points(structures())
        encode = Encoding(points.settings)
        absent = encode([{"kind": "mlp", "mlp/width": 3, "rate": 0.01}])
        present = encode(
            [{"kind": "fm", "fm/width": n, "mlp/width": 3, "rate": 0.01} for n in range(1, 9)]
        )
        apart = ((present - absent) ** 2).sum(axis=1)
        assert apart == pytest.approx(apart[0])

    def test_kinds_are_categories_and_numbers_are_ordered(self):
        encode = Encoding(Points(structures()).settings)
        kinds = encode([{"kind": kind} for kind in ("fm", "mlp", "cross", "dot", "sum")])
        apart = ((kinds[:, None] - kinds) ** 2).sum(axis=2)
        assert {round(value, 9) for value in apart[np.triu_indices(5, 1)]} == {1.0}
        rates = encode([{"rate": rate} for rate in (0.001, 0.003, 0.01, 0.03, 0.1)])
        apart = ((rates - rates[0]) ** 2).sum(axis=1)
        assert apart.tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1])

    def test_failures_are_avoided(self):
        oracle = self.make(structures())
        kinds = []
        for place in range(30):
            trial = ask(oracle, place)
            values = dict(trial.hyperparameters.values)
            kinds.append(values["kind"])
            failed = values["kind"] in ("fm", "mlp", "dot")
            score = None if failed else structure_loss(values)
            tell(oracle, trial, score=score, step=1, reason="nan" if failed else None)
        assert sum(kind in ("fm", "mlp", "dot") for kind in kinds[15:]) <= 6  # nine at random


def test_hyperband_moves_a_candidate_up_that_had_stopped_and_trains_the_others_longer():
    oracle = make_oracle(
        "hyperband", bowl(), objective="val_mse", direction="min", seed=1, epochs=9
    )
    trials = []
    for place in range(7):
        trial = ask(oracle, place)
        values = dict(trial.hyperparameters.values)
        trials.append((values.pop("tuner/epochs"), values))
        tell(oracle, trial, score=place, step=1, reason=None, stopped_early=place == 0)
    assert [epochs for epochs, _ in trials[:6]] == [3] * 5 + [9]
    assert trials[5][1] == trials[1][1]  # the best had stopped, so the second best is trained
    assert trials[6][1] not in [values for _, values in trials[:6]]


def test_trials_of_one_identity_are_proposed_once():
    for tuner in TUNERS:
        oracle = make_oracle(
            tuner,
            bowl(a=1, b=1),
            objective="val_mse",
            direction="min",
            seed=1,
            epochs=1,
            identity=lambda values: values["block_a/a"],
        )
        seen = []
        while (trial := ask(oracle, len(seen))).status == "RUNNING":
            seen.append(trial.hyperparameters.values["block_a/a"])
            tell(oracle, trial, score=1.0, step=1, reason=None, curve=[1.0])
        assert sorted(seen) == list(range(10))


def test_hyperband_gives_the_best_more_epochs():
    trials = run("hyperband", 7, epochs=9)
    epochs = [values["tuner/epochs"] for values, _ in trials]
    short = [trial for trial in trials if trial[0]["tuner/epochs"] == 3]
    long = [trial for trial in trials if trial[0]["tuner/epochs"] == 9]
    assert epochs == [3] * 5 + [9] * 2
    assert sorted(score for _, score in long) == sorted(score for _, score in short)[:2]


def test_an_unknown_tuner_is_refused():
    with pytest.raises(ConfigError, match="Unknown tuner 'grid'"):
        make_oracle("grid", bowl(), objective="val_mse", direction="min", seed=1, epochs=1)


def test_the_whole_space_is_known_before_the_first_trial():
    ids = autorec_core.Input([2])
    mapped = [autorec_core.LatentFactorMapper(feat_column_id=n, id_num=9)(ids) for n in (0, 1)]
    interaction = autorec_core.HyperInteraction(
        meta_interactor_num=autorec_core.choice(1, 2),
        interactor_type=autorec_core.choice("InnerProductInteraction", "ElementwiseInteraction"),
    )
    recommender = autorec_core.RPRecommender(
        inputs=ids, outputs=autorec_core.RatingPredictionOptimizer()(interaction(mapped))
    )
    space = search_space(recommender)
    names = {hyperparameter.name for hyperparameter in space.space}
    assert "hyper_interaction_1/elementwise_interaction_1/operation" in names
    assert "hyper_interaction_1/elementwise_interaction_1/operation" not in space.values
    assert space.values["hyper_interaction_1/meta_interactor_num"] == 1
