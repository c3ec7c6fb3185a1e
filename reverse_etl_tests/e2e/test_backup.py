"""A back-up as `docs/deploy.md` makes it, restored to an empty server and an empty home folder: syncs go on."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator

import pytest

from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.deployment import DEPLOY
from reverse_etl_tests.servers.postgres import PASSWORD, USER, PostgresServer, postgres
from reverse_etl_tests.servers.sandbox import RunningSandbox

__all__ = ["postgres"]

pytestmark = pytest.mark.thorough

PAGE = (DEPLOY.parent / "docs" / "deploy.md").read_text(encoding="utf-8")
ROWS = [(str(number), f"p{number}@example.com", "free") for number in range(1, 21)]


@pytest.fixture
def deployment(project: Project, postgres: PostgresServer) -> Iterator[Project]:
    """State and Dagster's tables in one database of a server; a sync that compares."""
    name = f"deployed_{os.getpid()}"
    _empty(postgres, name)
    home = project.folder / "home"
    (home / "dagster").mkdir(parents=True, exist_ok=True)
    shutil.copy(DEPLOY / "dagster.postgres.yaml", home / "dagster" / "dagster.yaml")
    project.environment |= {
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_PG_HOST": "127.0.0.1",
        "DAGSTER_PG_PORT": str(postgres.port),
        "DAGSTER_PG_USER": USER,
        "DAGSTER_PG_PASSWORD": PASSWORD,
        "DAGSTER_PG_DB": name,
        "REVERSE_ETL_STATE_URL": f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{postgres.port}/{name}",
    }
    fill(project.folder / "shop.db", ROWS)
    query = "SELECT id, email, plan FROM customers"
    project.write("compared.yaml", people(query, "changes: {by: compare}\n"))
    yield project
    with postgres.admin("postgres") as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _empty(postgres: PostgresServer, name: str) -> None:
    with postgres.admin("postgres") as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name} OWNER {USER}")


def told(heading: str) -> list[str]:
    """The commands of a part of the page that need no systemd."""
    part = PAGE.partition(f"\n### {heading}\n")[2].partition("\n#")[0]
    return re.findall(r"^\$ (.+)$", part, flags=re.MULTILINE)


def follow(project: Project, heading: str) -> None:
    """Does what the page says."""
    commands = told(heading)
    assert 2 == len(commands)
    for command in commands:
        done = project.command("sh", "-c", command)
        assert (0, "") == (done.returncode, done.stderr), command


def states(project: Project) -> list[dict[str, object]]:
    """What `status` says of each sync; not how long ago, nor whether a daemon runs."""
    found = json.loads(project.reverse_etl("status", "--json").stdout)
    return [{key: value for key, value in each.items() if key != "freshness"} for each in found]


def batches(sandbox: RunningSandbox) -> int:
    """How many requests have sent something."""
    return sum(each["path"].endswith("/batch") for each in sandbox.requests())


def test_what_was_backed_up_goes_on(deployment: Project, postgres: PostgresServer, sandbox: RunningSandbox) -> None:
    """The same status, history and Dagster runs; the next runs send what is new since then, and nothing again.

    Without the files a sync that compares sends everything once more, and removes nobody.
    """
    assert 0 == deployment.run("compared")[0]
    before = states(deployment)
    history = deployment.reverse_etl("history", "compared", "--json").stdout
    follow(deployment, "Back-up")
    _empty(postgres, deployment.environment["DAGSTER_PG_DB"])
    home = deployment.folder / "home"
    kept = (home / "dagster" / "dagster.yaml").read_text()
    shutil.rmtree(home)
    (home / "dagster").mkdir(parents=True)
    (home / "dagster" / "dagster.yaml").write_text(kept)
    follow(deployment, "Restore")
    assert before == states(deployment)
    assert history == deployment.reverse_etl("history", "compared", "--json").stdout
    with postgres.admin(deployment.environment["DAGSTER_PG_DB"]) as admin:
        assert [("SUCCESS", 1)] == admin.execute("SELECT status, count(*) FROM runs GROUP BY status").fetchall()
    fill(deployment.folder / "shop.db", [*ROWS, ("21", "p21@example.com", "free")])
    sent = batches(sandbox)
    code, report = deployment.run("compared")
    assert (0, 1, 20) == (code, report["rows"]["delivered"], report["rows"]["unchanged"])
    assert 1 == batches(sandbox) - sent
    for path in home.iterdir():
        if path.name != "dagster":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    code, report = deployment.run("compared")
    assert (0, 21, 21) == (code, report["rows"]["delivered"], len(sandbox.people()))
