from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from reverse_etl.cli.commands.schema import schema
from reverse_etl.cli.commands.validate import validate
from reverse_etl.cli.main import _register, app
from reverse_etl.config.schema import connections_schema, dictionary_schema, sync_schema
from reverse_etl.errors import ConfigError
from reverse_etl_tests.config.projects import CONNECTIONS, CUSTOMERS, write_project

MANUAL = """\
database: lake
workspace: plain
schedule: manual
events: {name: order_placed}
query: SELECT id, occurred_at, no AS event_id FROM orders
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


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"REVERSE_ETL_STORAGE_URL": "s3://bucket/files"}, "needs REVERSE_ETL_SECRET where machines share their files"),
        ({"REVERSE_ETL_SECRET": "short"}, "REVERSE_ETL_SECRET has fewer than 16 characters"),
        ({"REVERSE_ETL_STORAGE_URL": "s3://bucket/files", "REVERSE_ETL_SECRET": 32 * "a"}, ""),
        ({}, ""),
    ],
)
def test_a_secret_that_runs_need_here_is_a_problem_of_the_syncs_that_compare(
    syncs: Path, variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its file and line, and not of a sync that compares nothing."""
    (syncs / "orders.yaml").write_text(MANUAL + "changes: {by: compare}\n", encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, out, _ = run(validate)
    line = len(MANUAL.splitlines()) + 1
    assert (2 if words else 0) == code
    assert words in out
    assert bool(words) == out.startswith(f"syncs/orders.yaml:{line}: changes.by: ")
    assert len(out.splitlines()) <= 2
    assert 0 == run(validate, "customers")[0]


def test_json_is_a_list_of_problems(syncs: Path) -> None:
    """Empty where there are none; otherwise each with its place, warnings too, and exit code 2 for errors."""
    assert (0, "[]\n", "") == run(validate, "--json")
    (syncs / "orders.yaml").write_text("databse: shop\n" + MANUAL.partition("\n")[2], encoding="utf-8")
    (syncs / "customers.yaml").write_text(CUSTOMERS.replace(">= {{last", "> {{last"), encoding="utf-8")

    code, out, err = run(validate, "--json")

    assert 2 == code
    left_out = "Left out until the files are mended: orders; customers (syncs/orders.yaml is faulty)."
    assert " ".join(err.split()).startswith(
        f"1 problem found. {left_out} One faulty file stops every sync of its folder"
    )
    problem, warning = json.loads(out)
    assert problem == {
        "file": "syncs/orders.yaml",
        "line": 1,
        "key": "databse",
        "message": "unknown key; did you mean `database`?",
        "severity": "error",
    }
    assert ("syncs/customers.yaml", 13, "query", "warning") == tuple(
        warning[key] for key in ("file", "line", "key", "severity")
    )


def test_problems_go_to_stdout_one_a_line(syncs: Path) -> None:
    """As linters do; their number is for people; markup in a file stays text."""
    (syncs / "customers.yaml").write_text(CUSTOMERS.replace("database: shop", "database: '[red]shop'"))
    (syncs / "orders.yaml").write_text("databse: shop\n" + MANUAL.partition("\n")[2], encoding="utf-8")

    code, out, err = run(validate)

    assert (2, "2 problems found.\nLeft out until the files are mended: customers, orders.\n") == (code, err)
    assert out.splitlines() == [
        "syncs/customers.yaml:2: database: unknown database '[red]shop'; did you mean `shop`?",
        "syncs/orders.yaml:1: databse: unknown key; did you mean `database`?",
    ]


def test_only_the_syncs_asked_for_are_shown_and_count(syncs: Path) -> None:
    """With the problems of what they use in connections.yaml, and of that file as a whole; others are a number."""
    (syncs / "customers.yaml").write_text(CUSTOMERS.replace("database: shop", "database: shpo"), encoding="utf-8")
    code, out, err = run(validate, "orders", "orders", "--json")
    assert (0, "[]\n", True) == (code, out, err.startswith("1 problem in other files. "))
    code, out, err = run(validate, "orders")
    assert (0, "", True) == (code, out, err.startswith("orders: no problems.\n1 problem in other files. "))
    code, out, _ = run(validate, "customers", "orders", "--json")
    assert (2, ["syncs/customers.yaml"]) == (code, [problem["file"] for problem in json.loads(out)])
    with pytest.raises(ConfigError, match="Did you mean orders"):
        run(validate, "order")

    wrong = CONNECTIONS.replace("type: duckdb", "type: duckdb, treads: 4").replace(
        "type: sqlite", "type: sqlite, pth: x"
    )
    (syncs / "connections.yaml").write_text(wrong, encoding="utf-8")
    keys = [problem["key"] for problem in json.loads(run(validate, "orders", "--json")[1])]
    assert ["databases.lake.treads"] == keys
    (syncs / "connections.yaml").write_text(CONNECTIONS + "nothing: here\n", encoding="utf-8")
    keys = [problem["key"] for problem in json.loads(run(validate, "orders", "--json")[1])]
    assert ["nothing"] == keys


def test_the_folder_comes_from_option_or_environment(
    syncs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--syncs`` wins over ``REVERSE_ETL_SYNCS``."""
    other = write_project(tmp_path / "other", {"connections.yaml": CONNECTIONS})
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(other))

    from_environment = run(validate)[2]
    from_option = run(validate, "--syncs", str(syncs))[2]

    assert "0 syncs" in from_environment
    assert "2 syncs" in from_option


def test_a_warning_does_not_stop_anything(syncs: Path) -> None:
    """It is on stdout with the problems."""
    (syncs / "orders.yaml").write_text(MANUAL.replace("FROM orders", "FROM orders MATCH_SOMEHOW {a b}"))

    code, out, err = run(validate)

    assert 0 == code
    assert out.startswith("warning: syncs/orders.yaml:5: query: could not be checked beyond its first words")
    assert "no problems" in err


def test_many_syncs_are_only_counted(syncs: Path) -> None:
    """A thousand lines are no summary."""
    for number in range(50):
        (syncs / f"orders_{number}.yaml").write_text(MANUAL, encoding="utf-8")

    _, _, err = run(validate)

    assert err == "52 syncs, 3 databases, 2 workspaces: no problems.\n"


def test_validating_needs_neither_dagster_nor_drivers_nor_secrets(syncs: Path) -> None:
    """In a process of its own, because here everything is imported already."""
    program = (
        "import sys; from pathlib import Path; from reverse_etl.cli.commands.validate import validate; "
        "validate(None, Path('syncs'), False); "
        "print([name for name in ('dagster', 'psycopg', 'httpx', 'sqlalchemy', 'pandas') if name in sys.modules])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMERIO")}

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)

    assert done.stdout == "[]\n"


def test_the_commands_are_there_before_anything_heavy() -> None:
    """So that help and completion answer at once."""
    heavy = {"dagster", "pydantic", "yaml", "rich", "httpx", "sqlalchemy", "pyarrow"}
    program = f"from reverse_etl.cli import main; import sys; main._register(); print({heavy} & sys.modules.keys())"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "set()\n" == done.stdout


@pytest.mark.parametrize(("which", "expected"), [("sync", sync_schema), ("connections", connections_schema)])
def test_a_schema_is_printed(which: str, expected: Callable[[], dict[str, object]]) -> None:
    """On stdout, as JSON."""
    code, out, err = run(schema, which)

    assert (code, err) == (0, "")
    assert json.loads(out) == expected()


def test_all_schemas_are_written_into_a_folder(tmp_path: Path) -> None:
    """Made when missing; stdout stays empty."""
    code, out, err = run(schema, "--output", str(tmp_path / "a" / "b"))

    assert (code, out) == (0, "")
    assert err.splitlines() == [
        f"Wrote {tmp_path}/a/b/sync.schema.json",
        f"Wrote {tmp_path}/a/b/connections.schema.json",
        f"Wrote {tmp_path}/a/b/dictionary.schema.json",
        f"Wrote {tmp_path}/a/b/defaults.schema.json",
        f"Wrote {tmp_path}/a/b/transform.d.ts",
    ]
    assert json.loads((tmp_path / "a/b/sync.schema.json").read_bytes()) == sync_schema()
    assert json.loads((tmp_path / "a/b/connections.schema.json").read_bytes()) == connections_schema()
    assert json.loads((tmp_path / "a/b/dictionary.schema.json").read_bytes()) == dictionary_schema()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ssl: require", "tls"),
        ("sslmode: verify-full", "tls"),
        ("ssl-mode: require", "tls"),
        ("username: reader", "user"),
        ("dbname: shop", "database"),
        ("hostname: db", "host"),
        ("sslrootcert: ca.pem", "ca_file"),
        ("passwd: x", "password"),
    ],
)
def test_other_tools_words_lead_to_our_keys(written: str, meant: str, syncs: Path) -> None:
    """The key is not ours, and which one is meant is named once: no key is also missing."""
    entry = {"host": "host: db", "database": "database: shop", "user": "user: reader", meant: written}
    database = "\n    ".join(["type: postgres", *entry.values()])
    (syncs / "connections.yaml").write_text(
        f"{CONNECTIONS}databases:\n  other:\n    {database}\n".replace("databases:", "d:", 1)
    )

    lines = run(validate)[1]

    assert f"unknown key; did you mean `{meant}`?" in lines
    assert f".{meant}: is missing" not in lines


def reverse_etl(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell starts it."""
    command = [str(Path(sys.executable).with_name("reverse-etl")), *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.mark.thorough
def test_the_folder_may_stand_before_the_command(syncs: Path, tmp_path: Path) -> None:
    """And wins over the environment there too; behind the command it wins over both."""
    empty = write_project(tmp_path / "empty", {"connections.yaml": CONNECTIONS})
    before = reverse_etl("--syncs", str(syncs), "validate", REVERSE_ETL_SYNCS=str(empty))
    both = reverse_etl("--syncs", str(syncs), "validate", "--syncs", str(empty))
    assert (0, 0) == (before.returncode, both.returncode)
    assert "2 syncs" in before.stderr
    assert "0 syncs" in both.stderr


def test_a_command_is_made_alone_and_all_where_they_are_shown() -> None:
    """What is asked for by its name is; a mistyped name is answered with the names that there are."""
    program = (
        "from reverse_etl.cli import main; import sys; main._register(sys.argv[1]);"
        "print([each.name for each in main.app.registered_commands])"
    )
    done = subprocess.run([sys.executable, "-c", program, "history"], capture_output=True, text=True, check=True)
    assert "['history']\n" == done.stdout
    assert "Did you mean 'history'" in reverse_etl("histori").stderr


def test_version_help_and_completion_are_there(syncs: Path) -> None:
    """`-h` of every command; a shell completes the names of syncs without reading their files."""
    assert reverse_etl("--version").stdout == f"reverse-etl {version('reverse-etl')}\n"
    _register()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        result = CliRunner().invoke(app, [name, "-h"])
        assert (0, True) == (result.exit_code, name in result.stdout), name
        assert "-h" in command.get_help_option_names(command.make_context(name, ["-h"], resilient_parsing=True))
    # Whatever shell runs the tests.
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    assert "complete" in reverse_etl("--show-completion", "bash", **named).stdout
    (syncs / "broken.yaml").write_text("{{{")
    words = {"COMP_WORDS": "reverse-etl run ", "COMP_CWORD": "2", "_REVERSE_ETL_COMPLETE": "complete_bash"}
    assert ["broken", "customers", "orders"] == reverse_etl(**words).stdout.split()
    words |= {"COMP_WORDS": "reverse-etl validate cu"}
    assert ["customers"] == reverse_etl(**words).stdout.split()
