"""The Syncs page in a browser: narrow and wide, light and dark, by keyboard, without a word on the console.

`REVERSE_ETL_PICTURES=docs/images` writes the pictures that the documentation shows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reverse_etl.report import Counts, Status
from reverse_etl.state.runs import begin_run
from reverse_etl.state.syncs import is_paused, set_paused
from reverse_etl.syncs_page.addresses import Opened
from reverse_etl.syncs_page.server import listen, serving
from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.e2e.browser import opened
from reverse_etl_tests.syncs_page.served import Page

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

pytestmark = pytest.mark.thorough

ADDRESSES = ("/", "/syncs/people", "/syncs/people/runs/failed-1", "/syncs/staff", "/syncs/nobody")
TOKEN = "t" * 43
LONG = "a_sync_with_a_name_that_goes_on_and_on_until_it_must_end_in_the_middle_of_a_word_somewhere"
BROKEN_TAGS = """() => [...document.querySelectorAll('.tag')]
  .filter(tag => tag.offsetHeight >= 2 * parseFloat(getComputedStyle(tag).lineHeight)).map(tag => tag.textContent)"""
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const parse = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return {rgb: [r, g, b], a: a / 255};
  };
  const light = ({rgb}) => {
    const [r, g, b] = rgb.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor); if (found.a === 1) return found;
    }
    return parse('white');
  };
  const bad = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(each => each.nodeType === 3 && each.textContent.trim());
    if (!own || !node.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(`${node.tagName} ${node.className} ${node.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return bad;
}"""
"""Texts whose contrast with what is behind them is less than 4.5 (WCAG 2.2, 1.4.3, read 2026-11)."""


@pytest.fixture
def project(project: Remembered) -> Remembered:
    """A history with every status, a file with a problem, and a long name."""
    for number in range(30):
        read = 900 + number * 37 % 400
        rows = {"rows": Counts(read, read - 310, 0, 0, 10, 0, 300)}
        project.ran(f"run-{number}", ago=timedelta(hours=40 - number), streams=rows)
    project.ran("failed-1", ago=timedelta(minutes=40), status=Status.SOME_ROWS_FAILED)
    project.write(LONG, "{every: 6h}")
    set_paused(project.store, LONG, True)
    project.write("orders", "{every: 6h}")
    project.ran("stopped", ago=timedelta(hours=3), status=Status.FAILED, sync="orders")
    at = datetime.now(UTC)
    project.loads()
    begin_run(project.store, "open-1", root_run_id="open-1", sync="staff", workspace="main", started_at=at, since=0)
    return project


@pytest.fixture
def address(project: Remembered) -> Iterator[str]:
    """The page, on which syncs can be paused."""
    with serving(Page(project, may_act=True, daemon=True, token=TOKEN).app, listen(0, beside=3000)) as url:
        yield url


@pytest.fixture
def tab(address: str) -> Iterator[Tab]:
    """A browser's page, which says nothing on its console."""
    said: list[str] = []
    with opened(f"{address}/?token={TOKEN}", width=360, height=800) as tab:
        tab.wait_for_url(f"{address}/")
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        yield tab
    assert [] == [words for words in said if "404" not in words and "403" not in words]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_is_readable(tab: Tab, address: str, project: Remembered, scheme: str) -> None:
    """Nothing is wider than a narrow window, no tag breaks, every text stands out, whichever the colours."""
    broken = project.folder / "syncs" / "broken.yaml"
    broken.write_text("database: shop\nworkspce: main\nquery: SELECT id FROM customers\n")
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for width in (360, 1280):
        tab.set_viewport_size({"width": width, "height": 800})
        for path in ADDRESSES:
            tab.goto(address + path)
            assert (path, width) == (path, tab.evaluate("document.documentElement.scrollWidth"))
            assert [] == tab.evaluate(CONTRAST), path
            assert [] == tab.evaluate(BROKEN_TAGS), (path, width)
    if scheme == "light" and (folder := os.environ.get("REVERSE_ETL_PICTURES")):
        for file in (broken, project.folder / "syncs" / f"{LONG}.yaml"):
            file.unlink()
        for path, name, height in (("/", "syncs-page", 450), ("/syncs/people", "sync-page", 1320)):
            tab.set_viewport_size({"width": 1280, "height": height})
            tab.goto(address + path)
            tab.screenshot(path=Path(__file__).parents[2] / folder / f"{name}.png")


