"""What must hold after each fault."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.installation import DATASET, Ended, Installation
from flows.registry.versions import LIVE, PREVIOUS, alias_of, client, get_version

GROWTH = 1.5
"""The workspace may be larger than after the undisturbed run by this factor: old trials stay."""
TEMPORARY_FOLDERS = ("data", "reports", "mlartifacts", ".autorec")


def broken(installation: Installation, repeated: Ended) -> Iterator[str]:
    """Checks the installation after a fault and a repeated run.

    Args:
        installation: The installation.
        repeated: The run that was started after the fault, without any.

    Yields:
        A sentence for each thing that does not hold.
    """
    if repeated.code:
        yield f"The repeated run failed with exit code {repeated.code}: {repeated.message}"
    elif installation.metrics_file.read_text(encoding="utf-8") != installation.metrics:
        yield "The repeated run has other test figures than the undisturbed run."
    if "Traceback" in repeated.output:
        yield "The repeated run printed a traceback."
    if (scores := installation.score()) != installation.scores:
        yield f"The champion scores otherwise than before: {scores[:200]!r}"
    yield from _aliases(installation)
    for folder in TEMPORARY_FOLDERS:
        for path in (installation.root / folder).rglob(".*.*"):
            if path.name != ".gitignore":
                yield f"A temporary file was left: {path.relative_to(installation.root)}"
    for note in (installation.root / ".autorec" / "runs").glob("*"):
        yield f"The note of a run was left: {note.name}"
    if (size := installation.disk()) > installation.size * GROWTH:
        yield f"The workspace has grown from {installation.size:,} to {size:,} bytes."


def clean_end(ended: Ended) -> Iterator[str]:
    """Checks that a command that could not do its work said so in a sentence.

    Yields:
        A sentence for each thing that does not hold.
    """
    if "Traceback" in ended.output:
        yield f"A traceback was printed: {ended.output[-1500:]}"
    if ended.code and "No end after" in ended.output:
        yield "It did not end."
    if ended.code > 0 and "Error" not in ended.output:
        yield f"It ended with exit code {ended.code} and named no error: {ended.message}"


def _aliases(installation: Installation) -> Iterator[str]:
    registry = client(installation.root)
    for alias, states in ((LIVE, {"promoted"}), (PREVIOUS, {"promoted", "rolled back"})):
        number = alias_of(registry, DATASET, alias)
        if number is None:
            if alias == LIVE:
                yield "There is no champion."
            continue
        tags = get_version(DATASET, number, installation.root).tags
        if tags.get("state") not in states:
            yield f"Version {number} is the {alias}, but its state is {tags.get('state')!r}."
        if not tags.get("decision"):
            yield f"Version {number} is the {alias}, and nothing says why."
