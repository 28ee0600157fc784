"""The staged searcher: known structures, near structures, then the recipe; none of them twice."""

import keras_tuner
import pytest

from autorec_core.search.oracles import ask, make_oracle, tell
from autorec_core.search.oracles.moves import Moves
from autorec_core.search.oracles.points import Points
from autorec_core.search.oracles.staged import KNOWN

TYPES = ["CrossNetInteraction", "FMInteraction", "MLPInteraction", "CrossNetV2Interaction"]
NUMBER, TYPE_0, TYPE_1 = (
    f"hyper/{name}" for name in ("meta_interactor_num", "interactor_type_0", "interactor_type_1")
)


def space(least=1):
    """One or two branches of four types, of which MLPs have units, and two settings of training."""
    hp = keras_tuner.HyperParameters()
    counts = [*range(least, 3)]
    hp.Choice(NUMBER, counts, default=least)
    for branch in range(2):
        with hp.conditional_scope(NUMBER, [count for count in counts if count > branch]):
            hp.Choice(f"hyper/interactor_type_{branch}", TYPES)
            with hp.conditional_scope(f"hyper/interactor_type_{branch}", ["MLPInteraction"]):
                hp.Choice(f"hyper/mlp_interaction_{branch}/units", [16, 32, 64], default=32)
    hp.Choice("learning_rate", [0.001, 0.003, 0.01], default=0.003)
    hp.Choice("optimizer", ["adam", "adagrad"])
    return hp


def run(number, score, **settings):
    """Asks and tells; gives each candidate's values in the order they were proposed."""
    oracle = make_oracle(
        "staged",
        settings.pop("space", None) or space(),
        objective="val_mse",
        direction="min",
        seed=1,
        epochs=9,
        **settings,
    )
    found = []
    question = 0
    while True:
        oracle.may_begin = len(found) < number
        trial = ask(oracle, question)
        if trial.status != "RUNNING":
            return found
        question += 1
        values = dict(trial.hyperparameters.values)
        searched = {k: v for k, v in values.items() if not k.startswith("tuner/")}
        if values["tuner/trial"] == len(found):
            found.append(searched)
        curve = [score(searched)] * values["tuner/until"]
        tell(oracle, trial, score=curve[-1], step=1, reason=None, curve=curve)


def branches(values):
    return tuple(values[name] for name in (TYPE_0, TYPE_1) if name in values)


def loss(values):
    """The best has an FM branch and the smallest rate; each thing counts by itself."""
    return (
        1.0
        - 0.2 * ("FMInteraction" in branches(values))
        - 0.1 * ("CrossNetV2Interaction" in branches(values))
        + values["learning_rate"]
    )


