"""What the page of the destination shows can be used as it is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from reverse_etl.config.connections import FOLDER
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.destinations.postgres import Config
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.postgres.server import Postgres
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.tables import delivered
from reverse_etl_tests.servers.postgres import DATABASE, USER

PAGE = (Path(__file__).parents[3] / "docs" / "destinations" / "postgres.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


def test_the_files_that_it_shows_are_valid(tmp_path: Path) -> None:
    """The destination's entry and the section of a sync; keys that the page leaves to others are named in its text."""
    entry, rows = (yaml.safe_load(text) for kind, text in BLOCKS if kind == "yaml")
    config = Config.model_validate(entry["destinations"]["crm"], context={FOLDER: tmp_path})
    shown = entry["destinations"]["crm"].keys()
    assert {key for key in Config.keys() if key not in shown} == {"port", "tls", "ca_file", "ssh_tunnel"}  # noqa: SIM118
    assert all(f"`{key}`" in PAGE for key in ("port", "tls", "ca_file", "ssh_tunnel"))
    assert "Europe/Berlin" == config.timezone
    assert ("id",) == Rows.model_validate(rows["rows"]).identify_by


def test_the_grants_that_it_shows_are_enough(server: Postgres, tmp_path: Path) -> None:
    """A user with these and no other rights writes to the table."""
    server.run(f"{TABLE}; REVOKE ALL ON customers FROM {USER}; REVOKE ALL ON SCHEMA public FROM PUBLIC, {USER}")
    server.run(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
    ((grants),) = (text for kind, text in BLOCKS if kind == "sql")
    create, *rest = grants.splitlines()
    assert create.startswith("CREATE ROLE reverse_etl_writer LOGIN")
    try:
        server.run("\n".join(rest).replace("reverse_etl_writer", USER).replace("DATABASE crm", f"DATABASE {DATABASE}"))
        assert [1, 2, 3] == delivered(server, tmp_path, PEOPLE).numbers(Outcome.DELIVERED)
    finally:
        server.run(
            f"REVOKE ALL ON DATABASE {DATABASE} FROM {USER}; GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO PUBLIC"
        )
