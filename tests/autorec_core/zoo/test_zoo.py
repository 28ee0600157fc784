"""Ready models: every candidate of their spaces trains."""

import dataclasses
import random

import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import autorec_core as ar
from autorec_core import zoo
from autorec_core.block import Choice
from autorec_core.data.schema import Field, ListField, Schema
from autorec_core.errors import ConfigError
from autorec_core.interactors.hyper import THESIS_TYPES
from autorec_core.recommender import adapt
from autorec_core.search.space import search_space
from autorec_core.training import Budget, Rows, train

ROWS = 8
SAMPLES = 6  # a model and task, three times as many of AutoRec: 204 candidates in all


def schema(task, *, named=True, numeric=("price", "age"), columns=3, lists=()):
    names = ("user", "item", "genre")[:columns]
    return Schema(
        task=task,
        label="label",
        categorical=tuple(Field(name, 4 + place) for place, name in enumerate(names)),
        numeric=tuple(numeric),
        user="user" if named else None,
        item="item" if named else None,
        label_range=(1.0, 5.0) if task == "rating" else (0.0, 1.0),
        lists=lists,
    )


def rows(of):
    generator = np.random.default_rng(0)
    sizes = [field.vocabulary_size for field in of.categorical]
    sizes += [one.vocabulary_size for one in of.lists for _ in range(one.length)]
    ids = np.stack([generator.integers(0, size, ROWS) for size in sizes], axis=1)
    inputs = {"categorical": ids.astype("int32"), "numeric": generator.normal(size=(ROWS, 2))}
    labels = generator.integers(*((1, 6) if of.task == "rating" else (0, 2)), ROWS)
    kept = {
        "categorical": inputs["categorical"],
        **({"numeric": inputs["numeric"].astype("float32")} if of.numeric else {}),
    }
    return kept, labels.astype("float32")


def sampled(space, seed):
    """Draws a random point of a space."""
    draw = random.Random(seed)
    hp = keras_tuner.HyperParameters()
    for hyperparameter in space.space:
        hp.merge([hyperparameter])
        if hp.is_active(hyperparameter):
            hp.values[hyperparameter.name] = hyperparameter.random_sample(draw.randrange(2**31))
    return hp


def one_step(model, inputs, labels):
    """Takes one training step and returns the loss, including regularisation."""
    given = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    with tf.GradientTape() as tape:
        loss = tf.add_n([model.loss(labels[:, None], model(given, training=True)), *model.losses])
    variables = model.trainable_variables
    model.optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
    return float(loss)


TAGS = ListField("tags", vocabulary_size=5, length=2, separator=",")
TASKS = {"rating": schema("rating"), "ctr": schema("ctr", lists=(TAGS,))}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", zoo.MODELS)
def test_every_point_of_the_space_builds_and_trains(name, task):
    recommender = zoo.build(name, TASKS[task])
    inputs, labels = rows(TASKS[task])
    space = search_space(recommender)
    number = 3 * SAMPLES if name.startswith("autorec") else SAMPLES
    for seed in range(number):
        hp = sampled(space, seed)
        model = recommender.resolve(hp).model()
        adapt(model, inputs, labels)

        loss = one_step(model, inputs, labels)

        assert np.isfinite(loss), hp.values
        assert all(np.isfinite(weight).all() for weight in model.get_weights()), hp.values


@pytest.mark.parametrize(
    ("of", "space"),
    [
        (schema("rating", numeric=(), columns=2), "thesis"),
        (schema("ctr", numeric=(), named=False), "extended"),
        (schema("ctr", named=False), "thesis"),
    ],
    ids=["user and item alone", "no numbers", "a table of clicks"],
)
def test_default_candidates_build_on_any_kind_of_table(of, space):
    inputs, labels = rows(of)
    for name in zoo.MODELS:
        if of.user is None and name in ("mf", "neumf", "autorec_rp", "autorec_ranking"):
            with pytest.raises(ConfigError, match=f"{name} needs a user and an item column"):
                zoo.build(name, of, space)
            continue
        recommender = zoo.build(name, of, space)
        model = recommender.resolve(keras_tuner.HyperParameters()).model()
        adapt(model, inputs, labels)
        assert np.isfinite(one_step(model, inputs, labels)), name


