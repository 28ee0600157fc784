"""The known-truth benchmark's lines as a table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from flows.benchmark.result_lines import Line
from flows.benchmark.tables import markdown

NAMES = {"fm": "pairs (FM-like)", "cross": "products of three (cross-like)", "mlp": "perceptron"}

BRANCHES = (1, 2, 3)
"""How many a candidate of AutoRec's space has."""
PLANTED = {"fm": "FMInteraction", "cross": "CrossNetInteraction", "mlp": "MLPInteraction"}
"""The interactor that each structure is made like."""
CROSSES = (
    "CrossNetV2Interaction",
    "GatedCrossInteraction",
    "CompressedInteraction",
)
KIN = {
    "fm": ("FMInteraction", "PairwiseDotInteraction", "BilinearInteraction", *CROSSES),
    "cross": ("CrossNetInteraction", *CROSSES),
    "mlp": ("MLPInteraction", "TwoStreamInteraction"),
}
"""Those that can be it, given weights: theirs are all pairs' products with a weight each, products
of three with enough layers, and rectified units."""


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
    """Each search's winner, and the best trials with and without what can be the planted."""
    table = [
        [
            "planted",
            "searcher",
            "seed",
            "test MSE / floor",
            "winner's interactors",
            "trials with its kin",
            "best with",
            "best without",
        ]
    ]
    for line in lines:
        kin = set(KIN[line["structure"]])
        scores: dict[bool, list[float]] = {True: [], False: []}
        for one in line["tried"]:
            if one["score"] is not None:
                has_it = bool(kin & set(one["interactors"]))
                scores[has_it].append(one["score"] / line["valid_floor"])
        table.append(
            [
                NAMES[line["structure"]],
                line["tuner"],
                str(line["seed"]),
                f"{line['ratio']:.3f}",
                ", ".join(map(_short, line["interactors"])),
                f"{len(scores[True])} of {len(line['tried'])}",
                *(f"{min(found):.3f}" if (found := scores[has]) else "–" for has in (True, False)),
            ]
        )
    return "\n".join(markdown(table))


def alone_table(lines: Sequence[Line]) -> str:
    """A row an interactor, a column a structure: how near the floor it comes by itself.

    The planted structure's own interactor and its kin are set in bold.
    """
    structures = [name for name in NAMES if any(line["structure"] == name for line in lines)]
    table = [["interactor", *(NAMES[structure] for structure in structures)]]
    for name in sorted({line["interactor"] for line in lines}):
        row = [_short(name)]
        for structure in structures:
            mine = [
                line["ratio"]
                for line in lines
                if (line["structure"], line["interactor"]) == (structure, name)
            ]
            text = _ratio(mine) if mine else "–"
            row.append(f"**{text}**" if mine and name in KIN[structure] else text)
        table.append(row)
    return "\n".join(markdown(table))


def told_apart_table(lines: Sequence[Line]) -> str:
    """A row a structure: whether the scores of interactors by themselves say what was planted."""
    header = [
        "planted",
        "trials each",
        "place of its own interactor",
        "best of its kin",
        "best of the rest",
        "the best is kin",
        "by chance",
    ]
    table = [header]
    for structure in NAMES:
        mine = [line for line in lines if line["structure"] == structure]
        if not mine:
            continue
        places, kin, rest = [], [], []
        seeds = sorted({line["seed"] for line in mine})
        for seed in seeds:
            scores = {
                line["interactor"]: line["valid_ratio"] for line in mine if line["seed"] == seed
            }
            order = sorted(scores, key=scores.__getitem__)
            places.append(1 + order.index(PLANTED[structure]))
            kin.append(min(scores[name] for name in order if name in KIN[structure]))
            rest.append(min(scores[name] for name in order if name not in KIN[structure]))
        tried = {line["interactor"] for line in mine}
        found = sum(one < other for one, other in zip(kin, rest, strict=True))
        table.append(
            [
                NAMES[structure],
                str(mine[0]["trials"]),
                f"{', '.join(map(str, places))} of {len(tried)}",
                _ratio(kin),
                _ratio(rest),
                f"{found} of {len(seeds)}",
                f"{len(tried & set(KIN[structure])) / len(tried):.2f}",
            ]
        )
    return "\n".join(markdown(table))


def _short(name: str) -> str:
    return name.removesuffix("Interaction")


def _ratio(values: Sequence[float]) -> str:
    text = f"{statistics.fmean(values):.3f}"
    return f"{text} ± {statistics.stdev(values):.3f}" if len(values) > 1 else text
