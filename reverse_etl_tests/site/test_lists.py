"""Lists of the pages, which a line that is broken elsewhere would turn into running text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reverse_etl_tests.site.pages import PAGES, ROOT

ITEM = re.compile(r"[.:;)`] [*-] (?=\*\*|[A-Z`])")
BLOCK = re.compile(r"^ *```.*?^ *```", flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_an_item_of_a_list_begins_a_line(page: Path) -> None:
    """Outside of code and of tables."""
    lines = BLOCK.sub("", page.read_text(encoding="utf-8")).splitlines()
    assert [] == [line for line in lines if not line.startswith("|") and ITEM.search(line)]
