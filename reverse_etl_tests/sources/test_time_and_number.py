"""A date-time compared with last sync time as it is: the error names the conversion in the engine's own words."""

from __future__ import annotations

import pytest

from reverse_etl.sources._time_and_number import conversion_hint

# The servers' own words; those of BigQuery, Snowflake and SQL Server as their users quote them.
_MESSAGES = [
    "operator does not exist: timestamp without time zone >= integer",
    "operator does not exist: timestamp with time zone > bigint",
    "operator does not exist: integer <= timestamp with time zone",
    "operator does not exist: date >= integer",
    "operator does not exist: timestamp(0) without time zone >= numeric",
    "No matching signature for operator >= for argument types: TIMESTAMP, INT64. Supported: ANY >= ANY at [1:42]",
    "No matching signature for operator >=\n  Argument types: DATETIME, INT64\n  Signature: T1 >= T1",
    "No matching signature for operator BETWEEN for argument types: DATE, INT64, INT64",
    "SQL compilation error: error line 3 at position 6 Invalid argument types for function '>=': (TIMESTAMP_NTZ(9), "
    "NUMBER(10,0))",
    "SQL compilation error: Can not convert parameter '1767576600' of type [NUMBER(10,0)] into expected type "
    "[TIMESTAMP_NTZ(9)]",
    "Operand type clash: datetime2 is incompatible with int",
    "Operand type clash: int is incompatible with date",
    "The data types datetimeoffset and int are incompatible in the greater than or equal to operator.",
    "Arithmetic overflow error converting expression to data type datetime.",
    "Cannot compare values of type TIMESTAMP and type INTEGER_LITERAL - an explicit cast is required",
    "Cannot compare values of type INTEGER_LITERAL and type TIMESTAMP WITH TIME ZONE - an explicit cast is required",
    "Cannot mix values of type TIMESTAMP and INTEGER_LITERAL in BETWEEN clause - an explicit cast is required",
]


@pytest.mark.parametrize("message", _MESSAGES)
def test_a_time_and_a_number_have_their_own_error(message: str) -> None:
    """Whichever stands first, whatever the time's and the number's type."""
    assert (
        "A date-time does not compare with a number: write F({{last_sync_time}}) in place of {{last_sync_time}}."
        == conversion_hint(message, "F({{last_sync_time}})")
    )


@pytest.mark.parametrize(
    "message",
    [
        "operator does not exist: text >= integer",
        "operator does not exist: uuid = integer",
        'column "timestamp" does not exist',
        "operator does not exist: timestamp without time zone >= boolean",
        "No matching signature for operator = for argument types: STRING, INT64",
        "Operand type clash: uniqueidentifier is incompatible with int",
        "Arithmetic overflow error converting expression to data type int.",
        "Cannot compare values of type VARCHAR and type DATE - an explicit cast is required",
    ],
)
def test_other_mistakes_keep_their_own_hint(message: str) -> None:
    """Among them names that sound like types."""
    assert "" == conversion_hint(message, "F({{last_sync_time}})")
