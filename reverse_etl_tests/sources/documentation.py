"""What the page of an engine, ``docs/databases/<engine>.md``, shows: its sections and its blocks of code."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "databases"


def page(engine: str) -> str:
    """The page's text."""
    return (FOLDER / f"{engine}.md").read_text(encoding="utf-8")


def examples(engine: str, language: str) -> list[str]:
    """The page's fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", page(engine), re.DOTALL)


def sections(engine: str) -> list[str]:
    """The page's second-level headings."""
    return re.findall(r"^## (.+)$", page(engine), re.MULTILINE)
