"""``test-connection`` for Snowflake as a destination: the step that fails is the last, with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations.snowflake import steps
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError, UnauthorizedError
from reverse_etl_tests.destinations.snowflake.server import ROLE, Snowflake
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.tables import delivered
from reverse_etl_tests.servers.snowflake import PASSPHRASE_VARIABLE

SUSPENDED = {"SELECT 1": (1, "000608", "Warehouse 'SYNC_WH' cannot be resumed: resource monitor 'X' ...")}
MISSING = {"SELECT 1": (1, "000606", "No active warehouse selected in the current session.")}

FAILING: list[tuple[dict[str, Any], dict[str, Any], str, str, str]] = [
    ({"password": Secret("${WRONG}")}, {}, "log in", "the password of user WRITER was refused", "${WRONG}"),
    ({"user": EnvText("NOBODY")}, {}, "log in", "the password of user NOBODY was refused", "`user`"),
    ({"role": EnvText("OWNER")}, {}, "log in", "may not use role OWNER", "GRANT ROLE OWNER TO USER WRITER"),
    ({"warehouse": EnvText("NO_WH")}, {}, "log in", "no warehouse NO_WH", "GRANT USAGE ON WAREHOUSE NO_WH TO ROLE"),
    ({"database": EnvText("NO_DB")}, {}, "log in", "no database NO_DB", "GRANT USAGE ON DATABASE NO_DB"),
    ({"schema": EnvText("NO_S")}, {}, "log in", "no schema NO_S", "Check `schema`"),
    ({"stage_schema": EnvText("NO_S")}, {}, "log in", "no schema NO_S", "Check `stage_schema`"),
    (
        {"stage_schema": EnvText("STAGING")},
        {},
        "temporary tables",
        f"Role {ROLE} may not make",
        "CREATE TABLE, CREATE STAGE",
    ),
    ({"account": EnvText("OTHER-ONE")}, {}, "log in", "there is no account OTHER-ONE", "`account`"),
    ({"port": 1}, {}, "port", "1 refuses connections.", "`port`"),
    ({}, SUSPENDED, "warehouse", "Warehouse SYNC_WH cannot be resumed.", "resource monitor"),
    ({}, MISSING, "warehouse", "No warehouse runs the session's statements.", "Set `warehouse`"),
]


@pytest.mark.parametrize(("settings", "failing", "name", "words", "hint"), FAILING)
def test_the_step_that_fails_is_the_last(
    server: Snowflake,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    failing: dict[str, Any],
    name: str,
    words: str,
    hint: str,
) -> None:
    """With what to do."""
    monkeypatch.setenv("WRONG", "planted-wrong-password")
    server.running.behave(failing=failing)
    *before, last = steps(server.config(**settings))
    assert all(step.ok for step in before), before
    assert (name, False, True, True) == (last.name, last.ok, words in last.detail, hint in last.hint), last
    assert "planted" not in f"{last}"


def test_what_works_is_shown(server: Snowflake) -> None:
    """Who is logged in, by a key, with which role and warehouse, and where what is temporary is made."""
    server.run(f"GRANT CREATE TABLE, CREATE STAGE ON SCHEMA CRM.STAGING TO ROLE {ROLE}")
    key = {"private_key_file": server.running.key_file, "private_key_passphrase": Secret(f"${{{PASSPHRASE_VARIABLE}}}")}
    found = [*steps(server.config(password=None, **key, stage_schema=EnvText("STAGING")))]
    assert all(step.ok for step in found), found
    details = {step.name: step.detail for step in found}
    assert f"user WRITER, role {ROLE}, database CRM" == details["log in"]
    assert ("SYNC_WH", "allowed in schema CRM.STAGING") == (details["warehouse"], details["temporary tables"])


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"password": Secret("${WRONG}")}, UnauthorizedError),
        ({"role": EnvText("OWNER")}, DestinationRefusedError),
        pytest.param({"port": 1}, DestinationUnavailableError, marks=pytest.mark.thorough),
    ],
)
def test_a_run_ends_before_a_row_is_written(
    server: Snowflake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, Any], kind: type[Exception]
) -> None:
    """What lasts ends it at once, with the way out; what may pass is waited for."""
    monkeypatch.setenv("WRONG", "planted-wrong-password")
    server.run(TABLE)
    with pytest.raises(kind):
        delivered(server, tmp_path, PEOPLE, settings=settings)
    assert [] == server.fetch("SELECT * FROM customers")
