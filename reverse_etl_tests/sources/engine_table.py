"""The table of engines and types on `docs/databases/README.md`, made from the suites that every engine passes.

``python -m reverse_etl_tests.sources.engine_table`` writes it there, between its two marks. A type is
ticked where the engine's suite has a case of it, which the test run then checks value by value.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from reverse_etl.plugins import load, names
from reverse_etl_tests.sources.conformance import SourceConformance

README = Path(__file__).parents[2] / "docs" / "databases" / "README.md"
BEGIN, END = "<!-- engines: begin -->\n", "<!-- engines: end -->\n"

TYPES = {
    "text": ("text",),
    "boolean": ("true",),
    "integer": ("small_integer",),
    "decimal, every digit": ("decimal",),
    "float": ("float",),
    "date": ("date",),
    "date-time with zone": ("instant",),
    "date-time without": ("summer_wall_clock",),
    "UUID": ("uuid",),
    "enum": ("enum",),
    "JSON, array or struct": ("json", "array", "array_of_text", "struct"),
}
"""Each column of the table, and the cases of which one stands for it."""


def suites() -> dict[str, type[SourceConformance]]:
    """The suite of each engine, by the engine's name."""
    found: dict[str, type[SourceConformance]] = {}
    for engine in names("reverse_etl.sources"):
        module = import_module(f"reverse_etl_tests.sources.test_{engine}")
        for suite in vars(module).values():
            if isinstance(suite, type) and issubclass(suite, SourceConformance) and suite is not SourceConformance:
                found.setdefault(suite.engine, suite)
    return found


def table() -> str:
    """The table as Markdown."""
    lines = [f"| `type` | driver | tested against | {' | '.join(TYPES)} |", "|---|---|---|" + ":-:|" * len(TYPES)]
    for engine, suite in sorted(suites().items()):
        ticks = ["✓" if any(case in suite.expressions for case in cases) else "–" for cases in TYPES.values()]
        driver = load("reverse_etl.sources", engine).DRIVER
        documented = README.with_name(f"{engine}.md").exists()
        name = f"[`{engine}`]({engine}.md)" if documented else f"`{engine}`"
        lines.append(f"| {name} | {driver} | {suite.against} | {' | '.join(ticks)} |")
    return "\n".join(lines) + "\n"


def written(readme: str) -> str:
    """The page with the table of today."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
