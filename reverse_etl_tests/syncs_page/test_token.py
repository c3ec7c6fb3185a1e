"""Who has the token may read the page, and nobody else: other users of the machine do not have it."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reverse_etl.errors import StateError
from reverse_etl.syncs_page.token import kept_token, token_file
from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.syncs_page.served import Page, read

TOKEN = "t" * 43


@pytest.fixture
def page(project: Remembered) -> Page:
    """A page with a token."""
    return Page(project, token=TOKEN, may_act=True)


@pytest.mark.parametrize(
    "address", ["/", "/syncs/people", "/syncs/people/runs/r1/failed_rows.csv", "/nothing", "/?token=", "/?token=wrong"]
)
def test_without_the_token_there_is_nothing_but_what_to_do(page: Page, address: str) -> None:
    """Whatever is asked for, it says where the token is; no name of a sync, and no cookie."""
    answer = page.get(address)
    assert (403, False) == (answer.status_code, "set-cookie" in answer.headers)
    assert "prints in the terminal" in read(answer.text)
    assert "people" not in answer.text


def test_a_form_without_the_token_does_nothing(page: Page, project: Remembered) -> None:
    """The token is asked for before the form is read."""
    assert 403 == page.press("people", "run", token="0" * 64).status_code
    assert [] == page.started


def test_the_token_is_left_in_a_cookie_and_leaves_the_address(page: Page) -> None:
    """The browser goes on to the same address without it, and is known from then on; a script never sees the cookie."""
    answer = page.get("/syncs/people", params={"token": TOKEN, "page": "2"})
    assert 200 == answer.status_code
    (leads_to,) = re.findall('http-equiv="refresh" content="0;url=([^"]+)"', answer.text)
    assert "/syncs/people?page=2" == leads_to
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= parts
    assert TOKEN not in answer.text + answer.headers["set-cookie"]
    assert 200 == page.get(leads_to).status_code


def test_a_cookie_of_another_home_does_not_count(project: Remembered, page: Page) -> None:
    """Both pages of one machine may be open at once: neither takes the other's cookie away."""
    other = Page(project, token="o" * 43)
    other.get("/", params={"token": "o" * 43})
    page.cookies.update(other.cookies)
    assert 403 == page.get("/").status_code
    page.get("/", params={"token": TOKEN})
    assert 200 == page.get("/").status_code
    other.cookies.update(page.cookies)
    assert 200 == other.get("/").status_code


def test_what_pages_are_made_of_needs_none(page: Page) -> None:
    """The page that asks for the token looks as the others do."""
    assert [200, 200, 200] == [page.get(f"/{name}").status_code for name in ("page.css", "page.js", "icon.svg")]


def test_the_token_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    """The same after a new start, and for processes that start at once; without the file it is another one."""
    with ThreadPoolExecutor(8) as pool:
        (token,) = set(pool.map(kept_token, [tmp_path] * 8))
    assert 43 == len(token)
    file = token_file(tmp_path)
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    file.unlink()
    assert token != kept_token(tmp_path)


@pytest.mark.parametrize("contents", [b"short", b"\xff" * 43])
def test_a_file_that_has_no_token_is_said(tmp_path: Path, contents: bytes) -> None:
    """A guessable one would open the page."""
    token_file(tmp_path).write_bytes(contents)
    with pytest.raises(StateError, match=r"syncs_page_token .*[dD]elete"):
        kept_token(tmp_path)
