"""The Syncs page over a project with a history, asked without a network."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from html import unescape
from typing import Any

import httpx
from starlette.types import ASGIApp

from reverse_etl.cli.commands.status import look
from reverse_etl.config.folder_now import SyncsFolder
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.state.syncs import set_paused
from reverse_etl.syncs_page.actions import Actions
from reverse_etl.syncs_page.addresses import Opened
from reverse_etl.syncs_page.app import Shown, syncs_page
from reverse_etl.syncs_page.guard import FIELD
from reverse_etl.syncs_page.sync_status import SyncStatus
from reverse_etl_tests.cli.remembered import Remembered

OWN = "http://127.0.0.1:3001"
DAGSTER = "http://127.0.0.1:3000"
LAUNCHED = "launched-1"


@dataclass(slots=True)
class Page:
    """A browser without scripts.

    Attributes:
        project: What the page is over.
        may_act: Whether it lets syncs be paused, resumed and run.
        may_run: Whether it knows a Dagster that could run them.
        plans: Whether it makes plans.
        opened: Where people open it.
        token: What they need; empty for nothing.
        daemon: Whether Dagster's daemon seems to run.
        since: When Dagster was started with the page; None where it is run otherwise.
        warning: What could not be seen.
        broken: Whether looking is a defect.
        started: Syncs whose run was started.
        cookies: The browser's.
        app: The page.
    """

    project: Remembered
    may_act: bool = False
    may_run: bool = True
    plans: bool = True
    opened: Opened = field(default_factory=Opened)
    token: str = ""
    daemon: bool = False
    since: datetime | None = None
    warning: str = ""
    broken: bool = False
    started: list[str] = field(default_factory=list)
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    app: ASGIApp = field(init=False)

    def __post_init__(self) -> None:
        def run(sync: str) -> str:
            self.started.append(sync)
            return LAUNCHED

        store = self.project.store
        actions = Actions(
            partial(set_paused, store, paused=True),
            partial(set_paused, store, paused=False),
            run if self.may_run else None,
        )

        def look_now(syncs: Mapping[str, SyncConfig]) -> tuple[list[SyncStatus], str]:
            if self.broken:
                raise ZeroDivisionError
            found, _ = look(syncs, self.project.home)
            return [replace(each, daemon=self.daemon) for each in found], self.warning

        shown = Shown(
            SyncsFolder(self.project.folder / "syncs"),
            self.project.home,
            look_now,
            DAGSTER,
            actions if self.may_act else None,
            plans=self.plans,
            opened=self.opened,
            token=self.token,
            dagster_since=self.since,
        )
        self.app = syncs_page(shown)

    def get(self, address: str, **more: Any) -> httpx.Response:
        """The answer to a request; cookies are kept."""
        return self._ask("GET", address, **more)

    def _ask(self, method: str, address: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            app = httpx.ASGITransport(self.app, raise_app_exceptions=not self.broken)
            async with httpx.AsyncClient(transport=app, base_url=OWN, cookies=self.cookies) as client:
                answer = await client.request(method, address, **more)
                self.cookies.update(client.cookies)
                return answer

        return asyncio.run(ask())

    def text(self, address: str, status: int = 200) -> str:
        """What a person reads there: words, one space apart."""
        answer = self.get(address)
        assert status == answer.status_code, answer.text
        return read(answer.text)

    def press(self, sync: str, action: str, *, origin: str | None = OWN, token: str | None = None) -> httpx.Response:
        """Sends the form of a sync's page, with its own token unless another is given."""
        if token is None:
            found = re.search(f'name="{FIELD}" value="([^"]+)"', self.get(f"/syncs/{sync}").text)
            token = found[1] if found else ""
        headers = {"origin": origin} if origin is not None else {}
        return self.send(f"/syncs/{sync}/{action}", {FIELD: token}, headers)

    def send(self, address: str, fields: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        """Sends a form."""
        return self._ask("POST", address, data=fields, headers=headers)


def wait(sync: str) -> None:
    """Until the plan of a sync is made that was asked for."""
    for thread in threading.enumerate():
        if thread.name == f"plan of {sync}":
            thread.join()


def read(page: str) -> str:
    """The words of a page."""
    return " ".join(unescape(re.sub("<[^>]+>", " ", page)).split())