def test_the_keyboard_is_enough(tab: Tab, address: str, project: Remembered) -> None:
    """The first key leads past the navigation; what has the focus is seen; a sync is opened and paused."""
    tab.keyboard.press("Tab")
    skip = tab.get_by_role("link", name="Skip to the contents")
    assert skip.evaluate("node => node === document.activeElement && node.getBoundingClientRect().top >= 0")
    tab.keyboard.press("Enter")
    tab.get_by_role("link", name="people", exact=True).focus()
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{address}/syncs/people")
    tab.get_by_role("button", name="Pause").focus()
    tab.keyboard.press("Enter")
    tab.get_by_text("Due imports are left out").wait_for()
    assert is_paused(project.store, "people")


def test_run_now_says_what_it_does_before_it_is_done(tab: Tab, address: str) -> None:
    """One press opens the sentence and the button, another starts the import."""
    tab.goto(f"{address}/syncs/people")
    start = tab.get_by_role("button", name="Start the import")
    assert not start.is_visible()
    tab.get_by_text("Run now").click()
    tab.get_by_text("It reads what changed and sends it to main").wait_for()
    start.click()
    tab.get_by_text("An import was started.").wait_for()


def test_the_failed_rows_are_downloaded(tab: Tab, address: str) -> None:
    """Under a name that says whose they are."""
    tab.goto(f"{address}/syncs/people")
    with tab.expect_download() as downloaded:
        tab.get_by_role("link", name="Download the failed rows").click()
    assert "people-failed-1-failed_rows.csv" == downloaded.value.suggested_filename
    assert "anna@example.com" in Path(downloaded.value.path()).read_text()


def test_what_is_in_progress_changes_by_itself(tab: Tab, address: str, project: Remembered) -> None:
    """An import that ends is shown as ended, without a reload."""
    tab.goto(f"{address}/syncs/staff")
    tab.get_by_text("In progress").wait_for()
    tab.evaluate("window.kept = true")
    project.ran("open-1", ago=timedelta(minutes=1), sync="staff")
    tab.locator("#imports").get_by_text("completed").wait_for()
    tab.get_by_text("In progress").wait_for(state="detached")
    assert tab.evaluate("window.kept")


def test_a_link_elsewhere_with_the_token_opens_the_page(tab: Tab, address: str) -> None:
    """A mail, say: a browser sends strict cookies to no address that another site leads to, and none after a redirect.

    One without the token leads to the page that says so, with a way in for a browser that has the cookie.
    """
    tab.context.clear_cookies()
    elsewhere = "https://mail.example/"
    links = f'<a href="{address}/syncs/people?token={TOKEN}">with</a> <a href="{address}/syncs/people">without</a>'
    tab.route(elsewhere, lambda route: route.fulfill(content_type="text/html", body=links))
    tab.goto(elsewhere)
    tab.get_by_role("link", name="with", exact=True).click()
    tab.wait_for_url(f"{address}/syncs/people")
    tab.get_by_role("heading", name="people", exact=True).wait_for()
    tab.goto(elsewhere)
    tab.get_by_role("link", name="without").click()
    tab.get_by_role("heading", name="The Syncs page needs its token").wait_for()
    assert [] == tab.evaluate(CONTRAST)
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    tab.get_by_role("link", name="open it again").click()
    tab.get_by_role("link", name="people", exact=True).wait_for()


def test_the_page_works_below_a_path(tab: Tab, project: Remembered) -> None:
    """Its style, its script and its buttons are found there."""
    app = Page(project, may_act=True, opened=Opened.at("http://localhost/syncs-page"), token=TOKEN).app
    with serving(app, listen(0, beside=3000)) as url:
        tab.goto(f"{url}/syncs-page/syncs/people?token={TOKEN}")
        tab.get_by_role("button", name="Pause").click()
        tab.get_by_text("Due imports are left out").wait_for()
        assert tab.evaluate("getComputedStyle(document.querySelector('.note')).borderLeftWidth") == "4px"
        tab.get_by_role("link", name="Syncs", exact=True).click()
        tab.wait_for_url(f"{url}/syncs-page/")
