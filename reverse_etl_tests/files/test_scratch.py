"""What DuckDB computes for a command leaves stdout to the command's report."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from reverse_etl_tests.test_house_rules import MODULES, PACKAGE, parsed

SHOWN = "current_setting('enable_progress_bar')"
OPENED = {
    "the source": """
from reverse_etl.sources import connect
from reverse_etl.sources.duckdb import Config
config = Config(name="lake", path=folder / "lake.duckdb")
with connect(config) as session, connect(config):
    shown += session._connection.execute(f"SELECT {SHOWN}").fetchone()
    for batch in session.stream(f"SELECT {SHOWN} AS shown"):
        shown += batch.column(0).to_pylist()
""",
    "checks and comparisons": """
from reverse_etl.files.scratch import scratch_in
with scratch_in(folder / "scratch") as database:
    shown += database.execute(f"SELECT {SHOWN}").fetchone()
""",
    "what failed before": """
from reverse_etl.changeset.again import FailedBefore
from reverse_etl.changeset.failed_rows_csv import write_failed_rows
write_failed_rows(folder / "failed.csv", [])
with FailedBefore("r1", folder / "failed.csv").opened() as database, database.cursor() as cursor:
    shown += [*database.execute(f"SELECT {SHOWN}").fetchone(), *cursor.execute(f"SELECT {SHOWN}").fetchone()]
""",
    "the mirror": """
import pyarrow as pa, pyarrow.parquet as pq
from reverse_etl.destinations.customerio.mirror import _compared
nobody = pa.table({name: pa.array([], pa.string()) for name in ("identifier", "cio_id", "key")})
for name in ("members", "returned"):
    pq.write_table(nobody, folder / f"{name}.parquet")
with _compared(folder) as database:
    shown += [*database.execute(f"SELECT {SHOWN}").fetchone(), *database.cursor().execute(f"SELECT {SHOWN}").fetchone()]
""",
}


@pytest.mark.thorough
@pytest.mark.parametrize("opens", OPENED.values(), ids=OPENED)
def test_no_connection_shows_its_progress(opens: str, tmp_path: Path) -> None:
    """Also where DuckDB takes the process for one that a person types into, and shows it unless set otherwise."""
    duckdb.connect(tmp_path / "lake.duckdb").close()
    start = f"""
import sys, duckdb
from pathlib import Path
folder, SHOWN, shown = Path({str(tmp_path)!r}), {SHOWN!r}, []
before = duckdb.connect().execute(f"SELECT {{SHOWN}}").fetchone()
"""
    program = f"{start}{opens}\nprint(before, shown)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, _, found = done.stdout.strip().partition(" ")
    assert before == "(True,)"
    assert set(ast.literal_eval(found)) == {False}


def test_connections_are_made_in_one_place() -> None:
    """Nobody opens a database past the module that keeps it quiet, but the sample, which knows nothing of ours."""
    openers = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if "duckdb.connect" in path.read_text(encoding="utf-8")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "duckdb.connect"
    }
    assert openers == {"files/scratch.py", "demo/health.py"}
