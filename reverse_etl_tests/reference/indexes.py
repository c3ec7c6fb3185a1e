"""Indexes of folders of pages: what each destination takes, and what was decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reverse_etl.config.connections_file import DESTINATIONS, workspace_kind
from reverse_etl.plugins import load, names
from reverse_etl_tests.schemas import sync_schema

DOCS: Final = Path(__file__).parents[2] / "docs"


def destinations() -> Iterator[str]:
    """The lines of ``docs/destinations/README.md``: each destination with its section of a sync's file."""
    yield from ("# Destinations", "")
    yield "A sync names a workspace of Customer.io (`workspace: NAME`) or another destination (`destination: NAME`),"
    yield "and has one section that says what its rows are there. Checks, failed rows, resuming, schedules, plans and"
    yield "alerts are the same for all."
    yield from ("", "| destination | section | what rows are |", "|---|---|---|")
    kinds = sorted(names(DESTINATIONS), key=lambda kind: (kind != workspace_kind(), title(kind).lower()))
    for kind in kinds:
        sections = sorted(load(DESTINATIONS, kind).Sync.SECTIONS)
        meanings = "; ".join(dict.fromkeys(_meaning(section) for section in sections))
        page = f"[{title(kind)}]({kind}.md)" if (DOCS / "destinations" / f"{kind}.md").exists() else title(kind)
        yield f"| {page} | {', '.join(f'`{section}`' for section in sections)} | {meanings} |"
    yield from ("", "A new one step by step: [rows into a table](tables.md). Without an account:")
    yield "[the sandboxes](../sandbox/README.md)."


def decisions() -> Iterator[str]:
    """The lines of ``docs/decisions/README.md``."""
    yield from (
        "# Decisions",
        "",
        "What was decided, and why. A decision that no longer holds says which one took its place.",
        "",
    )
    yield from ("| number | decision |", "|---|---|")
    for page in sorted((DOCS / "decisions").glob("0*.md")):
        heading = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        number, _, rest = heading.partition(". ")
        yield f"| {page.name[:4]} | [{rest if number.isdigit() else heading}]({page.name}) |"


def title(kind: str) -> str:
    """What a destination's page calls it."""
    page = DOCS / "destinations" / f"{kind}.md"
    return (
        page.read_text(encoding="utf-8").splitlines()[0][2:].removesuffix(" as a destination")
        if page.exists()
        else kind
    )


def _meaning(section: str) -> str:
    schema = sync_schema()
    found = schema["properties"][section]
    if "description" not in found:
        found = schema["$defs"][found["$ref"].rpartition("/")[2]]
    return str(found["description"]).rstrip(".")
