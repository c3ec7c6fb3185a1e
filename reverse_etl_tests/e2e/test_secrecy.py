"""No credential and no row value is left anywhere but where rows are kept: every file and table is searched."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reverse_etl_tests.e2e.test_postgres import connection
from reverse_etl_tests.project import SHOP, Project, people
from reverse_etl_tests.servers.postgres import PASSWORD, PASSWORD_VARIABLE, USER, PostgresServer, postgres
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox

pytestmark = pytest.mark.thorough

__all__ = ["postgres"]

KEYS = {
    "CUSTOMERIO_SITE_ID": "planted-site-id",
    "CUSTOMERIO_TRACK_API_KEY": "planted-track-key",
    "CUSTOMERIO_APP_API_KEY": "planted-app-key",
}
WRONG = "planted-wrong-password"
SECRETS = (*KEYS.values(), PASSWORD, WRONG)
VALUE = "kumquat"
MAIL = "quince"
"""Words in the attributes and in the addresses of the rows, and in nothing else."""

ECHO = f"{VALUE} four of {MAIL}4@example.com cannot be taken"

SPOKEN = f"{VALUE}<b>/five"
SPELLINGS = [
    f"{VALUE}\\u003cb\\u003e/five",
    f"{VALUE}<b>\\/five",
    f"{VALUE}%3Cb%3E%2Ffive",
    f"{VALUE}&lt;b&gt;&#x2F;five",
    SPOKEN.upper(),
    SPOKEN.title(),
    f"{VALUE[:5]}...",
    f"'{VALUE[:6]}…'",
    "".join(f"\\u{ord(letter):04x}" for letter in VALUE),
    "".join(f"%{ord(letter):02X}" for letter in VALUE),
    "".join(f"&#{ord(letter)};" for letter in VALUE),
]
"""A value as a workspace may repeat it: escaped for JSON, for addresses, for HTML, in another case, shortened."""

PIECES = (
    VALUE[:5],
    f"\\u{ord(VALUE[0]):04x}",
    f"%{ord(VALUE[0]):02x}%{ord(VALUE[1]):02x}",
    f"&#{ord(VALUE[0])};",
    "u003c",
    "%3cb%3e",
    "&lt;",
)
"""What tells one of the spellings, in lower case: long enough that compressed bytes are not one by chance."""


@pytest.fixture
def guarded() -> Iterator[RunningSandbox]:
    """A workspace with credentials of its own, which tells items' own values in its refusals."""
    site_id, track_key, app_key = KEYS.values()
    with running_sandbox(site_id=site_id, track_api_key=track_key, app_api_key=app_key) as sandbox:
        yield sandbox


