"""Measures how much each element of the default candidate improves the loss on valid rows.

python benchmarks/ablation.py DATASET FILE [--seeds 1 2 3]

Each variant is the default candidate of the extended space with one thing changed. It is trained on
train and scored on valid, once for each split seed. Two more lines show the gain of the refit:
train is divided again, 8:1, and valid scores the model before and after the refit. Test is not
used. Figures are written to benchmarks/results/quality/. A variant that has a figure there is not
run again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import numpy as np

from autorec_core import zoo
from autorec_core.data.preparing.prepare import prepare
from autorec_core.data.preparing.store import load_examples, load_schema
from autorec_core.data.schema import Schema
from autorec_core.files import write_json
from autorec_core.interactors.elementwise import ElementwiseInteraction
from autorec_core.interactors.inner_product import InnerProductInteraction
from autorec_core.mappers.linear import LinearMapper
from autorec_core.mappers.rate import RateMapper
from autorec_core.metrics import task_metrics
from autorec_core.optimizers import CTRPredictionOptimizer, RatingPredictionOptimizer
from autorec_core.recipe import Training
from autorec_core.recommender import CTRRecommender, Recommender, RPRecommender
from autorec_core.search.space import search_space
from autorec_core.training import Budget, Rows, predict, refit, train
from flows.config import Params

RESULTS = Path(__file__).parent / "results" / "quality"
BRANCH = "hyper_interaction_1/interactor_type_0"
NUMBER = "hyper_interaction_1/meta_interactor_num"
MLP = "hyper_interaction_1/mlp_interaction_0"

Build = Callable[[Schema], Recommender]

AUTO: Build = partial(zoo.build, "auto")


@dataclass(frozen=True)
class Variant:
    """One change to the default candidate.

    Args:
        build: Makes the space that it is taken from.
        values: Hyperparameters that differ from the space's defaults.
        preprocess: Settings of `preprocess` in params.yaml that differ.
    """

    build: Build = AUTO
    values: Mapping[str, Any] = field(default_factory=dict)
    preprocess: Mapping[str, Any] = field(default_factory=dict)


def factors(schema: Schema, histories: str, biases: bool = True) -> Recommender:
    """Builds matrix factorisation with histories of `"user item"`, of `"user"`, or with none."""
    parts = zoo.ExtendedParts(schema, 32)
    pair = []
    for of, met in (("user", "item"), ("item", "user")):
        vector = parts.latent(of)
        if of in histories.split():
            history = parts.history(of, met)
            vector = ElementwiseInteraction(operation="sum")([vector, history])
        pair.append(vector)
    nodes = [InnerProductInteraction()(pair), *(parts.linear if biases else [])]
    return RPRecommender(
        inputs=parts.ids,
        outputs=RatingPredictionOptimizer(label_range=schema.label_range)(nodes),
        training=Training(),
    )


class RandomWeights(LinearMapper):
    """A linear mapper with random initial weights."""

    def connect(self, inputs: Sequence[Any]) -> Any:
        """Builds the weights on the only input, which holds the numbers."""
        return keras.layers.Dense(1, use_bias=False)(self.only(inputs))


def clicks(
    schema: Schema,
    *,
    searched: bool = True,
    linear: bool = True,
    rates: bool = True,
    random_start: bool = False,
) -> Recommender:
    """Builds the default candidate for clicks without some of its parts.

    Args:
        schema: The schema of the data.
        searched: Whether it has the searched part.
        linear: Whether it has the linear part.
        rates: Whether the linear part has the click rates of ids.
        random_start: Whether the weights of numbers begin at random instead of at zero.
    """
    parts = zoo.ExtendedParts(schema, 8)
    nodes = zoo.autorec_ctr(parts) if searched else []
    for node in parts.linear if linear else ():
        (parent,) = node.parents
        if rates or not isinstance(parent.block, RateMapper):
            random = random_start and parent is parts.numbers
            nodes.append(RandomWeights()(parent) if random else node)
    inputs = (parts.ids, parts.numbers) if schema.numeric else (parts.ids,)
    return CTRRecommender(
        inputs=inputs,
        outputs=CTRPredictionOptimizer()(nodes),
        training=Training(least_steps=zoo.LEAST_STEPS),
    )


def large_batches(schema: Schema) -> Recommender:
    """Builds the default space without halving the batches if there are few rows."""
    recommender = zoo.build("auto", schema)
    training = dataclasses.replace(recommender.training, least_steps=1)
    return dataclasses.replace(recommender, training=training)


RATING = {
    "default": Variant(),
    "no history": Variant(partial(factors, histories="")),
    "history of the user only (SVD++)": Variant(partial(factors, histories="user")),
    "no biases": Variant(partial(factors, histories="user item", biases=False)),
    "no L2 on latent vectors": Variant(values={"latent_l2": 0.0}),
    "no L2 on histories": Variant(values={"history_l2": 0.0}),
    "no history, no biases, no L2": Variant(
        partial(factors, histories="", biases=False), {"latent_l2": 0.0}
    ),
    "no L2 on biases": Variant(values={"bias_l2": 0.0}),
    "learning rate never decays": Variant(values={"decay": 1.0}),
    "L2 on latent vectors 0.1": Variant(values={"latent_l2": 0.1}),
    "one MLP branch": Variant(values={NUMBER: 1, BRANCH: "MLPInteraction"}),
    "min_count 3": Variant(preprocess={"min_count": 3}),
}

CTR = {
    "default": Variant(),
    "linear part only": Variant(partial(clicks, searched=False)),
    "no click rates of ids": Variant(partial(clicks, rates=False)),
    "no click rates, L2 on biases 3 for 30": Variant(
        partial(clicks, rates=False), {"bias_l2": 3.0}
    ),
    "weights of numbers begin at random": Variant(partial(clicks, random_start=True)),
    "no linear part": Variant(partial(clicks, linear=False)),
    "no L2": Variant(values={"bias_l2": 0.0, "sparse_l2": 0.0}),
    "batches of 1024": Variant(large_batches),
    "min_count 3": Variant(preprocess={"min_count": 3}),
    "L2 on biases 10 for 30": Variant(values={"bias_l2": 10.0}),
    "no L2 on embeddings": Variant(values={"sparse_l2": 0.0}),
    "embedding dim 32": Variant(values={"embedding_dim": 32}),
    "MLP for the cross network": Variant(values={BRANCH: "MLPInteraction"}),
    "the same without dropout": Variant(
        values={BRANCH: "MLPInteraction", f"{MLP}/dropout_rate": 0.0}
    ),
    "FM for the cross network": Variant(values={BRANCH: "FMInteraction"}),
    "the thesis' space": Variant(partial(zoo.build, "auto", space="thesis")),
}


def candidate(build: Build, schema: Schema, values: Mapping[str, Any]) -> Recommender:
    """Returns the default candidate of a space, with `values` in place of its defaults."""
    recommender = build(schema)
    space, hp = search_space(recommender), keras_tuner.HyperParameters()
    if unknown := set(values) - {hyperparameter.name for hyperparameter in space.space}:
        raise ValueError(f"The space has no {sorted(unknown)}.")
    for hyperparameter in space.space:
        hp.merge([hyperparameter])
        if hp.is_active(hyperparameter):
            name = hyperparameter.name
            hp.values[name] = values.get(name, hyperparameter.default)
    return recommender.resolve(hp)


def refit_or_not(recommender: Recommender, known: Rows, valid: Rows, seed: int) -> list[float]:
    """Returns the losses on valid of a model trained on 8/9 of `known`, and of its refit on all."""
    order = np.random.default_rng(seed).permutation(len(known))
    held = len(known) // 9
    most, rest = rows_at(known, np.sort(order[held:])), rows_at(known, np.sort(order[:held]))
    trained = train(recommender, most, rest, budget=budget(), seed=seed)
    again = refit(recommender, [most, rest], schedule=trained.schedule, seed=seed)
    task = recommender.optimizer
    return [
        task_metrics(task.task, valid.labels, predict(model, valid.inputs))[task.objective[4:]]
        for model in (trained.model, again)
    ]


def rows_at(rows: Rows, places: np.ndarray) -> Rows:
    """Returns the rows at some positions."""
    inputs = {name: array[places] for name, array in rows.inputs.items()}
    return Rows(inputs, rows.labels[places])


def budget() -> Budget:
    """Returns the training budget of params.yaml."""
    params = Params.load()
    return Budget(epochs=params.train.epochs, patience=params.train.patience)


def losses(
    arguments: argparse.Namespace, seed: int, known_already: Mapping[str, float], folder: Path
) -> Iterator[dict[str, float]]:
    """Yields the loss on valid of each variant that has none yet, for one split seed."""
    params = Params.load()
    entry = params.datasets[arguments.dataset].model_copy(update={"sample": None})
    for name, variant in (RATING if entry.task == "rating" else CTR).items():
        if name in known_already:
            continue
        preprocess = params.preprocess.model_copy(update=dict(variant.preprocess))
        out = folder / f"min_count-{preprocess.min_count}"
        if not out.exists():
            prepare(entry, params.split, preprocess, seed, arguments.file, out)
        schema = load_schema(out)
        known, valid = (
            Rows(part.inputs(), part.label)
            for part in (load_examples(out, "train"), load_examples(out, "valid"))
        )
        recommender = candidate(variant.build, schema, variant.values)
        score = train(recommender, known, valid, budget=budget(), seed=seed).score
        if name == "default":
            most, every = refit_or_not(recommender, known, valid, seed)
            yield {"trained on 8/9 of train": most, "the same, refit on all of train": every}
        yield {name: score}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    results = RESULTS / f"ablation-{arguments.dataset}.json"
    runs: dict[str, dict[str, float]] = {}
    if results.exists():
        runs = json.loads(results.read_text(encoding="utf-8"))["runs"]
    for seed in arguments.seeds:
        run = runs.setdefault(str(seed), {})
        with tempfile.TemporaryDirectory() as folder:
            for found in losses(arguments, seed, run, Path(folder)):
                print(seed, found, flush=True)
                run |= found
                write_json(results, report(arguments.dataset, runs))


def report(dataset: str, runs: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Returns the content of the results file; a mean is over the seeds that have the variant."""
    names = dict.fromkeys(name for run in runs.values() for name in run)
    return {
        "command": f"python benchmarks/ablation.py {dataset} FILE --seeds {' '.join(runs)}",
        "metric": "loss on valid, mean over split seeds",
        "means": {
            name: float(np.mean([run[name] for run in runs.values() if name in run]))
            for name in names
        },
        "runs": runs,
    }


if __name__ == "__main__":
    main()
