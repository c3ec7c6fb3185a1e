"""What the page of each database destination shows can be used as it is; subclass it beside the engine's suite."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import yaml

from reverse_etl import plugins
from reverse_etl.config.connections import FOLDER
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.tables import SqlServer, delivered

PAGES = Path(__file__).parents[3] / "docs" / "destinations"


class SqlPage:
    """Its YAML is valid, its grants are enough.

    Attributes:
        page: The file's name.
        creates: How the statement begins that makes the user.
    """

    page: ClassVar[str]
    creates: ClassVar[str]

    def test_the_files_that_it_shows_are_valid(self, tmp_path: Path) -> None:
        """The destination's entry, the section of a sync; keys that are left to other pages are named in the text."""
        text, blocks = self._blocks()
        entry, *sections = (yaml.safe_load(block) for kind, block in blocks if kind == "yaml")
        shown = entry["destinations"]["crm"]
        model = plugins.load("reverse_etl.destinations", shown["type"]).Config
        config = model.model_validate(shown, context={FOLDER: tmp_path})
        assert {key for key in model.keys() if key not in shown} == {"port", "tls", "ca_file", "ssh_tunnel"}  # noqa: SIM118
        assert all(f"`{key}`" in text for key in ("port", "tls", "ca_file", "ssh_tunnel"))
        assert "Europe/Berlin" == config.timezone
        assert [("id",), ()] == [Rows.model_validate(each["rows"]).identify_by for each in sections]

    def test_the_grants_that_it_shows_are_enough(self, server: SqlServer, tmp_path: Path) -> None:
        """A user with these and no other rights writes to the table."""
        server.run(TABLE)
        self.revoke_everything(server)
        ((grants),) = (block for kind, block in self._blocks()[1] if kind == "sql")
        create, *rest = grants.splitlines()
        assert create.startswith(self.creates)
        try:
            server.run("\n".join(map(self.adapted, rest)))
            assert [1, 2, 3] == delivered(server, tmp_path, PEOPLE).numbers(Outcome.DELIVERED)
        finally:
            self.restore(server)

    def adapted(self, grant: str) -> str:
        """A grant of the page, for the tests' user and database."""
        return grant

    def revoke_everything(self, server: SqlServer) -> None:
        """Takes every right from the user."""
        raise NotImplementedError

    def restore(self, server: SqlServer) -> None:
        """Gives back what is not the table's."""

    def _blocks(self) -> tuple[str, list[tuple[str, str]]]:
        text = (PAGES / self.page).read_text(encoding="utf-8")
        return text, re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