def test_errors_for_unknown_names_list_the_known_ones():
    with pytest.raises(ConfigError, match=r"Unknown model 'fm'.*Known models: auto, mf, mlp"):
        zoo.build("fm", TASKS["ctr"])
    with pytest.raises(ConfigError, match="Unknown space 'wide'"):
        zoo.build("mf", TASKS["rating"], "wide")


def test_auto_is_autorec_for_the_task():
    def same(of, name):
        return zoo.build("auto", of).get_config() == zoo.build(name, of).get_config()

    assert same(TASKS["rating"], "autorec_rp")
    assert same(TASKS["ctr"], "autorec_ctr")
    assert same(schema("rating", named=False), "autorec_ctr")


class TestSpaces:
    def test_every_model_has_something_to_search_in_both_spaces(self):
        """MF too: without a choice, its trials would differ only in their seeds."""
        for space in ("thesis", "extended"):
            for name in zoo.MODELS:
                assert len(search_space(zoo.build(name, TASKS["rating"], space)).space) > 0, name

    def test_the_thesis_space_has_its_embeddings_and_recipe(self):
        for name in set(zoo.MODELS) - {"mf"}:
            recommender = zoo.build(name, TASKS["ctr"], "thesis")
            assert recommender.training == ar.Training(
                optimizer="adam", learning_rate=0.001, decay=1.0, batch_size=1024
            )
            for block in recommender.blocks().values():
                assert getattr(block, "embedding_dim", 64) == 64 or isinstance(block, ar.Interactor)
                assert getattr(block, "l2", 0.0) == 0.0

    def test_every_interactor_has_the_candidates_and_defaults_of_the_thesis(self):
        found = {
            name: (hp.values, hp.default)
            for name, hp in (
                (hp.name.removeprefix("hyper_interaction_1/"), hp)
                for hp in search_space(zoo.build("auto", TASKS["ctr"], "thesis")).space
                if hasattr(hp, "values")
            )
            if "_0" in name or "_num" in name
        }
        dims, flag = ([4, 8, 16], 8), (True, False)
        assert {name: tuple(values) for name, values in found.items()} == {
            "meta_interactor_num": ([1, 2, 3, 4, 5, 6], 3),
            "interactor_type_0": (list(THESIS_TYPES), "InnerProductInteraction"),
            "elementwise_interaction_0/operation": (
                ["sum", "average", "multiply", "max", "min"],
                "average",
            ),
            "fm_interaction_0/embedding_dim": dims,
            "mlp_interaction_0/units": ([16, 32, 64, 128, 256, 512, 1024], 32),
            "mlp_interaction_0/num_layers": ([1, 2, 3], 2),
            "mlp_interaction_0/use_batch_norm": (flag, False),
            "mlp_interaction_0/dropout_rate": ([0.0, 0.25, 0.5], 0.0),
            "cross_net_interaction_0/num_layers": ([1, 2, 3, 4], 1),
            "self_attention_interaction_0/embedding_dim": dims,
            "self_attention_interaction_0/attention_dim": dims,
            "self_attention_interaction_0/num_heads": ([1, 2, 3, 4], 2),
            "self_attention_interaction_0/use_residual": (flag, True),
        }

    def test_every_model_of_the_thesis_begins_as_the_thesis_says(self):
        for name in zoo.MODELS:
            for block in zoo.build(name, TASKS["rating"], "thesis").blocks().values():
                if isinstance(block, ar.MLPInteraction):
                    found = (block.units, block.num_layers, block.dropout_rate)
                    assert [choice.default for choice in found] == [32, 2, 0.0], name

    def test_user_and_item_vectors_of_matrix_factorisation_have_one_width(self):
        """With two widths there is a linear map between them, which is not matrix factorisation."""
        for space in ("thesis", "extended"):
            recommender = zoo.build("mf", schema("rating", numeric=(), columns=2), space)
            hp = search_space(recommender)
            widths = [one.name for one in hp.space if "embedding_dim" in one.name]
            assert widths == ["embedding_dim"]
            hp.values["embedding_dim"] = 128
            blocks = recommender.resolve(hp).blocks()
            mapped = [b for b in blocks.values() if isinstance(b, ar.LatentFactorMapper)]
            assert [block.embedding_dim for block in mapped] == [128, 128]

    def test_a_branch_has_no_hyperparameters_without_effect(self):
        def asked(columns):
            of = schema("ctr", numeric=(), columns=columns, named=False)
            names = [hp.name for hp in search_space(zoo.build("auto", of)).space]
            return {name.partition("_interaction_0/")[2] for name in names} - {""}

        assert asked(1).isdisjoint({"operation", "form", "reduction", "seed"})
        assert asked(2) & {"operation", "form", "reduction", "seed"} == {"operation"}
        assert asked(3) & {"operation", "form", "reduction", "seed"} == {"operation", "form"}

    def test_biases_and_regularisation_are_in_the_extended_space(self):
        for name in zoo.MODELS:
            blocks = zoo.build(name, TASKS["rating"]).blocks()
            assert "bias_mapper_1" in blocks
            mappers = [b for b in blocks.values() if hasattr(b, "l2")]
            assert mappers
            assert all(isinstance(mapper.l2, Choice) for mapper in mappers)

    def test_ratings_without_users_learn_faster_and_pay_less_for_what_they_learn(self):
        tags = (ListField("tags", 5, 2, "|"),)

        def candidates(**table):
            of = schema(table.pop("task", "rating"), lists=tags, **table)
            space = search_space(zoo.build("auto", of))
            found = {hp.name: hp for hp in space.space if hasattr(hp, "values")}
            dropout = found["hyper_interaction_1/mlp_interaction_0/dropout_rate"].default
            return found["learning_rate"].values, found["sparse_l2"].values, dropout

        assert candidates(named=False) == ([0.003, 0.01], [1.0, 3.0, 10.0, 30.0], 0.0)
        others = ([0.001, 0.003], [3.0, 10.0, 30.0, 100.0], 0.5)
        assert candidates() == others
        assert candidates(task="ctr", named=False) == others

    def test_a_branch_is_never_an_interactor_that_cannot_learn_from_that_many_vectors(self):
        """Vectors start near zero, so the product of three of them has almost no gradient."""

        def offered(of, space="extended"):
            found = {hp.name: hp for hp in search_space(zoo.build("auto", of, space)).space}
            types = found["hyper_interaction_1/interactor_type_0"].values
            operations = found["hyper_interaction_1/elementwise_interaction_0/operation"].values
            return "InnerProductInteraction" in types, "multiply" in operations

        two = (
            schema("rating", numeric=(), columns=2),
            schema("rating", numeric=(), columns=2, named=False),
            schema("ctr", named=False),  # the ids' vectors side by side, and those of the numbers
        )
        more = (
            schema("rating"),
            schema("rating", numeric=(), named=False),
            schema("ctr", numeric=(), named=False),
            schema("ctr", lists=(TAGS,)),
        )
        assert [offered(of) for of in two] == [(True, True)] * 3
        assert [offered(of) for of in more] == [(False, False)] * 4
        assert [offered(of, "thesis") for of in more] == [(True, True)] * 4

    def test_predictions_stay_in_the_range_of_the_ratings(self):
        recommender = zoo.build("mf", TASKS["rating"])
        model = recommender.resolve(keras_tuner.HyperParameters()).model()
        model.get_layer("score").offset.assign(100.0)
        predicted = model.predict(rows(TASKS["rating"])[0], verbose=0)
        assert (predicted == 5.0).all()


