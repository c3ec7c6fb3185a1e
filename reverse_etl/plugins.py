"""A folder is the registry: each module and each package in it, named without a leading underscore, is one plugin.

Names are listed without importing anything, so an engine's driver costs nothing until that engine is used.
"""

from __future__ import annotations

import importlib
import importlib.resources
from functools import cache
from types import ModuleType

NOT_PLUGINS = frozenset(
    {"__init__", "base", "first_sync", "item_column", "left_out", "powers", "request_powers", "table_powers", "tables"}
)


@cache
def names(package: str, *, also_not: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The plugins of a package, sorted.

    Args:
        package: Dotted name, such as ``reverse_etl.sources``.
        also_not: Further module names of that package that hold shared code and are no plugins.
    """
    entries = importlib.resources.files(package).iterdir()
    found = (
        entry.name.removesuffix(".py")
        for entry in entries
        if entry.name.endswith(".py") or entry.joinpath("__init__.py").is_file()
    )
    return tuple(sorted(name for name in found if name not in NOT_PLUGINS | also_not and not name.startswith("_")))


def load(package: str, name: str) -> ModuleType:
    """Imports one plugin. The caller has looked its name up in ``names``."""
    return importlib.import_module(f"{package}.{name}")
