"""What the ODBC driver is asked to give, and values of types that pyodbc does not read, or not exactly."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from reverse_etl.sources.sqlserver.text import ENCODING, Text

if TYPE_CHECKING:
    import pyodbc

_BIGINT_IN_VARIANT: Final = -25
_GUID: Final = -11
_TIME: Final = -154
_DATETIMEOFFSET: Final = -155
"""ODBC types. Source: learn.microsoft.com/sql/relational-databases/native-client-odbc-date-time, read 2026-11."""
_TIME_STRUCT: Final = struct.Struct("<HHHxxI")
_DATETIMEOFFSET_STRUCT: Final = struct.Struct("<hHHHHHIhh")

_OUTSIDE_YEARS: Final = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
"""In UTC none of the years 1 to 9999."""


def prepare(connection: pyodbc.Connection) -> None:
    """Has the driver give text whole and every type a value: GUIDs as PostgreSQL writes them, times exactly."""
    import pyodbc

    # All text in UTF-16: the driver's own character set depends on the locale and may lack characters.
    connection.setdecoding(pyodbc.SQL_CHAR, encoding=ENCODING, ctype=pyodbc.SQL_WCHAR)
    connection.setdecoding(pyodbc.SQL_WCHAR, encoding=ENCODING, ctype=pyodbc.SQL_WCHAR)
    connection.setencoding(encoding="utf-16le", ctype=pyodbc.SQL_WCHAR)
    connection.add_output_converter(_BIGINT_IN_VARIANT, _integer)
    connection.add_output_converter(_GUID, _guid)
    connection.add_output_converter(_TIME, _time)
    connection.add_output_converter(_DATETIMEOFFSET, _instant)


def _integer(raw: bytes | None) -> int | None:
    return None if raw is None else int.from_bytes(raw, "little", signed=True)


def _guid(raw: bytes | None) -> Text | None:
    if raw is None:
        return None
    digits = raw.hex()
    first = f"{digits[6:8]}{digits[4:6]}{digits[2:4]}{digits[:2]}"
    return Text(f"{first}-{digits[10:12]}{digits[8:10]}-{digits[14:16]}{digits[12:14]}-{digits[16:20]}-{digits[20:]}")


def _time(raw: bytes | None) -> Text | None:
    if raw is None:
        return None
    hour, minute, second, nanoseconds = _TIME_STRUCT.unpack(raw)
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    return Text(f"{clock}.{nanoseconds:09d}".rstrip("0") if nanoseconds else clock)


def _instant(raw: bytes | None) -> datetime | None:
    if raw is None:
        return None
    year, month, day, hour, minute, second, nanoseconds, hours, minutes = _DATETIMEOFFSET_STRUCT.unpack(raw)
    try:
        return datetime(year, month, day, hour, minute, second, nanoseconds // 1000, _zone(hours, minutes))
    except ValueError:
        # Its own offset may lead out of the calendar.
        return _OUTSIDE_YEARS


@lru_cache(maxsize=256)
def _zone(hours: int, minutes: int) -> timezone:
    return timezone(timedelta(hours=hours, minutes=minutes))
