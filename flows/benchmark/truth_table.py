"""Makes Markdown tables of the benchmark on made-up data."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from flows.benchmark.result_lines import Line
from flows.benchmark.tables import markdown

NAMES = {"fm": "pairs (FM-like)", "cross": "products of three (cross-like)", "mlp": "perceptron"}

BRANCHES = (1, 2, 3)
"""Possible numbers of branches in AutoRec's space."""
PLANTED = {"fm": "FMInteraction", "cross": "CrossNetInteraction", "mlp": "MLPInteraction"}
"""The interactor that each made-up structure imitates."""
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
"""The interactors that can represent each structure with suitable weights: weighted products of all
pairs, products of three with enough layers, and rectified units."""


def interactors(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Returns the types of a candidate's branches, in order."""
    names = sorted(name for name in hyperparameters if "/interactor_type_" in name)
    return [hyperparameters[name] for name in names]


def chance(kinds: Sequence[str], choices: Sequence[str]) -> float:
    """Returns the probability that a random candidate has one of these interactors.

    Args:
        kinds: The interactors.
        choices: All interactors that a branch can have.
    """
    share = sum(kind in kinds for kind in choices) / len(choices)
    return statistics.fmean(1 - (1 - share) ** count for count in BRANCHES)


def truth_table(lines: Sequence[Line]) -> str:
    """Returns a row per structure and searcher: test loss / floor and the winners' interactors."""
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
    cells = dict.fromkeys((line["structure"], line["tuner"], line["trials"]) for line in lines)
    for structure, tuner, trials in cells:
        own_lines = [
            line
            for line in lines
            if (line["structure"], line["tuner"], line["trials"]) == (structure, tuner, trials)
        ]
        choices = own_lines[0]["choices"]
        exact = sum(PLANTED[structure] in line["interactors"] for line in own_lines)
        kin = sum(bool(set(KIN[structure]) & set(line["interactors"])) for line in own_lines)
        table.append(
            [
                NAMES[structure],
                tuner,
                f"{len(own_lines)}, {trials}",
                _ratio([line["ratio"] for line in own_lines]),
                _ratio([line["others"]["biases"] for line in own_lines]),
                _ratio([line["others"]["mean"] for line in own_lines]),
                f"{exact} of {len(own_lines)}",
                f"{kin} of {len(own_lines)}",
                ", ".join(
                    f"{chance(kinds, choices):.2f}"
                    for kinds in ([PLANTED[structure]], KIN[structure])
                ),
            ]
        )
    return "\n".join(markdown(table))


def winners_table(lines: Sequence[Line]) -> str:
    """Returns each search's winner, and its best trials with and without a related interactor."""
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
        for trial in line["tried"]:
            if trial["score"] is not None:
                has_it = bool(kin & set(trial["interactors"]))
                scores[has_it].append(trial["score"] / line["valid_floor"])
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
    """Returns test loss / floor of each interactor by itself: one column per structure.

    The planted structure's interactor and related ones are in bold.
    """
    structures = [name for name in NAMES if any(line["structure"] == name for line in lines)]
    table = [["interactor", *(NAMES[structure] for structure in structures)]]
    for name in sorted({line["interactor"] for line in lines}):
        row = [_short(name)]
        for structure in structures:
            own_lines = [
                line["ratio"]
                for line in lines
                if (line["structure"], line["interactor"]) == (structure, name)
            ]
            text = _ratio(own_lines) if own_lines else "–"
            row.append(f"**{text}**" if own_lines and name in KIN[structure] else text)
        table.append(row)
    return "\n".join(markdown(table))


def told_apart_table(lines: Sequence[Line]) -> str:
    """Returns one row per structure: whether interactors' scores show what was planted."""
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
        own_lines = [line for line in lines if line["structure"] == structure]
        if not own_lines:
            continue
        places, kin, rest = [], [], []
        seeds = sorted({line["seed"] for line in own_lines})
        for seed in seeds:
            scores = {
                line["interactor"]: line["valid_ratio"]
                for line in own_lines
                if line["seed"] == seed
            }
            order = sorted(scores, key=scores.__getitem__)
            places.append(1 + order.index(PLANTED[structure]))
            kin.append(min(scores[name] for name in order if name in KIN[structure]))
            rest.append(min(scores[name] for name in order if name not in KIN[structure]))
        tried = {line["interactor"] for line in own_lines}
        found = sum(best < other for best, other in zip(kin, rest, strict=True))
        table.append(
            [
                NAMES[structure],
                str(own_lines[0]["trials"]),
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
