"""The page on the architecture says what the imports say."""

from __future__ import annotations

import re
from pathlib import Path

from reverse_etl_tests import architecture

PACKAGE = Path(__file__).parents[1] / "reverse_etl"


def test_the_page_shows_the_import_graph_as_it_is() -> None:
    """Rooms, floors and arrows; a circle among rooms ends the drawing."""
    assert architecture.PAGE.read_text() == architecture.page(), "run: python -m reverse_etl_tests.architecture"


def test_the_page_has_every_room_and_every_test_that_it_names() -> None:
    """A folder that is new, or a test that was renamed, is a line to write."""
    text = architecture.PAGE.read_text()
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert set() == {room for room in rooms if f"  {room}/" not in text}
    named = set(re.findall(r"`(reverse_etl_tests/[\w/]+\.py)`", text))
    assert named
    assert set() == {path for path in named if not (PACKAGE.parent / path).exists()}
