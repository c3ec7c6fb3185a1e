"""Stand-ins of SaaS services for tests: a process each, started when first asked for, gone when the tests are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from reverse_etl_tests.servers.sandbox import START_TIMEOUT_S, options


class RunningStandin:
    """One stand-in in a process of its own.

    Attributes:
        url: Its address, without a slash at the end.
        http: A client for calls of the service, made once: making one takes longer than most tests.
    """

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        command = [sys.executable, "-m", "reverse_etl.sandbox", "--announce", "--as", name]
        self._process = subprocess.Popen(
            [*command, *options({"port": 0, **settings}, name)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        announced = self._process.stdout.readline()
        assert announced, f"the sandbox of {name} did not start: exit code {self._process.wait()}"
        self.url: str = json.loads(announced)["url"]
        self.http = httpx.Client(base_url=self.url, timeout=START_TIMEOUT_S, trust_env=False)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def faults(self, *rules: dict[str, Any]) -> list[dict[str, Any]]:
        """Puts fault rules in force, if any are given; returns those in force with ``fired``."""
        return list(self._call("POST", "/faults", list(rules)) if rules else self._call("GET", "/faults"))

    def clear_faults(self) -> None:
        """Ends all fault rules."""
        self._call("DELETE", "/faults")

    def records(self, kind: str | None = None, **asked: Any) -> Any:
        """Records of a kind as a list (``limit, offset, search, newest``); or all, a list under each kind."""
        return self._call("GET", f"/records/{kind}", params=asked) if kind else self._call("GET", "/records.json")

    def put(self, kind: str, *records: dict[str, Any]) -> list[dict[str, Any]]:
        """Sets records up without a call of the service; returns them as they are kept."""
        return list(self._call("POST", "/records", {kind: list(records)})[kind])

    def counts(self) -> dict[str, Any]:
        """How much there is of everything; fast."""
        return dict(self._call("GET", "/counts"))

    def requests(self, **asked: Any) -> list[dict[str, Any]]:
        """``method, path, status, bytes, items, body, fault`` of each request to the service."""
        return list(self._call("GET", "/requests", params=asked))

    def requests_by_path(self) -> dict[str, dict[str, Any]]:
        """``requests, items, statuses`` by ``METHOD /path``."""
        return {f"{about['method']} {about['path']}": about for about in self._call("GET", "/requests/by_path")}

    def set(self, **settings: Any) -> dict[str, Any]:
        """Changes settings until it is emptied; returns all."""
        return dict(self._call("POST", "/settings", settings))

    def now(self) -> float:
        """Unix seconds there."""
        return float(self._call("GET", "/clock")["now"])

    def stop_clock(self) -> None:
        """Time there stands still, until it is emptied."""
        self._call("POST", "/clock", {"stop": True})

    def advance(self, seconds: float) -> None:
        """Moves the time there ahead."""
        self._call("POST", "/clock", {"advance_s": seconds})

    def forget(self) -> None:
        """Empties it: records, requests, faults, settings and time."""
        self._call("POST", "/reset")

    def stop(self) -> None:
        """Ends the process."""
        self.http.close()
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def _call(self, method: str, path: str, content: Any = None, params: dict[str, Any] | None = None) -> Any:
        response = self.http.request(method, f"/_sandbox{path}", json=content, params=params)
        assert response.is_success, response.text
        return response.json()


class RunningStandins:
    """The stand-ins of a test session."""

    def __init__(self) -> None:
        self._running: dict[str, RunningStandin] = {}

    def empty(self, name: str) -> RunningStandin:
        """A stand-in with its default settings, emptied; started again where a fault has ended it."""
        running = self._running.get(name)
        if running is None or running.has_ended():
            running = self._running[name] = RunningStandin(name, {"keep_bodies": True})
        running.forget()
        return running

    def stop(self) -> None:
        """Ends them all."""
        for running in self._running.values():
            running.stop()


Saas = Callable[[str], RunningStandin]


@contextmanager
def running_standins() -> Iterator[RunningStandins]:
    """The stand-ins that tests share."""
    standins = RunningStandins()
    try:
        yield standins
    finally:
        standins.stop()


@contextmanager
def running_standin(name: str, **settings: Any) -> Iterator[RunningStandin]:
    """A stand-in of one test's own, with settings of the server and of its own."""
    standin = RunningStandin(name, settings)
    try:
        yield standin
    finally:
        standin.stop()
