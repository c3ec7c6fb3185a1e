"""Every engine's dialect, by its name in sqlglot."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import Dialect
from reverse_etl.plugins import names
from reverse_etl.sources import engine

DIALECTS: Final[dict[str, Dialect]] = {
    dialect.name: dialect for dialect in (engine(name).DIALECT for name in names("reverse_etl.sources"))
}
