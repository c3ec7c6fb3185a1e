"""The tables of a schema, so that ``init`` can offer them; and one of them as ``test-connection`` shows it.

Source: docs.snowflake.com/en/sql-reference/sql/show-primary-keys and show-columns, read 2026-11.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql.described import shown_columns
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.snowflake import failures
from reverse_etl.destinations.snowflake.catalogue import Table, matching, objects, quoted
from reverse_etl.destinations.snowflake.connection import Link, Session
from reverse_etl.destinations.snowflake.failures import Refused
from reverse_etl.destinations.snowflake.requirements import TABLES
from reverse_etl.destinations.snowflake.statements import Statements
from reverse_etl.destinations.table_powers import Described
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError

if TYPE_CHECKING:
    from reverse_etl.destinations.snowflake.config import Config

_PLAIN: Final = re.compile(r"[A-Z_][A-Z0-9_$]*")
"""Names that need no quotes: people write them in lower case."""


def tables(config: Config) -> dict[str, list[str]]:
    """The columns of each table of the destination's schema that the role sees.

    Names that need no quotes are in lower case, unless another one differs from it in case alone.

    Raises:
        DestinationError: The account cannot be asked.
        UnsetVariableError: A value comes from an environment variable that is not set.
    """
    return asyncio.run(_tables(config))


async def _tables(config: Config) -> dict[str, list[str]]:
    link = Link(config)
    try:
        session = await link.connected()
        if isinstance(session, TryAgain):
            raise DestinationUnavailableError(f"{config.label}: {session.cause}.", hint=session.hint)
        return await link.run(lambda it: _listed(it, config.schema_name.resolve()))
    except Refused as refused:
        raise DestinationRefusedError(f"{config.label}: the service refuses it ({refused.number:06d}).") from None
    finally:
        await link.close()


def _listed(session: Session, schema: str) -> dict[str, list[str]]:
    there = [each for each in objects(session) if each["kind"] in TABLES]
    found: dict[str, list[str]] = {}
    for holder in matching(schema, {each["schema_name"] for each in there}):
        columns: dict[str, list[str]] = {each["name"]: [] for each in there if each["schema_name"] == holder}
        for row in session.listed(f"SHOW COLUMNS IN SCHEMA {quoted(session.database)}.{quoted(holder)}"):
            if row["table_name"] in columns:
                columns[row["table_name"]].append(row["column_name"])
        for name, spelled in zip(columns, _spelled(columns), strict=True):
            found[spelled] = _spelled(columns[name])
    return found


def _spelled(names: Iterable[str]) -> list[str]:
    """Names as people write them."""
    names = list(names)
    return [
        name.lower() if _PLAIN.fullmatch(name) and len(matching(name.lower(), names)) == 1 else name for name in names
    ]


def described(session: Session, table: Table) -> Described:
    """A table, with the rights that are found by trying; raises ``Refused``."""
    columns = [replace(each, fits=replace(each.fits, name=each.stored, key=False)) for each in table.columns.values()]
    statements = Statements(
        table=table.quoted,
        columns=[column for column in columns if column.writable and not column.generated],
        write="add_and_update",
        keeps_when_empty=False,
        deletes=True,
    )
    rights: list[str] = []
    lacking: list[str] = []
    for right, probe in statements.probes().items():
        if right == "SELECT" or table.kind in TABLES:
            (lacking if denied(session, probe) else rights).append(right)
    keys = [*_keys(session, table, "PRIMARY"), *_keys(session, table, "UNIQUE")]
    return Described(f"{table.database}.{table.full}", shown_columns(columns), keys, rights, lacking)


def denied(session: Session, probe: str) -> bool:
    """Whether the role lacks the right to a statement that touches no row."""
    try:
        session.run(probe)
    except Refused as refused:
        if refused.number not in {failures.DENIED, *failures.NOT_THERE}:
            raise
        return True
    return False


def _keys(session: Session, table: Table, kind: str) -> list[str]:
    """Primary or unique keys, which hybrid tables alone enforce."""
    word = "UNIQUE" if kind == "UNIQUE" else "PRIMARY KEY"
    about = "" if table.kind == "HYBRID TABLE" else " (not enforced)"
    found: dict[str, dict[int, str]] = {}
    for row in session.listed(f"SHOW {kind} KEYS IN TABLE {table.quoted}"):
        found.setdefault(row["constraint_name"], {})[int(row["key_sequence"])] = row["column_name"]
    return [f"{word} ({', '.join(names[at] for at in sorted(names))}){about}" for _, names in sorted(found.items())]
