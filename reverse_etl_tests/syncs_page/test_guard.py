"""Who may look at the page, and who may act on it."""

from __future__ import annotations

import pytest

from reverse_etl.state.syncs import is_paused
from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.syncs_page.served import OWN, Page


@pytest.mark.parametrize("host", ["127.0.0.1:3001", "localhost:8080", "LOCALHOST", "[::1]:3001"])
def test_this_machine_may_look_under_its_own_names(page: Page, host: str) -> None:
    """Through a tunnel from another port, too."""
    assert 200 == page.get("/", headers={"host": host}).status_code


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3001", "127.0.0.1.evil.example", "10.0.0.7:3001", "", "[::1"]
)
def test_a_name_that_is_pointed_at_this_machine_shows_nothing(page: Page, host: str) -> None:
    """A site whose name suddenly means the loopback address is another origin, and reads no page."""
    answer = page.get("/", headers={"host": host})
    assert (421, True) == (answer.status_code, "localhost" in answer.text)
    assert "people" not in answer.text


@pytest.mark.parametrize("address", ["/", "/syncs/people", "/page.css", "/page.js", "/icon.svg", "/nothing"])
def test_no_page_is_kept_framed_or_lets_others_in(page: Page, address: str) -> None:
    """Whatever the answer: nothing is loaded from elsewhere, and no script or style within a page counts."""
    headers = page.get(address).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert {"'none'"} == {policy[name] for name in ("default-src", "base-uri", "frame-ancestors")}
    assert {"'self'"} == {value for name, value in policy.items() if value != "'none'"}
    assert ("no-store", "nosniff", "same-origin") == tuple(
        headers[name] for name in ("cache-control", "x-content-type-options", "referrer-policy")
    )


@pytest.mark.parametrize("action", ["pause", "resume", "run"])
def test_nothing_is_done_unless_it_was_allowed(page: Page, project: Remembered, action: str) -> None:
    """The page has no such button, and a form with a good token is refused, with what allows it."""
    assert "Run now" not in page.text("/syncs/people")
    answer = page.press("people", action)
    assert (403, True) == (answer.status_code, "--allow-actions" in answer.text)
    assert (False, []) == (is_paused(project.store, "people"), page.started)


@pytest.mark.parametrize(
    ("origin", "token"),
    [
        ("https://evil.example", None),
        ("http://localhost:3000", None),
        ("null", None),
        ("http://[", None),
        (None, None),
        (OWN, ""),
        (OWN, "0" * 64),
    ],
)
def test_a_form_of_another_page_does_nothing(project: Remembered, origin: str | None, token: str | None) -> None:
    """Neither one from elsewhere with our token, nor one from here without it."""
    page = Page(project, may_act=True)
    assert 403 == page.press("people", "pause", origin=origin, token=token).status_code
    assert not is_paused(project.store, "people")


def test_a_token_fits_one_browser_and_one_start_of_the_page(project: Remembered) -> None:
    """What another browser was given does not count here, nor after the page was started again."""
    mine, other = Page(project, may_act=True), Page(project, may_act=True)
    token = mine.get("/syncs/people").text.split('name="form" value="')[1].split('"')[0]
    other.get("/syncs/people")
    assert 403 == other.press("people", "pause", token=token).status_code
    other.cookies.update(mine.cookies)
    assert 403 == other.press("people", "pause", token=token).status_code
    assert 303 == mine.press("people", "pause", token=token).status_code


def test_the_cookie_is_for_this_page_alone(page: Page) -> None:
    """No script reads it, and no other site's form sends it."""
    cookie = page.get("/syncs/people").headers["set-cookie"]
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}


def test_a_long_form_is_refused(project: Remembered) -> None:
    """Before it fills the memory."""
    answer = Page(project, may_act=True).press("people", "pause", token="0" * 20_000)
    assert (403, True) == (answer.status_code, "too long" in answer.text)


def test_looking_changes_nothing(project: Remembered) -> None:
    """An address alone pauses no sync."""
    page = Page(project, may_act=True)
    assert 405 == page.get("/syncs/people/pause").status_code
    assert not is_paused(project.store, "people")
