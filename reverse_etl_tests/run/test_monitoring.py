"""The page about monitoring says what is so. The tables themselves: ``destinations.sql.monitored``."""

from __future__ import annotations

import re
from pathlib import Path

from reverse_etl.config.document import read_document
from reverse_etl.config.loader import load_project
from reverse_etl.errors import StateError
from reverse_etl.run.monitoring import copy_after_run
from reverse_etl.state.store import Store, open_store
from reverse_etl_tests.config.json_schema import errors
from reverse_etl_tests.schemas import connections_schema

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")


def test_the_example_is_valid(tmp_path: Path) -> None:
    """The loader takes it without a problem, and an editor shows none."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "connections.yaml").write_text(text)
    found = load_project(tmp_path).monitoring
    assert found is not None
    assert ("warehouse", "reverse_etl") == (found.database, found.schema_name)
    assert [] == errors(connections_schema(), read_document(text.encode(), "connections.yaml").values)


def test_the_query_of_the_page_can_be_asked(tmp_path: Path) -> None:
    """In a state database without a run."""
    query = PAGE.split("```sql\n")[1].split("```")[0]
    with open_store(f"sqlite:///{tmp_path / 'state.db'}").reading() as connection:
        assert [] == connection.exec_driver_sql(query).fetchall()


def test_whatever_goes_wrong_is_a_sentence(tmp_path: Path) -> None:
    """A state database that cannot be read, and a defect of ours."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "connections.yaml").write_text(text)
    project = load_project(tmp_path)
    (tmp_path / "state.db").write_text("no database, but a text that is longer than the head of one")
    broken = Store(f"sqlite:///{tmp_path / 'state.db'}")
    warning = copy_after_run(project.monitoring, project.destinations, broken)
    assert warning.startswith("the monitoring tables were not written")
    assert "our defect" not in warning
    assert StateError.__name__ not in warning
    assert "KeyError. Please report it: it is our defect." in copy_after_run(project.monitoring, {}, broken)
