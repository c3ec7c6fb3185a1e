"""100,000 people of 10 columns, PostgreSQL to the sandbox, in one `reverse-etl run`: rows/s and peak memory.

The peak is the whole process's, as the operating system counted it; a run of five times the rows beside it shows
whether memory grows with the rows, and the same once more with what other machines need put into a folder and into S3.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.postgres import (
    DATABASE,
    INSTALL,
    PASSWORD,
    PASSWORD_VARIABLE,
    USER,
    find_binaries,
    postgres_server,
)
from reverse_etl_tests.servers.s3 import running_s3
from reverse_etl_tests.servers.sandbox import running_sandbox

ROWS = 100_000
MORE_ROWS = 5 * ROWS

SYNC = """\
database: shop
workspace: main
schedule: manual
people: {identify_by: id}
query: |
  SELECT * FROM people WHERE number <= %s AND {{last_sync_time}} >= 0
"""

CONNECTION = f"""\
  shop:
    type: postgres
    host: {{server.host}}
    port: {{server.port}}
    database: {DATABASE}
    user: {USER}
    password: ${{{{{PASSWORD_VARIABLE}}}}}
    ca_file: {{server.ca_file}}
"""

TABLE = """
CREATE TABLE people AS
SELECT 'c' || g AS id, 'user' || g || '@example.com' AS email, 'First' || (g %% 5000) AS first_name,
       'Last' || (g %% 9000) AS last_name, (g %% 90)::int AS age, ((g %% 100000) / 100.0)::numeric(12,2) AS balance,
       g * 0.0012345::float8 AS score, g %% 2 = 0 AS active, to_timestamp(1700000000 + g) AS created_at, g AS number
FROM generate_series(1, %s) AS g
"""


def measured_run(project: Project, sync: str, *, full: bool = True) -> dict[str, float]:
    """Runs one sync as a child and reads its wall clock seconds and peak memory (MB)."""
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("reverse-etl")), "run", sync, "--json", *(["--full"] if full else [])]
    read, write = os.pipe()
    pid = os.posix_spawn(
        command[0],
        command,
        project.env(),
        file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)],
    )
    os.close(write)
    with os.fdopen(read) as stdout:
        report = json.load(stdout)
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, report
    return {
        "rows": report["rows"]["delivered"],
        "run_s": report["duration_s"],
        "command_s": time.perf_counter() - began,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def main() -> None:
    """Prints one line per size, and the growth."""
    binaries = find_binaries()
    if binaries is None:
        sys.exit(INSTALL)
    with tempfile.TemporaryDirectory() as folder, postgres_server(binaries) as server, running_sandbox() as sandbox:
        project = Project(Path(folder), {PASSWORD_VARIABLE: PASSWORD})
        with server.admin() as admin:
            admin.execute(TABLE % MORE_ROWS)
        project.connections(CONNECTION.format(server=server), sandbox.url)
        os.chdir(folder)
        results = {}
        for rows in (ROWS, MORE_ROWS):
            project.write(f"people_{rows}.yaml", SYNC % rows)
        for rows in (ROWS, MORE_ROWS):
            results[rows] = measured_run(project, f"people_{rows}")
            r = results[rows]
            print(
                f"{rows:>8,} people x 10 columns: {r['rows'] / r['run_s']:>9,.0f} rows/s in the run "
                f"({r['run_s']:.2f} s; whole command {r['command_s']:.2f} s), peak {r['peak_mb']:.0f} MB"
            )
        growth = results[MORE_ROWS]["peak_mb"] / results[ROWS]["peak_mb"] - 1
        print(f"memory, 5 times the rows: {growth:+.0%}")
        with running_s3() as s3:
            for place in ({"REVERSE_ETL_STORAGE_URL": f"{folder}/shared"}, s3.env("bench")):
                project.environment |= place
                shared = measured_run(project, f"people_{MORE_ROWS}")
                print(
                    f"the same, {shared['rows']:,.0f} people, shared in {place['REVERSE_ETL_STORAGE_URL']}: "
                    f"{shared['run_s'] / results[MORE_ROWS]['run_s']:.2f} x the time, peak {shared['peak_mb']:.0f} MB"
                )
        assert MORE_ROWS == sandbox.counts()["people"], "not everyone arrived"


if __name__ == "__main__":
    main()
