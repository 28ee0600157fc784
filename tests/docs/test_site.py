"""The documentation builds strictly, and its pages need nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from pages import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built(site):
    for page in (ROOT / "docs").rglob("*.md"):
        built = site / page.relative_to(ROOT / "docs").with_suffix(".html")
        assert "<h1" in built.read_text(encoding="utf-8"), built


def test_pages_load_nothing_from_elsewhere(site):
    loads = re.compile(
        r'<(?:script|img|iframe)[^>]+src="(https?:)?//|<link[^>]+href="https?://[^"]+\.css'
    )
    for page in site.rglob("*.html"):
        assert not loads.search(page.read_text(encoding="utf-8")), page


def test_the_search_box_works_from_disk(site):
    """Without a server, the index and the replacement of a worker are scripts next to the page."""
    assert (site / "search" / "search_index.js").stat().st_size > 10_000
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        scripts = re.findall(r'<script src="([^"]+)"', text)
        assert any("iframe-worker" in script for script in scripts), page
        for script in scripts:
            assert page.name == "404.html" or (page.parent / script).exists(), script


def test_a_message_and_its_remedy_are_a_term_and_its_meaning(site):
    page = (site / "troubleshooting.html").read_text(encoding="utf-8")

    assert page.count("<dt>") == page.count("<dd>") > 15


@pytest.mark.parametrize("folder", ["interactors", "mappers"])
def test_the_reference_knows_every_block_of_a_folder(site, folder):
    from autorec_core import registration
    from autorec_core.block import Block

    registration.register_layers()
    page = (site / "reference" / f"{folder}.html").read_text(encoding="utf-8")
    blocks = [
        one
        for one in Block.registry.values()
        if one.__module__.startswith(f"autorec_core.{folder}.")
    ]
    assert len(blocks) > 5
    for block in blocks:
        assert f'id="{block.__module__}.{block.__name__}"' in page
