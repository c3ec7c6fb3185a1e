"""A sandbox workspace for tests: a process of its own, on a port of its own, gone when the test is."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx

from reverse_etl.sandbox.settings import ServerSettings

START_TIMEOUT_S = 30.0


class RunningSandbox:
    """One sandbox process. Lists are what ``/_sandbox/...`` shows, whole unless ``limit`` and ``offset`` are given.

    Attributes:
        url: Address of Track and App API alike, without a slash at the end.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._http: httpx.Client | None = None
        self.url = ""
        self.start()

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts the process and waits until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reverse_etl.sandbox", "--announce", *options(self._settings)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        announced = self._process.stdout.readline()
        assert announced, f"the sandbox did not start: exit code {self._process.wait()}"
        self.url = json.loads(announced)["url"]
        self._http = httpx.Client(base_url=self.url, timeout=START_TIMEOUT_S, trust_env=False)
        self.counts()

    def people(self, **asked: Any) -> list[dict[str, Any]]:
        """``cio_id, id, email, attributes``."""
        return self._list("people", asked)

    def objects(self, **asked: Any) -> list[dict[str, Any]]:
        """``object_type_id, object_id, attributes``."""
        return self._list("objects", asked)

    def relationships(self, **asked: Any) -> list[dict[str, Any]]:
        """``object_type_id, object_id, person, attributes``."""
        return self._list("relationships", asked)

    def events(self, **asked: Any) -> list[dict[str, Any]]:
        """``id, name, timestamp, person, attributes``."""
        return self._list("events", asked)

    def segments(self, **asked: Any) -> list[dict[str, Any]]:
        """``id, name, people``; people are identifiers."""
        return self._list("segments", asked)

    def requests(self, **asked: Any) -> list[dict[str, Any]]:
        """``method, path, status, bytes, items, body``."""
        return self._list("requests", asked)

    def activities(self, **asked: Any) -> list[dict[str, Any]]:
        """``id, type, timestamp, customer_identifiers, data``; ``refused=1`` for refusals alone."""
        return self._list("activities", asked)

    def suppressed(self, **asked: Any) -> list[dict[str, Any]]:
        """``kind, value``."""
        return self._list("suppressed", asked)

    def counts(self) -> dict[str, Any]:
        """How much there is of everything; fast."""
        return dict(self._call("GET", "/_sandbox/counts"))

    def faults(self, rules: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        """Puts fault rules in force, if any are given; returns those in force with ``fired``."""
        if rules is None:
            return list(self._call("GET", "/_sandbox/faults"))
        return list(self._call("POST", "/_sandbox/faults", rules))

    def clear_faults(self) -> None:
        """Ends all fault rules."""
        self._call("DELETE", "/_sandbox/faults")

    def reset(self) -> None:
        """Empties workspace, requests and faults."""
        self._call("POST", "/_sandbox/reset")

    def refuse_late(self, kind: str, reason: str, *, field: str = "", **identifiers: str) -> None:
        """Records now that something that was accepted before is not done."""
        asked = {"type": kind, "identifiers": identifiers, "reason": reason, "field": field}
        self._call("POST", "/_sandbox/activities", asked)

    def suppress(self, *, id: str | None = None, email: str | None = None) -> None:  # noqa: A002 - the field's name
        """Suppresses a person or an unknown identifier."""
        self._call("POST", "/_sandbox/suppress", {"id": id, "email": email})

    def add_segment(self, name: str, *, kind: str = "manual") -> int:
        """Makes a segment, ``manual`` or ``dynamic``, and returns its id."""
        return int(self._call("POST", "/_sandbox/segments", {"name": name, "type": kind})["id"])

    def stop(self) -> int:
        """Ends the process with SIGTERM, contents saved, and returns its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the process with SIGKILL."""
        self._end(signal.SIGKILL)

    def has_ended(self) -> bool:
        """Whether the process is gone, by itself or otherwise."""
        return self._process is None or self._process.poll() is not None

    def restart(self) -> None:
        """Stops, unless stopped already, and starts again on the same port with the same ``data_file``."""
        self.stop()
        self._settings = {**self._settings, "port": int(self.url.rpartition(":")[2])}
        self.start()

    def _end(self, how: signal.Signals) -> int:
        if self._http is not None:
            self._http.close()
            self._http = None
        assert self._process is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, how)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def _list(self, name: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
        return list(self._call("GET", f"/_sandbox/{name}", params=asked))

    def _call(self, method: str, path: str, content: Any = None, params: dict[str, Any] | None = None) -> Any:
        assert self._http is not None, "the sandbox is stopped"
        response = self._http.request(method, path, json=content, params=params)
        response.raise_for_status()
        return json.loads(response.content, parse_float=_exact)


@contextmanager
def running_sandbox(**settings: Any) -> Iterator[RunningSandbox]:
    """A sandbox with fields of ``ServerSettings`` and ``SandboxSettings``; on any free port unless ``port`` is given.

    Numbers that a float does not hold exactly come back as ``Decimal``.
    """
    sandbox = RunningSandbox({"port": 0, **settings})
    try:
        yield sandbox
    finally:
        sandbox.stop()


def wait_until(condition: Any, *, timeout_s: float = 10.0, every_s: float = 0.01) -> None:
    """Waits until ``condition()`` is true, looking every ``every_s``."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not true within {timeout_s} s"
        time.sleep(every_s)


SERVER = {field.name for field in dataclasses.fields(ServerSettings)}


def options(settings: dict[str, Any], name: str = "customerio") -> list[str]:
    """The command line for settings of the server and of one stand-in."""
    found = []
    for setting, value in settings.items():
        option = setting.replace("_", "-")
        if value is None:
            continue
        if setting not in SERVER:
            found.append(f"--set={name}.{setting}={value}")
        elif isinstance(value, bool):
            found.append(f"--{'' if value else 'no-'}{option}")
        else:
            found.append(f"--{option}={value}")
    return found


def _exact(text: str) -> float | Decimal:
    nearest = float(text)
    return nearest if Decimal(repr(nearest)) == Decimal(text) else Decimal(text)
