from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from reverse_etl.cli.schema import schema
from reverse_etl.cli.validate import validate
from reverse_etl.config.schema import connections_schema, sync_schema
from reverse_etl.errors import ConfigError
from reverse_etl_tests.config.projects import CONNECTIONS, CUSTOMERS, write_project

MANUAL = """\
database: lake
workspace: plain
schedule: manual
events: {name: order_placed}
query: SELECT id, occurred_at FROM orders
"""


def run(command: Callable[..., None], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good folder, with the folder above it as the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("REVERSE_ETL_SYNCS", raising=False)
    files = {"connections.yaml": CONNECTIONS, "customers.yaml": CUSTOMERS, "orders.yaml": MANUAL}
    return write_project(tmp_path, files)


def test_good_files_are_summed_up_for_people(syncs: Path) -> None:
    """Stderr has the table and the counts, stdout stays empty for data."""
    code, out, err = run(validate)

    assert (code, out) == (0, "")
    assert "people + relationships" in err
    assert "every 1h from 2026-01-04T23:30Z" in err
    assert "2 syncs, 3 databases, 2 workspaces: no problems." in err


def test_json_is_a_list_of_syncs(syncs: Path) -> None:
    """For scripts: what each sync is, and nothing else on stdout."""
    (syncs / "hourly.yaml").write_text(MANUAL.replace("manual", '{cron: "5 * * * *"}'), encoding="utf-8")

    code, out, err = run(validate, "--json")

    entries = json.loads(out)
    assert (code, err) == (0, "")
    assert [entry["sync"] for entry in entries] == ["customers", "hourly", "orders"]
    assert [entry["schedule"] for entry in entries] == ["every 1h from 2026-01-04T23:30Z", "5 * * * *", "manual"]
    assert entries[2] == {
        "sync": "orders",
        "file": "syncs/orders.yaml",
        "version": entries[2]["version"],
        "kind": "events",
        "database": "lake",
        "workspace": "plain",
        "schedule": "manual",
        "relationships": False,
        "checks": [],
    }


def test_problems_go_to_stderr_one_a_line(syncs: Path) -> None:
    """Exit code 2, the lines as they are, then their number; markup in a file stays text."""
    (syncs / "customers.yaml").write_text(CUSTOMERS.replace("database: shop", "database: '[red]shop'"))
    (syncs / "orders.yaml").write_text("databse: shop\n" + MANUAL.partition("\n")[2], encoding="utf-8")

    code, out, err = run(validate, "--json")

    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "syncs/customers.yaml:2: database: unknown database '[red]shop'; did you mean `shop`?",
        "syncs/orders.yaml:1: databse: unknown key; did you mean `database`?",
        "2 problems found.",
    ]


def test_only_the_syncs_asked_for_are_shown(syncs: Path) -> None:
    """All files are validated all the same; an unknown name is a configuration error with a suggestion."""
    _, out, _ = run(validate, "orders", "orders", "--json")

    assert [entry["sync"] for entry in json.loads(out)] == ["orders"]
    with pytest.raises(ConfigError, match="Did you mean orders"):
        run(validate, "order")


def test_the_folder_comes_from_option_or_environment(
    syncs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--syncs`` wins over ``REVERSE_ETL_SYNCS``."""
    other = write_project(tmp_path / "other", {"connections.yaml": CONNECTIONS})
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(other))

    from_environment = run(validate, "--json")[1]
    from_option = run(validate, "--json", "--syncs", str(syncs))[1]

    assert json.loads(from_environment) == []
    assert len(json.loads(from_option)) == 2


def test_a_warning_does_not_stop_anything(syncs: Path) -> None:
    """It is on stderr beside the JSON."""
    (syncs / "orders.yaml").write_text(MANUAL.replace("FROM orders", "FROM orders MATCH_SOMEHOW {a b}"))

    code, out, err = run(validate, "--json")

    assert (code, len(json.loads(out))) == (0, 2)
    assert err.startswith("warning: syncs/orders.yaml:5: query: could not be checked beyond its first words")


def test_many_syncs_are_only_counted(syncs: Path) -> None:
    """A thousand lines are no summary."""
    for number in range(50):
        (syncs / f"orders_{number}.yaml").write_text(MANUAL, encoding="utf-8")

    _, _, err = run(validate)

    assert err == "52 syncs, 3 databases, 2 workspaces: no problems.\n"


def test_validating_needs_neither_dagster_nor_drivers_nor_secrets(syncs: Path) -> None:
    """In a process of its own, because here everything is imported already."""
    program = (
        "import sys; from pathlib import Path; from reverse_etl.cli.validate import validate; "
        "validate(None, Path('syncs'), False); "
        "print([name for name in ('dagster', 'psycopg', 'httpx', 'sqlalchemy', 'pandas') if name in sys.modules])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMERIO")}

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize(("which", "expected"), [("sync", sync_schema), ("connections", connections_schema)])
def test_a_schema_is_printed(which: str, expected: Callable[[], dict[str, object]]) -> None:
    """On stdout, as JSON."""
    code, out, err = run(schema, which)

    assert (code, err) == (0, "")
    assert json.loads(out) == expected()


def test_both_schemas_are_written_into_a_folder(tmp_path: Path) -> None:
    """Made when missing; stdout stays empty."""
    code, out, err = run(schema, "--output", str(tmp_path / "a" / "b"))

    assert (code, out) == (0, "")
    assert err.splitlines() == [
        f"Wrote {tmp_path}/a/b/sync.schema.json",
        f"Wrote {tmp_path}/a/b/connections.schema.json",
    ]
    assert json.loads((tmp_path / "a/b/sync.schema.json").read_bytes()) == sync_schema()
    assert json.loads((tmp_path / "a/b/connections.schema.json").read_bytes()) == connections_schema()
