"""What a stand-in is, and its clock. How it is served is in ``front`` and ``server``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, overload

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from reverse_etl.sandbox.faults import Action

Headers = list[tuple[bytes, bytes]]
Record = dict[str, Any]
TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]
JSON: Headers = [(b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store")]


@dataclass(slots=True)
class Answer:
    """An answer as it goes out, but for its length."""

    status: int
    headers: Headers
    body: bytes


class RecordsToLookAt(Sequence[Record]):
    """Records that are made when they are looked at: there may be millions."""

    def __init__(self, make: Callable[[int], Record], places: range) -> None:
        self._make = make
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, wanted: int) -> Record: ...

    @overload
    def __getitem__(self, wanted: slice) -> RecordsToLookAt: ...

    def __getitem__(self, wanted: int | slice) -> Record | RecordsToLookAt:
        if isinstance(wanted, slice):
            return RecordsToLookAt(self._make, self._places[wanted])
        return self._make(self._places[wanted])


class Clock:
    """Unix seconds as a stand-in sees them: moved ahead or stopped through ``/_sandbox/clock``."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The machine's own time again."""
        self._ahead_s = 0.0
        self._stopped_at: float | None = None

    def now(self) -> float:
        """Unix seconds."""
        return (time.time() if self._stopped_at is None else self._stopped_at) + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Moves ahead by this much."""
        self._ahead_s += seconds

    def stop(self) -> None:
        """Time stands still, but for ``advance``."""
        if self._stopped_at is None:
            self._stopped_at = time.time()


class Standin:
    """One service that is stood in for. Each folder's module ``standin`` has a subclass, named ``STANDIN``.

    Everything runs on one thread, the server's event loop.

    Attributes:
        NAME: The folder's.
        TITLE: The service's, as people write it.
        PORT: Where it listens unless told otherwise.
        SETTINGS: A frozen dataclass whose fields all have defaults.
        FIXED: Whether settings and time are what they were when it was started.
        OWN_FAULTS: What only this service can do wrong, name and a sentence: ``{"do": {"own": name}}``.
        routes: What it answers. The path begins with ``/_sandbox`` for looking alone.
    """

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    PORT: ClassVar[int]
    SETTINGS: ClassVar[type[Any]]
    FIXED: ClassVar[bool] = False
    OWN_FAULTS: ClassVar[Mapping[str, str]] = {}

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.clock = Clock()
        self.routes: list[BaseRoute] = []

    def is_call(self, path: str) -> bool:
        """Whether a path is the service's, and not for looking at what it holds."""
        return not path.startswith("/_sandbox") and path not in {"/", "/favicon.ico"}

    def refused(self, scope: Scope) -> Answer | None:  # noqa: ARG002 - for those that need it
        """The answer to a request whose credentials are in its headers and wrong; None asks ``routes``."""
        return None

    def worded(self, status: int, path: str, details: Mapping[str, Any]) -> Answer:  # noqa: ARG002 - as above
        """How this service words a status that a fault asks for; ``details`` are the fault's, such as a reason."""
        return Answer(status, TEXT, b"")

    def records(self) -> Mapping[str, Iterable[Record]]:
        """Everything it holds, kind by kind, oldest first; a kind is made when it is walked."""
        raise NotImplementedError

    def counts(self) -> Mapping[str, Any]:
        """How much of everything it holds, without walking it."""
        raise NotImplementedError

    def put(self, kind: str, record: Record) -> Record:  # noqa: ARG002 - as above
        """Sets a record up for a test, without a call of the service; returns it as kept.

        Raises:
            ValueError: There is no such kind, or the record is not of it.
        """
        raise ValueError(f"{kind} cannot be put here")

    def forget(self) -> None:
        """Empties it."""
        raise NotImplementedError

    def answered(self) -> None:
        """Called when a request is dealt with, before its answer goes out."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Lasts as long as it is served."""
        return nullcontext()


def own_fault(request: Request, *among: str) -> Action | None:
    """The fault that this request is to meet, if it is one of these of the service's own."""
    fault: Action | None = request.scope.get("sandbox.fault")
    return fault if fault is not None and fault.own in among else None


async def object_of(request: Request) -> Record:
    """The body, where it is a JSON object; else an empty one. Numbers are as floats hold them."""
    try:
        content = orjson.loads(await request.body())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def json_answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """JSON."""
    given = {"content-type": "application/json; charset=utf-8", **(headers or {})}
    return Response(orjson.dumps(content), status, given)
