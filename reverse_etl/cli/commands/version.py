"""``version``: which release this is."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final = ("version",)


def version() -> None:
    """Print the version; doctor reports those of everything that is installed beside it."""
    from importlib.metadata import version

    print(f"reverse-etl {version('reverse-etl')}")  # noqa: T201
