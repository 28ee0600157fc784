"""Every code block of README and documentation does what it says.

Python and bash blocks are run, a page's blocks one after the other in one folder. A console block
shows commands that start servers or work for long; `tests/e2e` types each of them. A command in the
middle of a sentence must be one that exists, with options that exist.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from pages import FENCE, ROOT, blocks, name, pages, run_block

pytestmark = pytest.mark.slow

RUN = {"python", "bash"}
SHOWN = {"console", "yaml", "mermaid", "text"}
ELSEWHERE = {"README.md", "tutorial.md"}
"""Their blocks are run by `tests/e2e`, which looks at what they leave behind."""
PAGES = [page for page in pages() if page.name not in ELSEWHERE]
INLINE = re.compile(r"`((?:make|autorec|dvc|mlflow|python) [^`]+)`")
COMMANDS = sorted(
    {
        line
        for page in pages()
        for line in INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    }
)


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_block_is_of_a_kind_that_is_tried(page):
    assert {block.language for block in blocks(page)} <= RUN | SHOWN


@pytest.mark.parametrize("page", pages(), ids=name)
def test_no_block_escapes(page):
    """An indented fence, one of tildes or one that names no language would not be found."""
    fences = re.findall(r"^ *(?:```|~~~)", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert len(fences) == 2 * len(blocks(page))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if {b.language for b in blocks(page)} & RUN], ids=name
)
def test_the_blocks_of_a_page_run(page, make_workspace, tmp_path):
    todo = [block for block in blocks(page) if block.language in RUN]
    commands = any(block.language == "bash" for block in todo)
    folder = make_workspace(small) if commands else tmp_path
    for block in todo:
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        else:
            run_block(block, folder)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_in_a_sentence_exists(line):
    program, *arguments = shlex.split(line)
    if program == "make":
        assert run_quietly("make", "-n", *arguments).returncode == 0
        return
    if program == "python":
        assert (ROOT / arguments[0]).is_file()
        return
    words = [word for word in arguments if not word.startswith("-")]
    options = [word for word in arguments if re.match(r"--?[a-zA-Z]", word)]
    module = {"autorec": "flows.cli", "dvc": "dvc", "mlflow": "mlflow"}[program]
    deep = 2 if program == "mlflow" or words[:1] in (["exp"], ["remote"]) else 1
    answer = run_quietly(sys.executable, "-m", module, *words[:deep], "--help")
    assert answer.returncode == 0, answer.stderr
    for option in options:
        assert option.partition("=")[0] in answer.stdout


def small(params: dict) -> None:
    """A budget for tests."""
    params["search"] |= {"max_trials": 2}
    params["train"] |= {"epochs": 3}


@functools.cache
def run_quietly(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )


def test_shown_settings_are_those_of_params():
    """What a page shows as YAML is part of params.yaml, but for the values."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for page in pages():
        for block in blocks(page):
            if block.language == "yaml":
                for section, content in yaml.safe_load(block.text).items():
                    assert set(content) <= set(params[section]), name(page)
