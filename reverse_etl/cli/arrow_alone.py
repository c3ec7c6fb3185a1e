"""Arrow without pandas, which Arrow imports by itself at its first array wherever it is installed.

That is a tenth of a run of few rows. Source: pyarrow 26, ``pandas-shim.pxi``: what was not found at first is looked for
again by whatever needs it, such as ``to_pandas``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class _Hidden:
    """Finds no pandas, and keeps every other finder from it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:  # noqa: ARG004
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def let_arrow_be_alone() -> None:
    """Makes Arrow's first array of this process while pandas cannot be imported; nothing where it was already."""
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _Hidden)
    try:
        import pyarrow as pa

        pa.array([])
    finally:
        sys.meta_path.remove(_Hidden)
