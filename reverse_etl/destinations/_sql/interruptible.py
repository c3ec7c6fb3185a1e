"""Work with a driver that waits: in a thread, so that the event loop goes on, and an interrupt ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar


class Interruptible(Protocol):
    """A session with a server."""

    def interrupt(self) -> None:
        """Ends what the session waits for, from another thread."""
        ...


_Session = TypeVar("_Session", bound=Interruptible)
_Result = TypeVar("_Result")


async def in_thread(work: Callable[[_Session], _Result], session: _Session | None) -> _Result:
    """Does something with a session in a thread; raises what it raises.

    An interrupt ends it, and is raised only once the thread is done with the session.
    """
    if session is None:
        raise RuntimeError("connected comes first")
    doing = asyncio.ensure_future(asyncio.to_thread(work, session))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.to_thread(session.interrupt)
        await asyncio.gather(doing, return_exceptions=True)
        raise
