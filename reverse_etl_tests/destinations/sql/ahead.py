"""Tables that are looked at before the rows are read. Subclass it beside each suite; the fixture is ``server``."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import pytest

from reverse_etl.destinations.table_powers import LooksAhead
from reverse_etl.errors import ConfigError
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.destinations.sql.tables import SqlServer


def look_ahead(server: SqlServer, names: Sequence[str] | None, *, any_case: Collection[str] = (), **rows: Any) -> None:
    """Looks at ``customers``, whose rows are identified by ``id`` if not said otherwise."""
    section = {"table": "customers", "identify_by": "id"} | rows
    patience = Patience(RetryPolicy(), name="destination crm", clock=FastClock().clock())

    async def look() -> None:
        async with server.open(section, names or ["id"], patience) as table:
            assert isinstance(table, LooksAhead)
            await table.look_ahead(names, any_case=any_case)

    asyncio.run(look())


class SqlLooksAhead:
    """What does not fit is found without a row.

    Attributes:
        any_case: Whether names are the table's in any case, whatever is said of them.
    """

    any_case: ClassVar[bool] = False

    def test_what_does_not_fit_is_found_before_the_rows_are_read(self, server: SqlServer) -> None:
        """By the columns that the rows will have; where they are not known, by the table and the key alone."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(40) NOT NULL, score int)")
        look_ahead(server, ["id", "email"])
        look_ahead(server, ["ID", "EMAIL"], any_case={"ID", "EMAIL"})
        look_ahead(server, None)
        refused: list[tuple[Sequence[str] | None, dict[str, Any], str]] = [
            (["id", "emial"], {}, "no column emial. Did you mean `email`?"),
            (["id", "EMIAL"], {"any_case": {"EMIAL"}}, "no column EMIAL"),
            (["id", "score"], {}, "needs a value for email"),
            (None, {"identify_by": "idd"}, "no column idd, which `identify_by` names. Did you mean `id`?"),
            (None, {"table": "custmers"}, "Did you mean customers?"),
        ]
        if not self.any_case:
            refused.append((["id", "Email"], {}, "no column Email. Did you mean `email`?"))
        for names, rows, words in refused:
            with pytest.raises(ConfigError) as raised:
                look_ahead(server, names, **rows)
            assert words.lower() in str(raised.value).lower(), str(raised.value)
