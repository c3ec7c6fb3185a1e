"""Blocks that run on MariaDB's server: a slice that holds bad rows, a few rows at a time, and then one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reverse_etl.destinations.mysql.statements import BAD, FEW, ROW, STAGE

if TYPE_CHECKING:
    from reverse_etl.destinations.mysql.statements import Statements

_FIRST, _LAST, _FAILED = "reverse_etl_first", "reverse_etl_last", "reverse_etl_failed"
_CODE, _TEXT = "reverse_etl_code", "reverse_etl_text"
_NUMBER: Final = "reverse_etl_number"
"""Variables of blocks."""
_DUPLICATE: Final = 1062
_AT_LINE: Final = 4094


def update_each(statements: Statements, where: str, *, a_rows_fault: str) -> str:
    """A block of MariaDB that changes rows ``s`` of a condition one by one; into ``BAD`` go those that fail.

    A statement that fails leaves nothing behind, so no savepoint is needed.

    Args:
        statements: Those for the table.
        where: The condition.
        a_rows_fault: An SQL condition on the error's number; where it does not hold, the whole block fails.
    """
    return f"""
BEGIN NOT ATOMIC
  DECLARE {_CODE}, {_NUMBER} INT;
  DECLARE {_TEXT} TEXT;
  FOR {ROW} IN (SELECT s.* FROM {STAGE} AS s WHERE {where} ORDER BY s.place) DO
    BEGIN
      {_handler(a_rows_fault, f"INSERT INTO {BAD} VALUES ({ROW}.place, {_CODE}, {_TEXT})")};
      {statements.update_one};
    END;
  END FOR;
END"""


def insert_each(statements: Statements, *, a_rows_fault: str) -> str:
    """The same for a stage of rows that are to be added: a few at a time, and where they fail row by row.

    Where a key is there by now, another writer has added the row: it is changed.
    """
    few = statements.insert(f"s.place BETWEEN {_FIRST} AND {_FIRST} + {FEW - 1}", looks=False)
    one = f"s.place = {ROW}.place"
    bad = f"INSERT INTO {BAD} VALUES ({ROW}.place, {_CODE}, {_TEXT})"
    retried = 0 if statements.write == "append" else _DUPLICATE
    add = statements.insert(one, looks=bool(retried))
    again = "; ".join([*([statements.update_one] if statements.updates else []), add])
    return f"""
BEGIN NOT ATOMIC
  DECLARE {_LAST}, {_CODE}, {_NUMBER} INT;
  DECLARE {_FIRST}, {_FAILED} INT DEFAULT 0;
  DECLARE {_TEXT} TEXT;
  SELECT MAX(place) INTO {_LAST} FROM {STAGE};
  WHILE {_FIRST} <= {_LAST} DO
    SET {_FAILED} = 0;
    BEGIN {_handler(a_rows_fault, f"SET {_FAILED} = 1")}; {few}; END;
    IF {_FAILED} THEN
      FOR {ROW} IN (SELECT * FROM {STAGE} WHERE place BETWEEN {_FIRST} AND {_FIRST} + {FEW - 1} ORDER BY place) DO
        SET {_FAILED} = 0;
        BEGIN {_handler(a_rows_fault, f"SET {_FAILED} = 1")}; {statements.insert(one, looks=False)}; END;
        IF {_FAILED} AND {_CODE} = {retried} THEN
          BEGIN {_handler(a_rows_fault, bad)}; {again}; END;
        ELSEIF {_FAILED} THEN {bad};
        END IF;
      END FOR;
    END IF;
    SET {_FIRST} = {_FIRST} + {FEW};
  END WHILE;
END"""


def _handler(a_rows_fault: str, then: str) -> str:
    # Warnings come before the error, and behind it the lines of triggers at which it was raised.
    get = f"GET DIAGNOSTICS CONDITION {_NUMBER} {_CODE} = MYSQL_ERRNO, {_TEXT} = MESSAGE_TEXT"
    find = f"REPEAT {get}; SET {_NUMBER} = {_NUMBER} - 1; UNTIL {_CODE} <> {_AT_LINE} OR {_NUMBER} = 0 END REPEAT"
    get = f"GET DIAGNOSTICS {_NUMBER} = NUMBER; {find}"
    fault = a_rows_fault.format(_CODE)
    return f"DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN {get}; IF NOT {fault} THEN RESIGNAL; END IF; {then}; END"
