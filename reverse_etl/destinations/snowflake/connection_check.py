"""What ``test-connection`` does with a Snowflake destination, up to where a table is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.snowflake import failures
from reverse_etl.destinations.snowflake.connection import Link, Session
from reverse_etl.destinations.snowflake.failures import Refused
from reverse_etl.destinations.snowflake.statements import MAKE_FILES, STAGE
from reverse_etl.errors import DestinationError
from reverse_etl.report import Step
from reverse_etl.sources import engine
from reverse_etl.sources._connection_check import network
from reverse_etl.sources.snowflake.login import endpoint_of

if TYPE_CHECKING:
    from reverse_etl.destinations.snowflake.config import Config


def steps(config: Config) -> Iterator[Step]:
    """Connects step by step, logs in, and makes a temporary table; the first step that fails is the last."""
    for step in network(endpoint_of(config), engine(config.type)):
        yield step
        if not step.ok:
            return
    yield from asyncio.run(_logged_in(config))


async def _logged_in(config: Config) -> list[Step]:
    link = Link(config)
    try:
        session = await link.connected()
        if isinstance(session, TryAgain):
            return [Step("log in", False, session.cause, session.hint)]
        done = [
            Step("log in", True, f"user {session.user}, role {session.role}, database {session.database}"),
            Step("server", True, f"Snowflake {session.version}"),
        ]
        return [*done, *await link.run(lambda it: [*_temporary(it, config)])]
    except DestinationError as error:
        return [Step("log in", False, error.message, error.hint)]
    finally:
        await link.close()


def _temporary(session: Session, config: Config) -> Iterator[Step]:
    try:
        session.run("SELECT 1")
        yield Step("warehouse", True, session.warehouse or "none named")
    except Refused as refused:
        what, hint = failures.lasting(refused, role=session.role, warehouse=session.warehouse)
        yield Step("warehouse", False, f"{what[0].upper()}{what[1:]}.", hint)
        return
    name = "temporary tables"
    schema = f"{session.database}.{config.staging.resolve()}"
    try:
        session.run(MAKE_FILES)
        session.run(f"CREATE OR REPLACE TEMPORARY TABLE {STAGE} (place NUMBER(10,0))")
    except Refused as refused:
        if refused.number not in {failures.DENIED, *failures.NOT_THERE}:
            what, hint = failures.lasting(refused, role=session.role, warehouse=session.warehouse)
            yield Step(name, False, f"{what[0].upper()}{what[1:]}.", hint)
            return
        grant = f"GRANT CREATE TABLE, CREATE STAGE ON SCHEMA {schema} TO ROLE {session.role}"
        detail = f"Role {session.role} may not make temporary tables and stages in schema {schema}."
        yield Step(name, False, detail, f"Ask for: {grant}; or set `stage_schema`.")
        return
    yield Step(name, True, f"allowed in schema {schema}")
