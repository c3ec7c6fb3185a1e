"""Files as messages show them."""

from __future__ import annotations

from pathlib import Path


def shown(path: Path) -> str:
    """A file as people are shown it: from the current folder where it is inside, otherwise whole."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)
