"""A user's own `dg` project with dlt, dbt and our component: one graph, and a sync that starts when its model was made.

dagster-dbt and dlt are no packages of ours, so the project has an environment of its own, from the package index.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from reverse_etl.defs.after import NAME
from reverse_etl_tests.project import WORKSPACE, Project
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("dagster-dbt==0.29.27", "dbt-core>=1.10,<1.12", "dbt-duckdb<1.11"),
    *("dlt[duckdb]", "dagster-dlt==0.29.27", "dagster-dg-cli==1.13.27"),
)
WAIT_S = 240
FILES = {
    "pyproject.toml": """\
[project]
name = "shop_project"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop_project"
code_location_name = "shop"
""",
    "workspace.yaml": """\
load_from:
  - python_module: {module_name: shop_project.definitions, location_name: shop}
""",
    "shop_project/__init__.py": "",
    "shop_project/definitions.py": """\
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
""",
    "shop_project/defs/__init__.py": "",
    "shop_project/defs/syncs/defs.yaml": """\
type: reverse_etl.ReverseEtlComponent
attributes:
  syncs: "{{ context.project_root }}/syncs"
""",
    "shop_project/defs/contacts.py": """\
from pathlib import Path

import dagster as dg
import dlt
from dagster_dlt import DagsterDltResource, DagsterDltTranslator, dlt_assets

SHOP = Path(__file__).parents[2] / "shop.duckdb"


class AsDbtNamesIt(DagsterDltTranslator):
    def get_asset_spec(self, data):
        return super().get_asset_spec(data).replace_attributes(key=dg.AssetKey(["crm", data.resource.name]))


@dlt.source
def crm():
    @dlt.resource(write_disposition="replace")
    def contacts():
        yield [{"id": str(n), "email": f"person{n}@example.com", "plan": "free"} for n in range(3)]

    return contacts


@dlt_assets(
    dlt_source=crm(),
    dlt_pipeline=dlt.pipeline("crm", destination=dlt.destinations.duckdb(str(SHOP)), dataset_name="crm"),
    dagster_dlt_translator=AsDbtNamesIt(),
)
def contacts(context: dg.AssetExecutionContext, dlt_resource: DagsterDltResource):
    yield from dlt_resource.run(context=context)


@dg.definitions
def defs():
    return dg.Definitions([contacts], resources={"dlt_resource": DagsterDltResource()}, executor=dg.in_process_executor)
""",
    "shop_project/defs/models.py": """\
from pathlib import Path

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

DBT = Path(__file__).parents[2] / "jaffle"


@dbt_assets(manifest=DBT / "target" / "manifest.json")
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource):
    yield from dbt.cli(["build"], context=context).stream()


@dg.definitions
def defs():
    return dg.Definitions([models], resources={"dbt": DbtCliResource(project_dir=DBT, profiles_dir=DBT)})
""",
    "jaffle/dbt_project.yml": """\
name: jaffle
version: "1.0"
profile: jaffle
flags: {send_anonymous_usage_stats: false}
models: {jaffle: {+materialized: table}}
""",
    "jaffle/profiles.yml": """\
jaffle:
  target: dev
  outputs:
    dev: {type: duckdb, path: "{{ env_var('SHOP') }}", threads: 1}
""",
    "jaffle/models/sources.yml": "sources: [{name: crm, schema: crm, tables: [{name: contacts}]}]\n",
    "jaffle/models/customers.sql": "SELECT id, email, plan FROM {{ source('crm', 'contacts') }}\n",
    "syncs/customers.yaml": """\
database: shop
workspace: main
schedule: {after: upstream, every: 24h}
people: {identify_by: id}
query_file: customers.sql
""",
    "syncs/customers.sql": "SELECT id, email, plan\nFROM {{ ref('customers') }}\n",
}
SHOP = "  shop:\n    type: duckdb\n    path: ../shop.duckdb\n    dbt: {manifest: ../jaffle/target/manifest.json}\n"
GRAPH = """\
import json
from shop_project.definitions import defs

