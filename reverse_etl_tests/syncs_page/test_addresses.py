"""The page behind a proxy, below a path of its own: every way leads below it, and other names are not answered."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from reverse_etl.errors import ConfigError
from reverse_etl.report import Status
from reverse_etl.state.syncs import is_paused
from reverse_etl.syncs_page.addresses import Opened
from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.syncs_page.served import Page

TOKEN = "t" * 43
URL = "https://sync.example.com:8443/syncs-page/"
HOST = {"host": "sync.example.com:8443"}


@pytest.fixture
def page(project: Remembered) -> Page:
    """A page below a path, with imports, failed rows and a file with a problem."""
    project.ran("r1", ago=timedelta(minutes=5), status=Status.SOME_ROWS_FAILED)
    (project.folder / "syncs" / "broken.yaml").write_text("database: shop\n")
    return Page(project, may_act=True, opened=Opened.at(URL))


def test_every_way_leads_below_the_path(page: Page) -> None:
    """All that is linked, loaded or sent, from every page, is there; nothing else of the host is asked for."""
    seen: set[str] = set()
    ahead = ["/syncs-page/"]
    while ahead:
        address = ahead.pop()
        answer = page.get(address, headers=HOST)
        assert (address, True) == (address, answer.status_code in (200, 404)), answer.text
        found = re.findall('(?:href|src|action)="(/[^"#]*)', answer.text)
        assert [] == [each for each in found if not each.startswith("/syncs-page/")], address
        links = set(re.findall('(?:href|src)="(/[^"#]*)', answer.text)) - seen
        seen |= links
        ahead += sorted(links)
    assert {"/syncs-page/page.css", "/syncs-page/syncs/people", "/syncs-page/syncs/people/runs/r1"} <= seen


def test_a_form_works_below_the_path(page: Page, project: Remembered) -> None:
    """Its origin is the proxy's, and what follows lies below the path."""
    text = page.get("/syncs-page/syncs/people", headers=HOST).text
    (token,) = set(re.findall('name="form" value="([^"]+)"', text))
    headers = {**HOST, "origin": "https://sync.example.com:8443"}
    sent = page.send("/syncs-page/syncs/people/pause", {"form": token}, headers)
    assert (303, "/syncs-page/syncs/people?said=paused") == (sent.status_code, sent.headers["location"])
    assert is_paused(project.store, "people")


def test_its_cookies_are_sent_below_the_path_and_encrypted(project: Remembered) -> None:
    """Other programs behind the same proxy do not get them."""
    page = Page(project, token=TOKEN, opened=Opened.at(URL))
    answer = page.get("/syncs-page/", params={"token": TOKEN}, headers=HOST)
    assert {"path=/syncs-page", "secure"} <= {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert 'content="0;url=/syncs-page/"' in answer.text


def test_another_name_is_told_the_right_one(page: Page) -> None:
    """A proxy that serves several names shows the page under its own."""
    answer = page.get("/syncs-page/", headers={"host": "10.0.0.5:8443"})
    assert (421, True) == (answer.status_code, URL.rstrip("/") in answer.text)
    assert 200 == page.get("/icon.svg").status_code


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://sync.example.com", "must start with https://"),
        ("sync.example.com", "must be an address like https://sync.example.com/syncs-page"),
        ("https://anna:secret@sync.example.com", "must not contain a user name or password"),
        ("https://sync.example.com/?a=1", "has a \\? or a #"),
    ],
)
def test_an_address_that_protects_nothing_is_refused(url: str, wrong: str) -> None:
    """With what is wrong, and no password in it."""
    with pytest.raises(ConfigError, match=wrong) as refused:
        Opened.at(url)
    assert "secret" not in str(refused.value)
