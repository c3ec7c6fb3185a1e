"""The import graph of the rooms, as `docs/architecture.md` shows it: ``python -m reverse_etl_tests.architecture``.

A room is a folder or a module directly in the package. Imports for types alone do not count.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final

import grimp

PAGE: Final = Path(__file__).parents[1] / "docs" / "architecture.md"
BEGIN, END = "<!-- graph -->", "<!-- /graph -->"


def drawn() -> str:
    """The rooms by floor, and how many arrows there are among them."""
    arrows = _arrows()
    floors: dict[int, list[str]] = defaultdict(list)
    for room in sorted(arrows):
        floors[_floor(room, arrows)].append(f"`{room}`")
    lines = ["| floor | rooms |", "|---:|---|"]
    lines += [f"| {floor} | {' '.join(floors[floor])} |" for floor in sorted(floors, reverse=True)]
    count = sum(map(len, arrows.values()))
    return "\n".join([f"{len(arrows)} rooms, {len(floors)} floors, {count} arrows, no circle.", "", *lines])


def page() -> str:
    """The page with the graph as it is."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n{drawn()}\n{END}{rest.partition(END)[2]}"


def _arrows() -> dict[str, set[str]]:
    """The rooms that each room imports."""
    graph = grimp.build_graph("reverse_etl", exclude_type_checking_imports=True, cache_dir=None)
    arrows: dict[str, set[str]] = {}
    for module in graph.modules - {"reverse_etl"}:
        room = module.split(".")[1]
        others = {each.split(".")[1] for each in graph.find_modules_directly_imported_by(module) if "." in each}
        arrows.setdefault(room, set()).update(others - {room})
    return arrows


def _floor(room: str, arrows: dict[str, set[str]], above: tuple[str, ...] = ()) -> int:
    """The longest way down from a room; rooms in a circle have none."""
    if room in above:
        raise ValueError(f"rooms import each other: {' -> '.join((*above, room))}")
    return 1 + max((_floor(each, arrows, (*above, room)) for each in arrows[room]), default=-1)


if __name__ == "__main__":
    PAGE.write_text(page())
