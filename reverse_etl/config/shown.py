"""Files as messages show them."""

from __future__ import annotations

import os
from pathlib import Path


def shown(path: Path) -> str:
    """A file as people are shown it: from the current folder where it is inside, otherwise whole."""
    try:
        plain = Path(os.path.normpath(path))
        # Behind a link `..` leads elsewhere, and then the path has to stay as it is written.
        path = plain if plain != path and plain.exists() and plain.samefile(path) else path
        return path.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)
