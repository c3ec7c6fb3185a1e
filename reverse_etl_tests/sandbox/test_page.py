"""The page in a browser: what a person sees and can do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Error, Page, expect, sync_playwright

from reverse_etl_tests.sandbox.conftest import Batch, person, thing, to_object
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough

CHROMIUM = Path("/usr/bin/chromium")
TRAP = "<img src=x onerror=\"document.title='broken out'\">"


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    """A page in Chromium, which must say nothing on its console."""
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip(f"needs {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport={"width": 1360, "height": 860})
        browser.close()


@pytest.fixture
def page(browser_page: Page, sandbox: RunningSandbox, batch: Batch, track: httpx.Client) -> Iterator[Page]:
    """The page over 120 people, one of them in everything there is."""
    related = [to_object(role="admin")]
    about = {"email": "ada@example.com", "plan": "team", "note": TRAP, "created_at": 1793927194}
    batch(thing(attributes={"name": "Acme Corp"}), person(id="1", attributes=about, cio_relationships=related))
    batch(*[person(id=str(n), attributes={"plan": "free"}) for n in range(2, 121)])
    batch(person("event", id="1", name="order_placed", attributes={"sku": "A-1"}))
    batch(person(id="x", attributes={"email": "broken"}))
    track.post(f"/api/v1/segments/{sandbox.add_segment('Shop customers')}/add_customers", json={"ids": ["1", "2"]})
    faults: list[str] = []

    def note(fault: Error) -> None:
        faults.append(str(fault))

    browser_page.on("pageerror", note)
    browser_page.goto("about:blank")
    browser_page.goto(sandbox.url)
    yield browser_page
    browser_page.remove_listener("pageerror", note)
    assert faults == []


def test_people_are_shown_and_one_opens(page: Page, tmp_path: Path) -> None:
    """A click shows attributes, relationships, segments and events; what was sent stays text."""
    expect(page.get_by_role("tab", name="People")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#count-people")).to_have_text("120")
    expect(page.locator("#table tbody tr")).to_have_count(50)
    expect(page.locator("#range")).to_have_text("1–50 of 120")
    page.get_by_role("cell", name="ada@example.com").click()
    details = page.get_by_role("dialog")
    for text in ("team", TRAP, "acme", "role: admin", "Shop customers", "order_placed", "sku: A-1"):
        expect(details.get_by_text(text, exact=True)).to_be_visible()
    expect(page).to_have_title("Sandbox · sandbox workspace")
    page.screenshot(path=tmp_path / "person.png")
    assert (tmp_path / "person.png").stat().st_size > 20_000
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()


def test_people_are_searched_and_paged(page: Page) -> None:
    """By any attribute, fifty at a time."""
    page.get_by_role("button", name="Next page").click()
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("#range")).to_have_text("101–120 of 120")
    expect(page.get_by_role("button", name="Next page")).to_be_disabled()
    page.get_by_label("Search").fill("TEAM")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    page.get_by_label("Search").fill("nobody at all")
    expect(page.locator("#empty")).to_have_text("Nothing matches.")


def test_every_tab_shows_its_list(page: Page) -> None:
    """Objects, segments, events, activity and requests, each with what it is about."""
    for name, text in (
        ("Objects", "Acme Corp"),
        ("Segments", "Shop customers"),
        ("Events", "order_placed"),
        ("Activity", "failed_attribute_change"),
        ("Requests", "/api/v1/segments/1/add_customers"),
    ):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("cell", name=text)).to_be_visible()
    page.get_by_role("tab", name="Activity").click()
    page.get_by_label("Only refusals").check()
    expect(page.locator("#table tbody tr")).to_have_count(1)
    expect(page.locator("#note-activities")).to_have_text("1 refused")


def test_details_of_objects_segments_and_requests(page: Page) -> None:
    """Each opens; a segment leads to its people, a request shows what was sent."""
    details = page.get_by_role("dialog")
    page.get_by_role("tab", name="Objects").click()
    page.get_by_role("cell", name="Acme Corp").click()
    expect(details.get_by_text("ada@example.com")).to_be_visible()
    page.get_by_label("Close details").click()
    page.get_by_role("tab", name="Requests").click()
    page.get_by_role("cell", name="/api/v1/segments/1/add_customers").click()
    expect(details.locator("pre")).to_contain_text('"ids"')
    page.get_by_label("Close details").click()
    page.get_by_role("tab", name="Segments").click()
    page.get_by_role("cell", name="Shop customers").click()
    details.get_by_role("button", name="Show its people (2)").click()
    expect(page.locator("#table tbody tr")).to_have_count(2)
    page.get_by_role("button", name="In Shop customers").click()
    expect(page.locator("#range")).to_have_text("1–50 of 120")


def test_the_page_follows_what_arrives(page: Page, sandbox: RunningSandbox, batch: Batch) -> None:
    """Counts and list change without a click; faults on order and suppressed people are shown."""
    expect(page.locator("#count-people")).to_have_text("120")
    batch(person("delete", id="120"), person("delete", id="119"))
    sandbox.faults([{"always": True, "do": {"status": 503}}])
    sandbox.suppress(id="118")
    expect(page.locator("#count-people")).to_have_text("117")
    expect(page.locator("#range")).to_have_text("1–50 of 117")
    expect(page.locator("#faults")).to_have_text("1 fault on order")
    expect(page.locator("#suppressed")).to_have_text("1 suppressed")


def test_the_keyboard_is_enough(page: Page) -> None:
    """Arrows move between tabs, Enter opens a row."""
    page.get_by_role("tab", name="People").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Objects")).to_be_focused()
    expect(page.get_by_role("cell", name="Acme Corp")).to_be_visible()
    page.locator("#table tbody tr").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
