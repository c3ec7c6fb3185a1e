"""``make bench-peers``: the same table to the same sink by ``drt run``, in turn with ``reverse-etl run``.

drt has no destination for Customer.io; its REST destination posts to the batch endpoint, without drt's rate limit (10
requests a second where none is set): with its own batches of 100 rows, and with as many rows as fill a request. uv
installs it in an environment of its own for as long as it is measured.

Source: pypi.org/project/drt-core/1.2.1, ``drt.destinations.rest_api``, ``drt.config.sync_options``.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from reverse_etl_tests.benchmarks.drt import VERSION
from reverse_etl_tests.benchmarks.whole import figures, page
from reverse_etl_tests.benchmarks.whole.cases import PEERS, QUERY, Case
from reverse_etl_tests.benchmarks.whole.child import ChildError, end_in_order, ran
from reverse_etl_tests.benchmarks.whole.runs import Server, prepared, servers, taken, whole
from reverse_etl_tests.benchmarks.whole.sink import Sink
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.postgres import DATABASE, USER

_PROJECT: Final = "name: bench\nprofile: shop\n"
_PROFILE: Final = """\
shop: {{type: postgres, host: localhost, port: {port}, dbname: {database}, user: {user}, password_env: {variable}}}
"""
_SYNC: Final = """\
name: people
model: {query}
destination:
  type: rest_api
  url: {url}/api/v2/batch
  method: POST
  headers: {{Content-Type: application/json}}
  body_mode: batch
  batch_template: >-
    {{"batch":[{{% for row in rows %}}{{"type":"person","identifiers":{{"id":{{{{ row.id | tojson_safe }}}}}},"action":"identify",
    "attributes":{{{{ row | tojson_safe }}}}}}{{{{ "," if not loop.last }}}}{{% endfor %}}]}}
sync:
  mode: full
  batch_size: {batch}
  rate_limit: {{requests_per_second: 0}}
"""  # noqa: E501


def installed(folder: Path) -> Path:
    """Its command, in a new environment. Raises ChildError."""
    uv = str(Path(sys.executable).with_name("uv"))
    python = folder / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), f"drt-core[postgres]=={VERSION}"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ChildError(f"drt {VERSION} cannot be installed: {reason}")
    return folder / "bin" / "drt"


def configured(project: Project, sink: Sink, server: Server, batch: int) -> None:
    """Its project and its profile, beside ours."""
    folder = project.folder / "drt"
    variable = next(iter(server.password))
    profile = _PROFILE.format(port=server.running.port, database=DATABASE, user=USER, variable=variable)
    texts = {
        folder / "drt_project.yml": _PROJECT,
        folder / "syncs" / "people.yml": _SYNC.format(query=QUERY, url=sink.url, batch=batch),
        project.folder / ".drt" / "profiles.yml": profile,
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def drt_run(command: Path, project: Project, sink: Sink, case: Case) -> dict[str, float]:
    """One ``drt run``. Raises ChildError."""
    sink.begin()
    environment = project.env() | {"HOME": str(project.folder), "DO_NOT_TRACK": "1", "NO_PROXY": "127.0.0.1"}
    done = ran([str(command), "run"], folder=project.folder / "drt", environment=environment, json_out=False)
    return taken(done, sink, case)


def compared(
    case: Case, batch: int, command: Callable[[], Path], server: Callable[[str], Server], runs: int
) -> dict[str, Any]:
    """Both commands in turn; what fails is an ``error`` beside what was measured before."""
    found: dict[str, Any] = dataclasses.asdict(case)
    found |= {"version": VERSION, "batch": batch, "drt": [], "runs": [], "error": ""}
    try:
        with prepared(case, server(case.engine)) as (project, sink):
            configured(project, sink, server(case.engine), batch)
            for _ in range(min(runs, case.most_runs)):
                found["drt"].append(drt_run(command(), project, sink, case))
                found["runs"].append(whole(project, sink, case))
    except (ChildError, OSError, RuntimeError, TimeoutError) as error:
        found["error"] = (str(error).splitlines() or ["no reason given"])[0]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures each case with each size of batch."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each case (3)")
    options = parser.parse_args(arguments)
    end_in_order()
    with tempfile.TemporaryDirectory() as folder, servers() as server:
        made: list[Path] = []

        def command() -> Path:
            if not made:
                made.append(installed(Path(folder) / "drt"))
            return made[0]

        for name, (case, batch) in PEERS.items():
            found = compared(case, batch, command, server, options.runs)
            figures.keep("peers", {name: found})
            page.write()
            print(f"{name}: {case.label}, {batch:,} rows a request: {found['error'] or 'done'}", flush=True)


if __name__ == "__main__":
    main()
