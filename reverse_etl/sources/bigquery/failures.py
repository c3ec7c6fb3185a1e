"""Why a request failed, whichever of Google's libraries raised it. Messages for people: ``errors``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import requests.exceptions
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.auth import exceptions as auth

FAILURES: Final = (
    *(GoogleAPICallError, RetryError, requests.exceptions.RequestException, auth.GoogleAuthError),
    TimeoutError,
)
"""Everything that the libraries raise when a request fails, or when its time is up."""

_TIMEOUT: Final = 504
_POSITION: Final = re.compile(r"\s*\bat \[(\d+):(\d+)\]")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed request.

    Attributes:
        chain: The error and everything that it was raised from.
        code: The HTTP status, or what stands for it in gRPC; 0 when no answer came.
        reason: BigQuery's own word, as ``notFound``; the error's class when it gave none.
        text: BigQuery's own message, without what the library adds; empty when no answer came. It may hold values.
    """

    chain: tuple[BaseException, ...]
    code: int
    reason: str
    text: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Reads one of ``FAILURES``."""
        chain = tuple(_chain(error))
        call = next((link for link in chain if isinstance(link, GoogleAPICallError)), None)
        if call is None:
            return cls(chain, 0, type(chain[-1]).__name__, "")
        first = next(iter(call.errors or ()), None)
        details = first if isinstance(first, dict) else {}
        reason = str(details.get("reason") or type(call).__name__)
        return cls(chain, int(call.code or 0), reason, str(details.get("message") or call.message))

    def has(self, *kinds: type[BaseException]) -> bool:
        """Whether an error of these classes is in the chain."""
        return any(isinstance(link, kinds) for link in self.chain)

    def has_text(self, *parts: str) -> bool:
        """Whether one of these is in the message of an error of the chain."""
        texts = " ".join(map(str, self.chain))
        return any(part in texts for part in parts)

    @property
    def timed_out(self) -> bool:
        """Whether no answer came in time."""
        return self.code == _TIMEOUT or self.has(TimeoutError, requests.exceptions.Timeout)

    @property
    def place(self) -> str:
        """`` (line 2, column 7)``, where BigQuery gives it."""
        position = _POSITION.search(self.text)
        return f" (line {position[1]}, column {position[2]})" if position else ""

    @property
    def sentence(self) -> str:
        """The message in one line, without the place and the stop at its end."""
        return " ".join(_POSITION.sub("", self.text).split()).rstrip(".")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        inner = following.args[0] if following.args and isinstance(following.args[0], BaseException) else None
        following = getattr(following, "cause", None) or following.__cause__ or inner or following.__context__
