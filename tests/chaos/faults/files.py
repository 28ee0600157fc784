"""Damaged files in every place that the system reads from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from chaos.faults import Fault, Story
from chaos.installation import DATASET, Installation
from chaos.invariants import clean_end

PLACES = (
    *(f"data/{name}/{DATASET}" for name in ("raw", "checks", "prepared", "search", "model")),
    *(f"data/evaluation/{DATASET}", ".dvc/cache", "dvc.lock", ".autorec/locks"),
)
FOREIGN = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>\n"
STAGES = ("check_raw", "prepare", "check_splits", "search", "evaluate")


def damage_built(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Damages a file that a run has written, and runs again.

    The run repairs it or names it in one sentence. It never gives other figures.
    """
    with installation.restored():
        victim = _any_file(installation.root, PLACES, random)
        if random.random() < 0.5:  # let a stage read it again, which would else be left alone
            shutil.rmtree(installation.root / "data" / "evaluation" / DATASET, ignore_errors=True)
            story.tell("the evaluation was removed, so that the last stage runs again")
        _damage(victim, installation.root, random, story)
        ended = installation.run()
        story.tell(f"exit code {ended.code}: {ended.message}")
        yield from clean_end(ended)
        if ended.code == 0 and installation.metrics_file.read_text("utf-8") != installation.metrics:
            yield "The run ended well with other figures."


def damage_trials(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Damages what a search has kept of its trials, and lets it go on from there."""
    with installation.restored():
        trials = f"data/search/{DATASET}/trials"
        victim = _any_file(installation.root, (trials,), random)
        _damage(victim, installation.root, random, story)
        for name in ("metrics.json", "winner"):
            lost = installation.root / "data" / "search" / DATASET / name
            shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
        shutil.rmtree(installation.root / ".dvc" / "cache")
        story.tell("the winner and the cache were removed, so that the search continues")
        ended = installation.run()
        story.tell(f"exit code {ended.code}: {ended.message}")
        yield from clean_end(ended)
        if ended.code == 0 and installation.metrics_file.read_text("utf-8") != installation.metrics:
            yield "The run ended well with other figures."


def damage_champion(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Damages a file of the live model: it scores as before or not at all."""
    with installation.restored():
        models = installation.root / "mlartifacts" / f"autorec-{DATASET}" / "models"
        victim = _any_file(installation.root, (str(models.relative_to(installation.root)),), random)
        _damage(victim, installation.root, random, story)
        output = installation.folder / "damaged.csv"
        output.unlink(missing_ok=True)
        words = ("score", DATASET, "--input", str(installation.rows), "--output", str(output))
        ended = installation.finish(*words)
        story.tell(f"exit code {ended.code}: {ended.message}")
        yield from clean_end(ended)
        if ended.code == 0 and output.read_text("utf-8") != installation.scores:
            yield "A damaged model gave other scores."


def damage_registry(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Damages MLflow's database: every command says so, and none gives wrong scores."""
    with installation.restored():
        _damage(installation.root / "mlflow.db", installation.root, random, story)
        for words in (("models",), ("doctor",), ("run", DATASET)):
            ended = installation.finish(*words)
            story.tell(f"autorec {words[0]}: exit code {ended.code}: {ended.message}")
            yield from (f"autorec {words[0]}: {said}" for said in clean_end(ended))


def _any_file(root: Path, places: tuple[str, ...], random: Random) -> Path:
    """A file below one of these places; each place is equally likely."""
    for place in random.sample(places, len(places)):
        path = root / place
        files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
        if files:
            return random.choice(files)
    raise FileNotFoundError(f"no file below {places}")


def _damage(path: Path, root: Path, random: Random, story: Story) -> None:
    how = random.choice(sorted(WAYS))
    # DVC links files of its cache: the link alone is broken, so that only one place is damaged.
    content = path.read_bytes()
    path.unlink()
    damaged = WAYS[how](content, random)
    if damaged is not None:
        path.write_bytes(damaged)
    story.tell(f"{path.relative_to(root)} ({len(content):,} bytes): {how}")


def _flip(content: bytes, random: Random) -> bytes:
    if not content:
        return FOREIGN
    changed = bytearray(content)
    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


WAYS: dict[str, Callable[[bytes, Random], bytes | None]] = {
    "cut off": lambda content, random: content[: random.randrange(len(content) or 1)],
    "one bit flipped": _flip,
    "replaced by a web page": lambda content, random: FOREIGN,
    "emptied": lambda content, random: b"",
    "zeroed": lambda content, random: bytes(len(content)),
    "removed": lambda content, random: None,
}

FAULTS: dict[str, Fault] = {
    "a damaged result": damage_built,
    "a damaged trial": damage_trials,
    "a damaged champion": damage_champion,
    "a damaged registry": damage_registry,
}
