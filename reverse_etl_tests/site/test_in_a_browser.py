"""The built site in a browser: the search finds, nothing is wider than a telephone, nothing fails to load.

`REVERSE_ETL_PICTURES=FOLDER` writes pictures of it, to be looked at.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reverse_etl_tests.e2e.browser import opened
from reverse_etl_tests.site.pages import DOCS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.thorough

PHONE = 360
WIDE = """() => [...document.querySelectorAll('.md-content *')]
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.md-typeset__scrollwrap, pre'))
  .map(each => each.tagName + ' ' + each.textContent.slice(0, 60))"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_every_page_fits_a_telephone_and_loads_without_an_error(address: str) -> None:
    """No sideways scrolling, no message in the console, no request that fails or leaves this machine."""
    wrong: list[str] = []
    paths = sorted(page.relative_to(DOCS).as_posix()[:-3] + "/" for page in DOCS.rglob("*.md"))
    paths = [path.removesuffix("README/") for path in paths if not path.startswith("decisions/0")]
    with opened(f"{address}/", width=PHONE, height=800) as page:
        page.on(
            "console", lambda message: wrong.append(f"{page.url}: {message.text}") if message.type != "log" else None
        )
        page.on("response", lambda found: wrong.append(f"{found.status} {found.url}") if found.status >= 400 else None)
        page.on("request", lambda asked: None if asked.url.startswith(address) else wrong.append(f"asked {asked.url}"))
        for path in paths:
            page.goto(f"{address}/{path}")
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > PHONE:
                wrong.append(f"{path}: {wide} pixels wide: {page.evaluate(WIDE)[:2]}")
            if page.evaluate("[...document.images].some(each => each.complete && !each.naturalWidth)"):
                wrong.append(f"{path}: a picture is not there")
    assert 50 < len(paths)
    assert [] == wrong


@pytest.mark.parametrize(
    ("words", "address_of"),
    [("identifier_unique", "troubleshooting/"), ("suppression_list", "delivery/"), ("gone_max", "recipes/deletes/")],
)
def test_the_search_finds_a_word(address: str, words: str, address_of: str) -> None:
    """A reason, a key, a limit: the page that explains it is among the results."""
    with opened(f"{address}/?q={words}") as page:
        page.locator("input.md-search__input").click()
        page.locator(f"a.md-search-result__link[href*='{address_of}']").first.wait_for(state="attached")


def test_it_is_light_or_dark_as_the_reader_has_it(address: str) -> None:
    """The scheme is the system's; a button changes it."""
    with opened(f"{address}/recipes/customerio-form/") as page:
        pictures(page, "light")
        page.emulate_media(color_scheme="dark")
        page.locator("body[data-md-color-scheme=slate]").wait_for()
        pictures(page, "dark")
        page.locator("label[title='Light']").click()
        page.locator("body[data-md-color-scheme=default]").wait_for()


def pictures(page: Page, scheme: str) -> None:
    """Of a wide and a narrow window, where a folder for them is named."""
    if folder := os.environ.get("REVERSE_ETL_PICTURES"):
        for width in (1280, PHONE):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=Path(folder) / f"site-{scheme}-{width}.png")
        page.set_viewport_size({"width": 1280, "height": 900})