@pytest.mark.parametrize(
    ("name", "space"), [("mf", "extended"), ("wide_deep", "thesis"), ("autorec_rp", "extended")]
)
def test_a_single_numeric_column_has_a_weight_to_learn(name, space):
    """The true slope is -0.5. A fixed weight of 1 would have a loss of (1 + 0.5) squared."""
    of = schema("rating", numeric=("price",), columns=2)
    generator = np.random.default_rng(0)
    ids = generator.integers(0, 4, (3000, 2)).astype("int32")
    price = generator.normal(size=(3000, 1)).astype("float32")
    labels = (3 - 0.5 * price[:, 0] + generator.normal(0, 0.3, 3000)).astype("float32")
    known, valid = (
        Rows({"categorical": ids[part], "numeric": price[part]}, labels[part])
        for part in (slice(2500), slice(2500, None))
    )
    recommender = zoo.build(name, of, space).resolve(keras_tuner.HyperParameters())
    training = ar.Training(learning_rate=0.01, decay=1.0, batch_size=64)
    recommender = dataclasses.replace(recommender, training=training)
    trained = train(recommender, known, valid, budget=Budget(5, 5), seed=1)
    assert trained.score < 0.12


def test_a_recommender_takes_the_rows_of_its_schema():
    inputs, labels = rows(TASKS["ctr"])
    assert len(Rows.of(zoo.build("dlrm", TASKS["ctr"]), inputs, labels)) == ROWS
