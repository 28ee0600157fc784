"""The page at / in a real browser: a person types a user and sees history and list."""

from __future__ import annotations

import threading
import time

import httpx
import pytest
import uvicorn
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]
PHONE = 390


@pytest.fixture(scope="module")
def address(stocked):
    """Where a server of items with titles listens."""
    server = uvicorn.Server(
        uvicorn.Config(stocked.app(), host="127.0.0.1", port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def page(browser, address):
    """The page as it is opened."""
    browser.set_window_size(1200, 900)
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # forgets what was before
    browser.get(address)
    return browser


def type_(page, user: str, **fields: str) -> None:
    """Fills the form by keyboard and waits for the answer."""
    for name, text in {"user": user, **fields}.items():
        field = page.find_element(By.ID, name)
        field.clear()
        field.send_keys(text)
    field.send_keys(Keys.ENTER)
    said = page.find_element(By.ID, "said")
    WebDriverWait(page, 60).until(lambda _: said.text != "Asking …")


def rows(page, table: str) -> list[list[str]]:
    lines = page.find_elements(By.CSS_SELECTOR, f"#{table} tr")
    return [[cell.text for cell in line.find_elements(By.XPATH, "./*")] for line in lines]


def test_a_person_sees_the_list_and_the_history_with_titles(page, address):
    assert page.switch_to.active_element.get_attribute("id") == "user"  # one can type at once
    type_(page, "3", top="4")

    asked = {"user": "3", "top": 4}
    answer = httpx.post(f"{address}/recommend", json=asked, timeout=60).json()
    head, *listed = rows(page, "items")
    assert head == ["Rank", "Title", "Item", "Score"]
    assert [line[:3] for line in listed] == [
        [str(place), one["title"], one["item"]] for place, one in enumerate(answer["items"], 1)
    ]
    assert [float(line[3]) for line in listed] == pytest.approx(
        [one["score"] for one in answer["items"]], abs=0.0006
    )
    history = httpx.get(f"{address}/history", params={"user": "3"}, timeout=60).json()
    head, *met = rows(page, "met")
    assert head == ["Title", "Item", "Label"]
    assert [line[:2] for line in met] == [[one["title"], one["item"]] for one in history["items"]]
    assert page.find_element(By.ID, "count").text.startswith(f"{history['count']} rows")
    assert not {line[2] for line in listed} & {line[1] for line in met}


def test_a_new_user_gets_popular_items_and_the_page_says_so(page):
    type_(page, "nobody <b>", where="brand = 'brand 2'")

    assert "does not know this user" in page.find_element(By.ID, "reason").text
    assert {int(line[2]) % 5 for line in rows(page, "items")[1:]} == {2}
    assert {line[3] for line in rows(page, "items")[1:]} == {""}
    assert page.find_element(By.ID, "count").text.startswith("0 rows")


def test_what_is_wrong_is_said_and_the_next_question_is_answered(page):
    type_(page, "3", where="colour = red")
    said = page.find_element(By.ID, "said")

    assert said.text.startswith("Items have no column colour. Their columns are: brand")
    assert not page.find_element(By.ID, "lists").is_displayed()

    type_(page, "3", where=" ")
    Select(page.find_element(By.ID, "exclude")).select_by_value("none")
    type_(page, "3", top="2")
    assert said.text == ""
    assert len(rows(page, "items")) == 3


def test_nothing_complains_nothing_else_is_loaded_and_a_phone_is_wide_enough(page, address):
    size = {"width": PHONE, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        type_(page, "3")
        assert page.execute_script("return document.documentElement.scrollWidth") == PHONE
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    complaints = [one["message"] for one in page.get_log("browser")]
    assert [one for one in complaints if "favicon" not in one] == []
    asked = [
        one
        for one in page.get_log("performance")
        if '"Network.requestWillBeSent"' in one["message"]
    ]
    assert len(asked) >= 3
    assert all(address in one["message"] for one in asked)
