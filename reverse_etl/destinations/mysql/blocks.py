"""Blocks that run on MariaDB's server, for a slice that holds bad rows: they are named one by one.

Which ones they are, the warnings of one statement say where they have the numbers of rows; elsewhere a few rows are
tried at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from reverse_etl.destinations.mysql.statements import BAD, FEW, ROW, STAGE

if TYPE_CHECKING:
    from reverse_etl.destinations.mysql.statements import Statements

_FIRST, _LAST, _FAILED = "reverse_etl_first", "reverse_etl_last", "reverse_etl_failed"
_CODE, _TEXT = "reverse_etl_code", "reverse_etl_text"
_NUMBER: Final = "reverse_etl_number"
"""Variables of blocks."""
_DUPLICATE: Final = 1062
_LEAVES_OUT: Final = (_DUPLICATE, 1452, 4025)
"""With IGNORE, a row is left out for these: a unique value, a reference, a check."""
_MOST_LEFT: Final = 5_000
"""Of more rows in a slice the numbers are not gathered."""
LEFT: Final = "SELECT @reverse_etl_left"
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
      {_one_by_one(statements, f"place BETWEEN {_FIRST} AND {_FIRST} + {FEW - 1}", a_rows_fault)};
    END IF;
    SET {_FIRST} = {_FIRST} + {FEW};
  END WHILE;
END"""


def insert_rows(statements: Statements, where: str, *, a_rows_fault: str) -> str:
    """The same for those rows ``s`` of it for which a condition holds, all of them one by one."""
    return f"""
BEGIN NOT ATOMIC
  DECLARE {_CODE}, {_NUMBER} INT;
  DECLARE {_FAILED} INT DEFAULT 0;
  DECLARE {_TEXT} TEXT;
  {_one_by_one(statements, where, a_rows_fault)};
END"""


def insert_the_rest(statements: Statements, where: str) -> str:
    """A block of MariaDB 10.7 that adds rows ``s`` of a condition but for those that break a constraint.

    ``LEFT`` has its result then, for ``left_places``.
    """
    row, added, codes = "reverse_etl_row", "reverse_etl_added", ", ".join(map(str, _LEAVES_OUT))
    return f"""
BEGIN NOT ATOMIC
  DECLARE {_LAST}, {_CODE}, {row}, {added} INT;
  DECLARE {_NUMBER} INT DEFAULT 1;
  DECLARE {_TEXT} LONGTEXT DEFAULT '';
  {statements.insert(where, looks=False, ignore="IGNORE ")};
  GET DIAGNOSTICS {_LAST} = NUMBER, {added} = ROW_COUNT;
  WHILE {_NUMBER} <= LEAST({_LAST}, {_MOST_LEFT + 1}) DO
    GET DIAGNOSTICS CONDITION {_NUMBER} {_CODE} = MYSQL_ERRNO, {row} = ROW_NUMBER;
    SET {_TEXT} = CONCAT({_TEXT}, ' ', IF({_CODE} IN ({codes}), {row}, 0));
    SET {_NUMBER} = {_NUMBER} + 1;
  END WHILE;
  SET @reverse_etl_left = CONCAT({added}, {_TEXT});
END"""


def left_places(text: str, places: np.ndarray) -> np.ndarray | None:
    """The places of rows that ``insert_the_rest`` left out; None where it may have done anything else.

    With IGNORE, other faults than those of constraints become warnings too, and the row is added with another value.
    So each row must have been added, or have one warning, which is about a constraint.

    Args:
        text: Of ``LEFT``.
        places: Of the rows that were to be added.
    """
    added, *numbers = map(int, text.split()) if text else (-1,)
    distinct = {number for number in numbers if 0 < number <= len(places)}
    if len(distinct) < len(numbers) or added + len(numbers) != len(places):
        return None
    return places[np.array(sorted(distinct), np.int64) - 1]


def _one_by_one(statements: Statements, where: str, a_rows_fault: str) -> str:
    """A loop that adds rows ``s``; those that fail go into ``BAD``."""
    one = f"s.place = {ROW}.place"
    bad = f"INSERT INTO {BAD} VALUES ({ROW}.place, {_CODE}, {_TEXT})"
    retried = 0 if statements.write == "append" else _DUPLICATE
    add = statements.insert(one, looks=bool(retried))
    again = "; ".join([*([statements.update_one] if statements.updates else []), add])
    return f"""
  FOR {ROW} IN (SELECT s.* FROM {STAGE} AS s WHERE {where} ORDER BY s.place) DO
    SET {_FAILED} = 0;
    BEGIN {_handler(a_rows_fault, f"SET {_FAILED} = 1")}; {statements.insert(one, looks=False)}; END;
    IF {_FAILED} AND {_CODE} = {retried} THEN
      BEGIN {_handler(a_rows_fault, bad)}; {again}; END;
    ELSEIF {_FAILED} THEN {bad};
    END IF;
  END FOR"""


def _handler(a_rows_fault: str, then: str) -> str:
    # Warnings come before the error, and behind it the lines of triggers at which it was raised.
    get = f"GET DIAGNOSTICS CONDITION {_NUMBER} {_CODE} = MYSQL_ERRNO, {_TEXT} = MESSAGE_TEXT"
    find = f"REPEAT {get}; SET {_NUMBER} = {_NUMBER} - 1; UNTIL {_CODE} <> {_AT_LINE} OR {_NUMBER} = 0 END REPEAT"
    get = f"GET DIAGNOSTICS {_NUMBER} = NUMBER; {find}"
    fault = a_rows_fault.format(_CODE)
    return f"DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN {get}; IF NOT {fault} THEN RESIGNAL; END IF; {then}; END"
