"""Answers that redirect: rows, keys and addresses go where the files of the syncs name, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

_KEPT: Final = "location"


async def _set_aside(answer: httpx.Response) -> None:
    found = [value for name, value in answer.headers.raw if name.lower() == b"location"]
    if found:
        del answer.headers["location"]
        answer.extensions[_KEPT] = found[0].decode("latin-1")


HOOKS: Final[dict[str, list[Any]]] = {"response": [_set_aside]}
"""For ``event_hooks``: httpx reads where an answer leads to, followed or not, and fails on what is no address."""


def host_of_target(answer: httpx.Response) -> str:
    """The host that an answer of a client with ``HOOKS`` leads to; empty where it names none."""
    try:
        return urlsplit(answer.extensions.get(_KEPT, "")).hostname or ""
    except ValueError:
        return ""
