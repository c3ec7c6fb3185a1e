"""The order in which a driver's connection is used by several threads."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from reverse_etl.errors import SourceError
from reverse_etl.sources.sqlserver import wire as wires
from reverse_etl.sources.sqlserver.errors import Messages
from reverse_etl.sources.sqlserver.wire import Wire


class _Driver:
    """An ODBC connection and its cursor that answer late: a query waits until it is released, a cancel even longer."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.released = threading.Event()
        self.acknowledged = threading.Event()
        self.closed = threading.Event()

    def cursor(self) -> _Driver:
        return self

    def execute(self, _sql: str) -> _Driver:
        self.released.wait()
        return self

    def cancel(self) -> None:
        self.released.set()
        self.acknowledged.wait()
        self.calls.append("canceled")

    def close(self) -> None:
        self.calls.append("closed")
        self.closed.set()


def test_a_connection_is_closed_after_its_last_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing frees what a cancel that still runs uses: Microsoft's driver ends the process then."""
    monkeypatch.setattr(wires, "CANCEL_S", 0.05)
    driver: Any = _Driver()
    facts = {"host": "127.0.0.1", "port": "1433", "user": "reader", "database": "shop"}
    wire = Wire(Messages("database shop (sqlserver)", facts, timedelta(seconds=0.05)))
    wire.open(lambda: driver, 1433, seconds=5)
    wire.start()
    with pytest.raises(SourceError):
        wire.execute("SELECT 1 AS one")

    wire.close()
    assert driver.calls == []
    driver.acknowledged.set()
    assert driver.closed.wait(60)
    assert driver.calls == ["canceled", "closed"]