graph = defs().resolve_asset_graph()
keys = graph.get_all_asset_keys()
print(json.dumps({k.to_user_string(): sorted(p.to_user_string() for p in graph.get(k).parent_keys) for k in keys}))
"""

MAKE = """\
import dagster as dg
from shop_project.definitions import defs

with dg.DagsterInstance.get() as instance:
    made = [dg.AssetKey(["crm", "contacts"]), dg.AssetKey("customers")]
    defs().resolve_implicit_global_asset_job_def().execute_in_process(instance=instance, asset_selection=made)
"""


@dataclass
class Shop:
    """The project, and the programs of its environment."""

    project: Project
    bin: Path

    def command(self, *arguments: str) -> list[str]:
        """A command of the environment."""
        return [str(self.bin / arguments[0]), *arguments[1:]]

    def run(self, *arguments: str) -> str:
        """Its output; it ends well."""
        done = self.project.command(*self.command(*arguments), timeout=WAIT_S)
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with dbt, dlt and this package: hard links to what uv has in its cache."""
    faulthandler.cancel_dump_traceback_later()  # packages that no cache has take as long as the network does
    folder = tmp_path_factory.mktemp("dbt") / "env"
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    install = [uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), *PACKAGES, "-e", str(ROOT)]
    subprocess.run(install, check=True, timeout=900)
    return folder / "bin"


@pytest.fixture
def shop(environment: Path, tmp_path: Path, sandbox: RunningSandbox) -> Shop:
    """The project before anything ran, with dbt's manifest; each program has a limit of its own."""
    faulthandler.cancel_dump_traceback_later()
    project = Project(tmp_path)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    project.write("connections.yaml", f"databases:\n{SHOP}{WORKSPACE.format(url=sandbox.url)}")
    home = tmp_path / "home" / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    project.environment |= {
        "DAGSTER_HOME": str(home),
        "REVERSE_ETL_SYNCS": str(tmp_path / "syncs"),
        "SHOP": str(tmp_path / "shop.duckdb"),
        "PATH": f"{environment}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "DO_NOT_TRACK": "1",
    }
    made = Shop(project, environment)
    made.run("dbt", "parse", "-q", "--project-dir", "jaffle", "--profiles-dir", "jaffle")
    return made


@contextlib.contextmanager
def daemon(shop: Shop) -> Iterator[Path]:
    """Dagster's daemon for the project; its log."""
    log = shop.project.folder / "daemon.log"
    with log.open("w") as output:
        command = shop.command("dagster-daemon", "run", "-w", "workspace.yaml")
        process = subprocess.Popen(
            command,
            cwd=shop.project.folder,
            env=shop.project.env(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        for number in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)


def test_dlt_dbt_and_syncs_are_one_graph(shop: Shop) -> None:
    """`dg` finds nothing wrong with the project; from the resource to people leads one way."""
    shop.run("dg", "check", "defs")
    graph = json.loads(shop.run("python", "-c", GRAPH))
    way = ["crm/contacts", "customers", *(f"customers/customers_{stage}" for stage in ("changeset", "validated"))]
    way += ["customers/customers_delivery", "customerio/main/people"]
    assert [[key] for key in way[:-1]] == [graph[key] for key in way[1:]]


def test_a_sync_starts_when_its_model_was_made(shop: Shop, sandbox: RunningSandbox) -> None:
    """The daemon starts the sync's own job, with its tags, once; everyone arrives."""
    shop.run("python", "-c", MAKE)
    with daemon(shop) as log:
        deadline, pause = time.monotonic() + WAIT_S, threading.Event()
        with dg.DagsterInstance.from_config(shop.project.environment["DAGSTER_HOME"]) as instance:
            runs: list[dg.DagsterRun] = []
            while not (runs and runs[0].is_finished) and time.monotonic() < deadline:
                pause.wait(1)
                runs = list(instance.get_runs(dg.RunsFilter(job_name="customers")))
    assert ["SUCCESS"] == [run.status.value for run in runs], log.read_text()[-3000:]
    assert NAME == runs[0].tags["dagster/sensor_name"]
    assert ("customers", "completed") == (runs[0].tags["reverse_etl/sync"], runs[0].tags["reverse_etl/status"])
    assert {"0", "1", "2"} == {person["id"] for person in sandbox.people()}
