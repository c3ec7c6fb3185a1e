"""The blocks that run on the server where a slice holds bad rows: a few rows at a time, and then one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reverse_etl.destinations.postgres.statements import BAD, NOT_APPLIED, STAGE

if TYPE_CHECKING:
    from reverse_etl.destinations.postgres.statements import Statements

_PLACE, _FIRST, _LAST = "reverse_etl_place", "reverse_etl_first", "reverse_etl_last"
_VARIABLES: Final = f"{_PLACE} integer; reverse_etl_state text; reverse_etl_constraint text; reverse_etl_column text;"
"""Variables of the blocks."""
_FEW: Final = 8
"""Rows of one subtransaction: with 1 % bad rows, one for each row takes the server half as long again."""


def write_each(statements: Statements, *, not_a_rows_fault: str) -> str:
    """The body of a block that writes a few rows at a time, and where they fail row by row: into ``BAD`` go those.

    Args:
        statements: Those for the table.
        not_a_rows_fault: An SQL condition on ``reverse_etl_state``: the whole block fails.
    """
    few = statements.write_rows(f"r.place BETWEEN {_FIRST} AND {_FIRST} + {_FEW - 1}")
    if statements.write == "append" and statements.finds_swallowed:
        few = f"RAISE SQLSTATE '{NOT_APPLIED}'"
    return f"""
#variable_conflict use_column
DECLARE
  {_FIRST} integer := 0; {_LAST} integer; {_VARIABLES}
BEGIN
  SELECT max(s.place) INTO {_LAST} FROM {STAGE} AS s;
  WHILE {_FIRST} <= {_LAST} LOOP
    BEGIN
      {few};
    EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
      GET STACKED DIAGNOSTICS reverse_etl_state = RETURNED_SQLSTATE;
      IF {not_a_rows_fault} THEN RAISE; END IF;
      {_one_by_one(statements, f"WHERE s.place BETWEEN {_FIRST} AND {_FIRST} + {_FEW - 1}", not_a_rows_fault)}
    END;
    {_FIRST} := {_FIRST} + {_FEW};
  END LOOP;
END"""


def write_one_by_one(statements: Statements, *, not_a_rows_fault: str) -> str:
    """The same, row by row from the start."""
    return f"""
#variable_conflict use_column
DECLARE
  {_VARIABLES}
BEGIN
  {_one_by_one(statements, "", not_a_rows_fault)}
END"""


def _one_by_one(statements: Statements, where: str, not_a_rows_fault: str) -> str:
    """A loop over those rows ``s`` of the stage for which a condition holds."""
    one = statements.write_rows(f"r.place = {_PLACE}")
    if statements.write == "append" and statements.finds_swallowed:
        # Rows that have no key cannot be looked for: each is counted.
        one += f"; IF NOT FOUND THEN RAISE SQLSTATE '{NOT_APPLIED}'; END IF"
    return f"""
      FOR {_PLACE} IN SELECT s.place FROM {STAGE} AS s {where} ORDER BY s.place LOOP
        BEGIN
          {one};
        EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
          GET STACKED DIAGNOSTICS reverse_etl_state = RETURNED_SQLSTATE, reverse_etl_constraint = CONSTRAINT_NAME,
            reverse_etl_column = COLUMN_NAME;
          IF {not_a_rows_fault} THEN RAISE; END IF;
          INSERT INTO {BAD} VALUES ({_PLACE}, reverse_etl_state, reverse_etl_constraint, reverse_etl_column);
        END;
      END LOOP;"""
