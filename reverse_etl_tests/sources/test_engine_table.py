"""The page's table of engines is the one that the suites give."""

from __future__ import annotations

from reverse_etl_tests.sources.engine_table import README, TYPES, suites, table, written


def test_the_page_has_the_table_of_today() -> None:
    """After a change: ``python -m reverse_etl_tests.sources.engine_table``."""
    readme = README.read_text(encoding="utf-8")

    assert readme == written(readme)


def test_the_table_has_every_engine_and_ticks_only_what_has_a_case() -> None:
    """A type that an engine's suite rules out with a reason is not ticked."""
    lines = table().splitlines()[2:]

    assert len(lines) == len(suites())
    for line, (_, suite) in zip(lines, sorted(suites().items()), strict=True):
        ticked = [cell.strip() == "✓" for cell in line.split("|")[4:-1]]
        assert ticked == [any(case not in suite.cannot for case in cases) for cases in TYPES.values()]
