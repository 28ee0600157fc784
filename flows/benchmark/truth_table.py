"""The known-truth benchmark's lines as a table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from flows.benchmark.lines import Line
from flows.benchmark.tables import markdown

NAMES = {"fm": "pairs (FM-like)", "cross": "products of three (cross-like)", "mlp": "perceptron"}

BRANCHES = (1, 2, 3)
"""How many a candidate of AutoRec's space has."""
PLANTED = {"fm": "FMInteraction", "cross": "CrossNetInteraction", "mlp": "MLPInteraction"}
"""The interactor that each structure is made like."""
KIN = {
    "fm": ("FMInteraction", "PairwiseDotInteraction", "BilinearInteraction"),
    "cross": (
        "CrossNetInteraction",
        "CrossNetV2Interaction",
        "GatedCrossInteraction",
        "CompressedInteraction",
    ),
    "mlp": ("MLPInteraction", "TwoStreamInteraction"),
}
"""Those that hold it or generalise it: all pairs of fields, explicit crosses, a perceptron."""


def interactors(hyperparameters: Mapping[str, Any]) -> list[str]:
    """The types of a candidate's branches, in their order."""
    names = sorted(name for name in hyperparameters if "/interactor_type_" in name)
    return [hyperparameters[name] for name in names]


def chance(kinds: Sequence[str], choices: Sequence[str]) -> float:
    """How often a random candidate has one of these interactors.

    Args:
        kinds: The interactors.
        choices: All that a branch may be.
    """
    share = sum(kind in kinds for kind in choices) / len(choices)
    return statistics.fmean(1 - (1 - share) ** count for count in BRANCHES)


def truth_table(lines: Sequence[Line]) -> str:
    """A row a structure and searcher: how near the floor, and what the winners are made of."""
    header = [
        "planted",
        "searcher",
        "seeds, trials",
        "test MSE / floor",
        "biases / floor",
        "mean / floor",
        "winner has it",
        "winner has its kin",
        "by chance",
    ]
    table = [header]
    cells = dict.fromkeys((one["structure"], one["tuner"], one["trials"]) for one in lines)
    for structure, tuner, trials in cells:
        mine = [
            line
            for line in lines
            if (line["structure"], line["tuner"], line["trials"]) == (structure, tuner, trials)
        ]
        choices = mine[0]["choices"]
        exact = sum(PLANTED[structure] in line["interactors"] for line in mine)
        kin = sum(bool(set(KIN[structure]) & set(line["interactors"])) for line in mine)
        table.append(
            [
                NAMES[structure],
                tuner,
                f"{len(mine)}, {trials}",
                _ratio([line["ratio"] for line in mine]),
                _ratio([line["others"]["biases"] for line in mine]),
                _ratio([line["others"]["mean"] for line in mine]),
                f"{exact} of {len(mine)}",
                f"{kin} of {len(mine)}",
                ", ".join(
                    f"{chance(kinds, choices):.2f}"
                    for kinds in ([PLANTED[structure]], KIN[structure])
                ),
            ]
        )
    return "\n".join(markdown(table))


def winners_table(lines: Sequence[Line]) -> str:
    """Each search's winner beside how often the planted structure was tried at all."""
    table = [["planted", "seed", "ratio", "winner's interactors", "tried with it", "with its kin"]]
    for line in lines:
        structure = line["structure"]
        tried = [set(one["interactors"]) for one in line["tried"]]
        table.append(
            [
                NAMES[structure],
                str(line["seed"]),
                f"{line['ratio']:.3f}",
                ", ".join(name.removesuffix("Interaction") for name in line["interactors"]),
                f"{sum(PLANTED[structure] in one for one in tried)} of {len(tried)}",
                f"{sum(bool(set(KIN[structure]) & one) for one in tried)} of {len(tried)}",
            ]
        )
    return "\n".join(markdown(table))


def _ratio(values: Sequence[float]) -> str:
    text = f"{statistics.fmean(values):.3f}"
    return f"{text} ± {statistics.stdev(values):.3f}" if len(values) > 1 else text