class TestMoves:
    MOVES = Moves(Points(space()))
    POINT = MOVES.with_branches(["MLPInteraction"])

    def test_a_structure_has_the_defaults_elsewhere(self):
        assert self.POINT == {
            NUMBER: 1,
            TYPE_0: "MLPInteraction",
            "hyper/mlp_interaction_0/units": 32,
            "learning_rate": 0.003,
            "optimizer": "adam",
        }
        assert self.MOVES.with_branches(["MLPInteraction", "Unknown"]) is None
        assert self.MOVES.with_branches(["MLPInteraction"] * 3) is None
        assert self.MOVES.with_branches([]) is None

    def test_no_branches_may_be_a_structure(self):
        optional = keras_tuner.HyperParameters()
        optional.Boolean("keep_branches", default=True)
        optional.Choice(TYPE_0, TYPES)
        for one in (space(least=0), optional):
            point = Moves(Points(one)).with_branches([])
            assert (point.get(NUMBER), point.get("keep_branches")) in [(0, None), (None, False)]

    def test_one_branch_is_exchanged_or_added(self):
        point = {**self.POINT, "hyper/mlp_interaction_0/units": 64}
        found = [branches(one) for one in self.MOVES.of_structure(point)]
        others = [name for name in TYPES if name != "MLPInteraction"]
        exchanged = [(name,) for name in others]
        added = [("MLPInteraction", name) for name in others]
        assert sorted(found) == sorted(exchanged + added)
        kept = [one for one in self.MOVES.of_structure(point) if len(branches(one)) == 2]
        assert all(one["hyper/mlp_interaction_0/units"] == 64 for one in kept)

    def test_one_branch_is_removed(self):
        both = self.MOVES.with_branches(["MLPInteraction", "FMInteraction"])
        found = [branches(one) for one in self.MOVES.of_structure(both)]
        assert ("MLPInteraction",) in found

    def test_a_recipe_changes_by_one_step(self):
        found = list(self.MOVES.of_recipe(self.POINT))
        changed = [
            {name: value for name, value in one.items() if value != self.POINT[name]}
            for one in found
        ]
        assert changed == [
            {"hyper/mlp_interaction_0/units": 16},
            {"hyper/mlp_interaction_0/units": 64},
            {"learning_rate": 0.001},
            {"learning_rate": 0.01},
            {"optimizer": "adagrad"},
        ]

    def test_the_order_of_branches_does_not_matter(self):
        one = self.MOVES.with_branches(["MLPInteraction", "FMInteraction"])
        other = self.MOVES.with_branches(["FMInteraction", "MLPInteraction"])
        wider = {**one, "hyper/mlp_interaction_0/units": 64}
        assert self.MOVES.shape(one) == self.MOVES.shape(other) != self.MOVES.shape(wider)


class TestStages:
    def test_known_structures_come_first_and_those_that_the_space_lacks_are_left_out(self):
        found = [branches(values) for values in run(4, loss)]
        known = [types for types in KNOWN if types and set(types) <= set(TYPES)]
        assert found == [("CrossNetInteraction",), *known]

    def test_then_recipe_and_structure_change_by_turns(self):
        found = run(12, loss)
        known = sum(set(types) <= set(TYPES) and bool(types) for types in KNOWN)
        assert all(values["learning_rate"] == 0.003 for values in found[: known + 1])
        moves = Moves(Points(space()))
        for number in range(known + 1, 12):
            earlier = found[:number]
            near = moves.of_structure if number % 2 else moves.of_recipe
            assert any(found[number] in near(one) for one in earlier), number

    def test_good_structure_and_good_recipe_come_together(self):
        best = min(run(20, loss), key=loss)
        assert set(branches(best)) == {"FMInteraction", "CrossNetV2Interaction"}
        assert best["learning_rate"] == 0.001

    @pytest.mark.parametrize("least", [0, 1])
    def test_no_two_candidates_differ_in_the_order_of_branches_alone(self, least):
        found = run(40, loss, space=space(least))
        moves = Moves(Points(space(least)))
        assert len({moves.shape(values) for values in found}) == len(found) == 40

    def test_what_cannot_differ_is_tried_once(self):
        def kind(values):
            return tuple(sorted(branches(values)))

        found = run(30, loss, identity=kind)
        assert len(found) == len(set(map(kind, found))) == 4 + 10

    def test_several_workers_begin_before_anything_is_known(self):
        hp = keras_tuner.HyperParameters()
        hp.Choice("rate", [1, 2, 3, 4, 5], default=3)
        settings = {"objective": "val_mse", "direction": "min", "seed": 1, "epochs": 9}
        oracle = make_oracle("staged", hp, **settings)
        rates = [ask(oracle, number).hyperparameters.values["rate"] for number in range(5)]
        assert rates[0] == 3
        assert sorted(rates) == [1, 2, 3, 4, 5]

    def test_a_space_without_structure_is_searched_by_its_recipe(self):
        hp = keras_tuner.HyperParameters()
        hp.Choice("rate", [1, 2, 3, 4, 5, 6, 7, 8], default=8)
        found = [values["rate"] for values in run(8, lambda values: values["rate"], space=hp)]
        assert found[:2] == [8, 7]
        assert sorted(found) == [*range(1, 9)]
