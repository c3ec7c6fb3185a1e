"""State databases in which nothing is remembered, as copies of one: to make one takes twenty times as long.

How one is made, and brought up to date, is what `state` tests.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from reverse_etl.files.private import make_private_folder, open_private
from reverse_etl.state.home import STATE_FILE, Home
from reverse_etl.state.store import Store, open_store


def fresh_store(folder: Home | Path) -> Store:
    """An open store in a new file in a folder, that of a home folder for one."""
    path = folder.path if isinstance(folder, Home) else folder
    make_private_folder(path)
    with os.fdopen(open_private(path / STATE_FILE, os.O_EXCL | os.O_WRONLY), "wb") as file:
        file.write(_made())
    return open_store(f"sqlite:///{path / STATE_FILE}")


@cache
def _made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / STATE_FILE
        open_store(f"sqlite:///{file}").close()
        assert [file] == [*file.parent.iterdir()], "a part of it is in another file"
        return file.read_bytes()
