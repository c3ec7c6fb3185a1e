"""Targets on the command line, and the page about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reverse_etl.cli.dagster_home import dagster_environment
from reverse_etl.errors import StateError
from reverse_etl.notify.alert import Alert, Kind
from reverse_etl.state.home import Home
from reverse_etl_tests.project import CREDENTIALS, SHOP, WORKSPACE, Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

PAGE = (Path(__file__).parents[2] / "docs/targets.md").read_text(encoding="utf-8")


def test_what_the_page_shows_is_valid(tmp_path: Path) -> None:
    """For each target; a target is a word of every command, before it and after it."""
    project = Project(tmp_path)
    for name, text in re.findall(r"```yaml\n# syncs/(\S+)\n(.*?)```", PAGE, flags=re.DOTALL):
        project.write(name, text)
    done = project.reverse_etl("validate")
    assert (0, "") == (done.returncode, done.stdout)
    assert "Checked for each target: dev, prod." in done.stderr
    for arguments in (("status", "--target", "prod"), ("--target", "prod", "status")):
        done = project.reverse_etl(*arguments)
        assert (0, "Target prod.") == (done.returncode, done.stderr.splitlines()[0])
    assert 2 == project.reverse_etl("status").returncode


@pytest.mark.thorough
def test_a_targets_runs_are_remembered_for_it_alone(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """What dev has delivered, prod has not."""
    project = Project(tmp_path, dict(CREDENTIALS))
    fill(tmp_path / "shop.db", [("1", "a@example.com", "free"), ("2", "b@example.com", "pro")])
    project.write("connections.yaml", f"databases:\n{SHOP}")
    for target in ("dev", "prod"):
        project.write(f"connections.{target}.yaml", WORKSPACE.format(url=sandbox.url))
    project.write("customers.yaml", people())
    code, report = project.run("customers", "--target", "dev")
    assert (0, 2) == (code, report["rows"]["delivered"])
    _, again = project.run("customers", "--target", "dev")
    assert 0 == again["rows"]["extracted"]
    code, report = project.run("customers", "--target", "prod")
    assert (0, 2) == (code, report["rows"]["delivered"])
    assert (tmp_path / "home/targets/dev/state.db").exists()
    assert not (tmp_path / "home/state.db").exists()


def test_a_dagster_home_is_one_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is the user's own: the second target is refused."""
    (own := tmp_path / "dagster").mkdir()
    for name in ("REVERSE_ETL_SYNCS", "REVERSE_ETL_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DAGSTER_HOME", str(own))
    monkeypatch.setenv("REVERSE_ETL_TARGET", "dev")
    dagster_environment(Home.at(tmp_path / "dev"), tmp_path)
    dagster_environment(Home.at(tmp_path / "dev"), tmp_path)
    monkeypatch.setenv("REVERSE_ETL_TARGET", "prod")
    with pytest.raises(StateError, match="DAGSTER_HOME is that of the target dev, and REVERSE_ETL_TARGET is prod"):
        dagster_environment(Home.at(tmp_path / "prod"), tmp_path)


def test_an_alert_names_the_target_and_the_command_for_it() -> None:
    """In the headline, as JSON, and where the next command is; without a target nothing is added."""
    alert = Alert(Kind.FAILURE, "people", "main", "people: failed", next="reverse-etl history people")
    sent = alert.of_target("prod")
    assert ("[prod] people: failed", "reverse-etl history people --target prod") == (sent.headline, sent.next)
    assert "prod" == sent.as_json()["target"]
    assert alert is alert.of_target("")
