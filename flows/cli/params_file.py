"""Changes single values in params.yaml and keeps everything else, including comments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from autorec_core.errors import ConfigError
from autorec_core.files import write_text
from flows.config import Params

PARAMS = Path("params.yaml")
WIDTH = 100


def build_too(name: str, path: Path = PARAMS) -> bool:
    """Adds a data set to `pipeline.datasets`, the list of data sets that `dvc repro` builds.

    Returns:
        Whether it was added; False if it was on the list already.

    Raises:
        ConfigError: No data set has this name, or params.yaml is not valid.
    """
    params = Params.load(path)
    params.dataset(name)
    if name in params.pipeline.datasets:
        return False
    _write(path, _listed(path.read_text(encoding="utf-8"), name))
    return True


def add_dataset(name: str, entry: dict[str, Any], path: Path = PARAMS) -> None:
    """Adds a data set's entry to params.yaml, and its name to `pipeline.datasets`.

    Raises:
        ConfigError: The name is taken, or the entry or params.yaml is not valid.
    """
    if name in Params.load(path).datasets:
        raise ConfigError(
            f"{path} already has a data set {name!r}. Choose another name with --name."
        )
    text = path.read_text(encoding="utf-8")
    _write(path, _listed(_with_entry(text, name, entry), name))


def set_value(key: str, value: str, path: Path = PARAMS) -> None:
    """Replaces one value.

    Args:
        key: Dotted path of the value, such as `model.name`.
        value: The new value, as YAML.
        path: The params file.

    Raises:
        ConfigError: The key is missing, or params.yaml would become invalid.
    """
    Params.load(path)
    text = path.read_text(encoding="utf-8")
    try:
        node = _node(text, *key.split("."))
    except StopIteration:
        raise ConfigError(f"{path}: the key `{key}` is missing.") from None
    _write(path, text[: node.start_mark.index] + value + text[node.end_mark.index :])


def entry_text(name: str, entry: dict[str, Any]) -> str:
    """Returns an entry as YAML text, indented as under `datasets` in params.yaml."""
    text = yaml.safe_dump(
        {name: entry}, sort_keys=False, default_flow_style=None, width=WIDTH, allow_unicode=True
    )
    return "".join(f"  {line}\n" for line in text.splitlines())


def _write(path: Path, text: str) -> None:
    Params.parse(text, path)  # never write a file that does not load
    write_text(path, text)


def _with_entry(text: str, name: str, entry: dict[str, Any]) -> str:
    end = _node(text, "datasets").end_mark.index
    lines = text[:end].splitlines(keepends=True)
    # Blank lines and comments between two sections belong to the second one.
    while lines and (not lines[-1].strip() or lines[-1].startswith("#")):
        end -= len(lines.pop())
    head = text[:end] if text[:end].endswith("\n") else text[:end] + "\n"
    return f"{head}\n{entry_text(name, entry)}{text[end:]}"


def _listed(text: str, name: str) -> str:
    names = _node(text, "pipeline", "datasets")
    shown = name if yaml.safe_load(name) == name else f'"{name}"'
    if names.flow_style:
        place = names.end_mark.index - 1
        return f"{text[:place].rstrip()}, {shown}{text[place:]}"
    last = names.value[-1]
    indent = " " * (last.start_mark.column - 2)
    place = last.end_mark.index
    return f"{text[:place]}\n{indent}- {shown}{text[place:]}"


def _node(text: str, *keys: str) -> Any:
    """Returns the YAML node under a path of keys. It knows its position in the text."""
    node: Any = yaml.compose(text)
    for key in keys:
        node = next(value for found, value in node.value if found.value == key)
    return node
