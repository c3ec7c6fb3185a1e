"""The table of scenarios in ``docs/delivery.md``: made from the catalogue once every scenario has held."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reverse_etl_tests.faults.catalogue import Family

PAGE: Final = Path(__file__).parents[2] / "docs" / "delivery.md"
_BEGIN: Final = "<!-- scenarios: written by python -m reverse_etl_tests.faults table -->"
_END: Final = "<!-- end of scenarios -->"


def table(families: list[Family]) -> str:
    """What goes wrong, and how often it is tried."""
    rows = [f"| `{each.name}` | {each.what} | {each.count} |" for each in families]
    total = sum(each.count for each in families)
    return "\n".join(
        ["| family | what goes wrong | scenarios |", "|---|---|---:|", *rows, f"| | **all** | **{total:,}** |"]
    )


def written(page: str, families: list[Family]) -> str:
    """The page with its table as the catalogue is now."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{table(families)}\n{_END}{after}"
