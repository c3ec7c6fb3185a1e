"""Garbage collection while many objects are made that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_left() -> Iterator[None]:
    """Puts off garbage collection, which what a thousand syncs are made of sets off again and again.

    What was made is taken to stay: afterwards it is among the oldest objects, which are looked at most seldom.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            # Together they move every object to the oldest generation, without a look at it.
            gc.freeze()
            gc.unfreeze()
            gc.enable()
