import keras_tuner
import pytest

import autorec_core
from autorec_core.errors import ConfigError
from autorec_core.search.oracles import ask, make_oracle, tell
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


def run(tuner, number, *, space=None, score=distance, seed=1, direction="min", epochs=9):
    """Asks and tells; gives the trials' values and scores."""
    oracle = make_oracle(
        tuner,
        space or bowl(),
        objective="val_mse",
        direction=direction,
        seed=seed,
        epochs=epochs,
    )
    trials = []
    for place in range(number):
        trial = ask(oracle, place)
        if trial.status != "RUNNING":
            break
        values = dict(trial.hyperparameters.values)
        searched = {k: v for k, v in values.items() if not k.startswith("tuner/")}
        trials.append((values, score(searched)))
        tell(oracle, trial, score=trials[-1][1], step=1, reason=None)
    return trials


TUNERS = ["random", "greedy", "bayesian", "hyperband"]


@pytest.mark.parametrize("tuner", TUNERS)
class TestEveryOracle:
    def test_begins_with_the_defaults(self, tuner):
        values, _ = run(tuner, 1)[0]
        assert {k: v for k, v in values.items() if not k.startswith("tuner/")} == {
            f"block_{name}/{name}": 9 for name in "abcd"
        }

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

    def test_climbs_anew_from_elsewhere_when_it_is_stuck(self):
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
