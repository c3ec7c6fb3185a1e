"""Every guard."""

from __future__ import annotations

from typing import Final

from reverse_etl_tests.ratios import files, rows, standins

GUARDS: Final = (*rows.GUARDS, *files.GUARDS, *standins.GUARDS)