def places(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Everything that is kept: each file as it is, and each value of each table, with the file that it is in."""
    for path in sorted(home.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        yield path, content
        if content.startswith(b"SQLite format 3"):
            with closing(sqlite3.connect(path)) as database:
                tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                for (table,) in tables:
                    for row in database.execute(f'SELECT * FROM "{table}"'):
                        yield path, " ".join(map(str, row)).encode()
        elif path.suffix == ".parquet":
            yield path, repr(pq.read_table(path, memory_map=False).to_pylist()).encode()


def holding(word: str, home: Path) -> set[str]:
    """Names of the files with a word in them, numbers left out."""
    found = {path for path, content in places(home) if word.encode() in content.lower()}
    return {path.name if path.suffix != ".csv" else "failed_rows.csv" for path in found}


def test_planted_secrets_and_values_are_nowhere(
    project: Project, guarded: RunningSandbox, postgres: PostgresServer
) -> None:
    """After runs that end in five ways: in no output, event, table or file but the rows' own, which are private."""
    with postgres.admin() as admin:
        admin.execute("DROP TABLE IF EXISTS secretive")
        admin.execute("CREATE TABLE secretive (id text, email text, plan text)")
        for number, (mail, plan) in enumerate(
            [
                (f"{MAIL}1@example.com", f"{VALUE} one"),
                (f"{MAIL} is no address", f"{VALUE} two"),
                (f"{MAIL}3@example.com", VALUE * 200),
                (f"{MAIL}4@example.com", f"{VALUE} four"),
            ],
            start=1,
        ):
            admin.execute("INSERT INTO secretive VALUES (%s, %s, %s)", (str(number), mail, plan))
        admin.execute(f"GRANT SELECT ON secretive TO {USER}")
    project.environment |= {**KEYS, PASSWORD_VARIABLE: PASSWORD, "REVERSE_ETL_RETRY_BUDGET_S": "0"}
    project.connections(connection(postgres), guarded.url)
    listed = f"{{query: \"SELECT '{MAIL}5@example.com' AS email\"}}"
    keys = f"identify_by: email, suppression_list: {listed}"
    by_mail = people("SELECT email, plan FROM secretive").replace("identify_by: id", keys)
    project.write("people.yaml", people("SELECT id, email, plan FROM secretive"))
    project.write("by_mail.yaml", by_mail)
    project.write("broken.yaml", people("SELECT id, email, plan::int AS plan FROM secretive"))
    said = []

    def run(code: int, *command: str) -> None:
        done = project.reverse_etl(*command)
        assert code == done.returncode, done.stderr
        said.append(done.stdout + done.stderr)

    batch = {"path": "/api/v2/batch"}
    refuse = {"ids": ["4", f"{MAIL}4@example.com"], "field": "plan", "message": ECHO}
    guarded.faults([{"match": batch, "times": 2, "do": {"refuse_items": refuse}}])
    run(7, "run", "people", "--verbose")
    run(7, "run", "by_mail", "--json")
    run(3, "run", "broken", "--verbose")
    guarded.faults([{"match": batch, "do": {"status": 500, "body": f"{ECHO} {KEYS}"}}])
    run(5, "run", "people", "--verbose")
    guarded.faults([{"match": batch, "do": {"status": 401, "body": f"{ECHO} {KEYS}"}}])
    run(5, "run", "people", "--verbose")
    project.environment[PASSWORD_VARIABLE] = WRONG
    run(3, "run", "by_mail", "--full", "--verbose")
    run(0, "errors", "by_mail", "--json")
    run(0, "history", "people", "--json")

    everything = " ".join(said).lower()
    assert [] == [word for word in (*SECRETS, VALUE, MAIL) if word in everything]
    home = project.folder / "home"
    assert {secret: set() for secret in SECRETS} == {secret: holding(secret, home) for secret in SECRETS}
    assert {"part-000000.parquet"} == holding(VALUE, home)
    kept = {
        "part-000000.parquet",
        "suppressed.parquet",
        "failed-check.parquet",
        "failed-delivery.parquet",
        "failed_rows.csv",
    }
    assert kept == holding(MAIL, home)
    for path in (home / "failed_rows").rglob("*.csv"):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                assert MAIL not in "".join(text for name, text in row.items() if name != "identifier")
    ours = [path for path in home.rglob("*") if path.is_file() and home / "dagster" not in path.parents]
    assert {} == {path.name: oct(path.stat().st_mode) for path in ours if path.stat().st_mode & 0o077}
    assert 0o700 == home.stat().st_mode & 0o777


def test_a_value_in_another_spelling_is_nowhere_either(project: Project, guarded: RunningSandbox) -> None:
    """Escaped, in another case or shortened, in a message, a reason or a field: in no output, file or table."""
    rows = " UNION ALL ".join(f"SELECT '{number}' AS id, '{SPOKEN}' AS plan" for number in range(len(SPELLINGS)))
    project.environment |= KEYS
    project.connections(SHOP, guarded.url)
    project.write("people.yaml", people(rows))
    refusals = [
        {
            "match": {"path": "/api/v2/batch"},
            "do": {
                "refuse_items": {"ids": ["0"], "field": spelling, "reason": spelling, "message": f"{spelling} is bad"}
            },
        }
        for spelling in SPELLINGS
    ]
    said = []
    for refusal in refusals:
        guarded.faults([refusal])
        done = project.reverse_etl("run", "people", "--full", "--verbose")
        assert 7 == done.returncode, done.stderr
        said.append(done.stdout + done.stderr)
    said.append(project.reverse_etl("errors", "people", "--json").stdout)
    everything = " ".join(said).lower()
    assert "is bad" in everything
    assert [] == [piece for piece in PIECES if piece in everything]
    home = project.folder / "home"
    assert {"part-000000.parquet"} == holding(VALUE, home)
    kept = {piece: holding(piece, home) - {"part-000000.parquet"} for piece in PIECES}
    assert {piece: set() for piece in PIECES} == kept
