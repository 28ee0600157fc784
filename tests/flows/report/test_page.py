"""The page in a real browser: drawn, offline, quiet, readable on a phone and in the dark."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from flows.report.page import render

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

PHONE = 390
RUNS = ("rating_run", "ctr_run", "settings_run")
PICTURES = {
    "rating_run": {
        "results", "progress", "parallel", "importance", "curves", "calibration", "residuals",
        "activity-0", "activity-1", "labels",
    },
    "ctr_run": {
        "results", "progress", "parallel", "curves", "calibration", "residuals", "activity-0",
        "labels",
    },
    "settings_run": {
        "results", "calibration", "residuals", "activity-0", "activity-1", "labels",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def pages(rating_run, ctr_run, settings_run, tmp_path_factory) -> dict[str, str]:
    """The addresses of the runs' pages."""
    built = datetime(2026, 1, 2, tzinfo=UTC)
    addresses = {}
    for name, facts in zip(RUNS, (rating_run, ctr_run, settings_run), strict=True):
        page = tmp_path_factory.mktemp(name) / "index.html"
        page.write_text(render(facts, seed=1, digest="0" * 64, built=built), encoding="utf-8")
        addresses[name] = page.as_uri()
    return addresses


@pytest.fixture
def show(browser, pages):
    """Opens the page of a run from disk at a width and in a colour scheme."""

    def show(run: str, *, width: int = 1200, scheme: str = "light") -> webdriver.Chrome:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # forgets what was before
        browser.get(pages[run])
        WebDriverWait(browser, 120).until(
            lambda opened: opened.execute_script("return document.documentElement.dataset.drawn")
        )
        return browser

    return show


@pytest.mark.parametrize("run", RUNS)
def test_every_picture_is_drawn_offline_and_nothing_complains(show, run):
    browser = show(run)

    sizes = browser.execute_script(
        """return Object.fromEntries([...document.querySelectorAll("[data-chart]")].map((place) => {
             const box = place.querySelector("svg").getBoundingClientRect();
             const marks = place.querySelectorAll("svg [class*=mark-] path, svg text").length;
             return [place.dataset.chart, [box.width, box.height, marks]];
           }))"""
    )
    assert set(sizes) == PICTURES[run]
    for name, (width, height, marks) in sizes.items():
        assert width > 200, name
        assert height > 100, name
        assert marks > 5, name
    titles = browser.execute_script(
        """return [...document.querySelectorAll("[data-chart]")].map((place) =>
             [place.getAttribute("role"), place.getAttribute("aria-label"),
              place.closest("figure").querySelector("h3").textContent])"""
    )
    for role, said, title in titles:  # to who hears the page, a picture is its title
        assert role == "img"
        assert said.startswith(f"{title}. ")
    assert browser.get_log("browser") == []
    asked = [
        message["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert asked
    assert all(url.startswith(("file:", "data:")) for url in asked)


@pytest.mark.parametrize("run", RUNS)
def test_a_phone_needs_no_sideways_scrolling(show, run):
    browser = show(run, width=PHONE)

    assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE
    widths = browser.execute_script(
        "return [...document.querySelectorAll('[data-chart] svg')]"
        ".map((svg) => svg.getBoundingClientRect().right)"
    )
    assert max(widths) <= PHONE
    hidden = browser.execute_script(
        """return [...document.querySelectorAll(".scroll:not(.diagram)")]
             .filter((region) => region.querySelectorAll("thead th").length == 2)
             .filter((region) => region.scrollWidth > region.clientWidth)
             .map((region) => region.getAttribute("aria-label"))"""
    )
    assert hidden == [], "a list of names and values hides its values"


def test_page_and_pictures_follow_the_dark(show):
    def colours(scheme: str) -> list[str]:
        return show("rating_run", scheme=scheme).execute_script(
            """const colour = (element, name) => getComputedStyle(element)[name];
               const chart = document.querySelector("[data-chart=results] svg");
               return [colour(document.body, "backgroundColor"), colour(document.body, "color"),
                       colour(chart.querySelector(".mark-text text"), "fill")];"""
        )

    def lightness(colour: str) -> float:
        return sum(map(float, colour.strip("rgb()").split(","))) / 3

    light, dark = colours("light"), colours("dark")
    assert lightness(light[0]) > 200 > 100 > lightness(light[1])
    assert lightness(dark[0]) < 60 < 200 < lightness(dark[1])
    assert light[2] != dark[2]


def test_the_keyboard_reaches_the_result_and_every_table(show):
    browser = show("rating_run")

    browser.switch_to.active_element.send_keys(Keys.TAB)
    first = browser.switch_to.active_element
    assert first.text == "Skip to the result"
    assert first.rect["y"] >= 0
    first.send_keys(Keys.ENTER)
    assert browser.execute_script("return document.activeElement.id") == "main"
    for picture in PICTURES["rating_run"]:
        details = browser.find_element(By.CSS_SELECTOR, f"#{picture} details")
        details.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
        assert details.get_attribute("open") is not None
        assert len(details.find_elements(By.CSS_SELECTOR, "tbody tr")) > 1
        region = details.find_element(By.CSS_SELECTOR, "[role=region]")
        assert region.get_attribute("tabindex") == "0"


def test_the_winner_is_drawn_with_one_block_per_interactor(show):
    browser = show("rating_run")

    names = [text.text for text in browser.find_elements(By.CSS_SELECTOR, ".diagram .name")]
    assert sorted(names) == [
        "Bias mapper", "FM", "Input: categorical", "Latent factor mapper", "Latent factor mapper",
        "MLP", "Rating prediction",
    ]  # fmt: skip
    assert len(browser.find_elements(By.CSS_SELECTOR, ".diagram .arrow")) == 10
    assert not browser.execute_script(
        """const boxes = [...document.querySelectorAll(".diagram g > rect")]
             .map((rect) => rect.getBoundingClientRect());
           return boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right
             && b.left < a.right && a.top < b.bottom && b.top < a.bottom));"""
    ), "blocks lie on each other"


def test_values_of_the_data_are_text_and_never_markup(show):
    browser = show("rating_run")

    assert browser.find_element(By.TAG_NAME, "h1").text == "MovieLens <100K>"
    failed = browser.execute_script("return document.querySelector('#progress details').innerHTML")
    assert "ran out of memory &lt;at&gt; &amp; once" in failed
