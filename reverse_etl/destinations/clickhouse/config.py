"""What is asked of ClickHouse: its HTTP interface, and larger slices than those of other databases."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from reverse_etl.destinations._sql.config import MOST_ROWS, TableServer

_SECURE_PORT: Final = 8443
_PLAIN_PORT: Final = 8123
_NATIVE_PORTS: Final = {9000: _PLAIN_PORT, 9440: _SECURE_PORT}
"""Of ClickHouse's own protocol, each with that of HTTP. Source: clickhouse.com/docs/guides/sre/network-ports."""


def _not_native(port: int | None) -> int | None:
    if port in _NATIVE_PORTS:
        raise ValueError(f"{port} is the port of ClickHouse's native protocol; that of HTTP is {_NATIVE_PORTS[port]}")
    return port


class Config(TableServer):
    """One entry of ``destinations``."""

    type: Literal["clickhouse"] = Field(default="clickhouse", description="The destination's kind: ClickHouse.")
    port: Annotated[int | None, AfterValidator(_not_native)] = Field(
        default=None, ge=1, le=65_535, description="The HTTP port: 8443, or 8123 without TLS, when left out."
    )
    rows_per_transaction: int = Field(
        default=50_000, ge=1, le=MOST_ROWS, description="Rows that are written, and become visible, together."
    )

    @property
    def place(self) -> tuple[str, int]:
        """Host and port; those of a tunnel while one is open. Raises UnsetVariableError."""
        return self.address(_PLAIN_PORT if self.tls == "disable" else _SECURE_PORT)
