"""Where rows go: a folder for each kind of destination, each a plugin named like its ``type``.

What a kind gives is in ``base``. What is sent, and when, is decided in ``delivery``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from reverse_etl.plugins import load

if TYPE_CHECKING:
    from reverse_etl.destinations.base import Kind


def kind(name: str) -> Kind:
    """The kind of destination of a ``type``, one of ``plugins.names``."""
    return cast("Kind", load(__name__, name))
