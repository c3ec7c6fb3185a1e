"""`doctor`: what is wrong is in it, with what to do; what is secret or private is not."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from reverse_etl_tests.project import SHOP, Project, people

SECRETS = {
    "CUSTOMERIO_SITE_ID": "planted-site",
    "CUSTOMERIO_TRACK_API_KEY": "planted-key",
    "CUSTOMERIO_APP_API_KEY": "planted-app",
    "REVERSE_ETL_SECRET": "planted-secret-of-sixteen-bytes",
    "HTTPS_PROXY": "http://user:planted-proxy@proxy.internal:3128",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A sync that could run."""
    project = Project(tmp_path, dict(SECRETS))
    project.connections(SHOP, "https://planted-host.internal")
    project.write("customers.yaml", people())
    return project


def found(project: Project) -> tuple[int, dict[str, tuple[str, str | None]], str]:
    """The exit code, each finding's value and problem, and everything that was printed."""
    done = project.reverse_etl("doctor", "--json")
    entries = {entry["name"]: (entry["value"], entry["problem"]) for entry in json.loads(done.stdout)}
    return done.returncode, entries, done.stdout + done.stderr


def test_what_is_right_is_reported_without_secrets(project: Project) -> None:
    """Versions, drivers, settings by name, files, state: no value of a variable, no host, no user's name."""
    project.environment["HOME"] = str(project.folder)
    code, entries, printed = found(project)
    assert (0, []) == (code, [name for name, (_, problem) in entries.items() if problem])
    assert "planted" not in printed
    assert "internal" not in printed
    assert str(project.folder) not in printed
    assert ("set", None) == entries["REVERSE_ETL_SECRET"] == entries["HTTPS_PROXY"]
    assert ("1 to customerio", None) == entries["syncs"]
    assert ("1 sqlite", None) == entries["databases"]
    assert entries["extra postgres"][0].startswith("dagster-postgres ")
    assert "all set" == entries["variables of connections"][0]
    assert "none yet" == entries["newest runs"][0]
    assert ("as shipped, from the first run on", None) == entries["settings"]
    assert entries["home folder"][0].startswith("~/home, ")
    # No fault, and no surprise beside "Nothing is wrong here": who is to start them, or may, is said with it.
    assert ("does not run. Note: due runs start only while it does, as under reverse-etl ui", None) == entries["daemon"]


def test_each_fault_is_named_with_the_next_step(project: Project) -> None:
    """A variable without a value, a faulty file, a folder that is not there, a state that is damaged."""
    del project.environment["CUSTOMERIO_SITE_ID"]
    project.environment["CUSTOMERIO_SITE_ID"] = ""
    code, entries, _ = found(project)
    assert (2, "the environment variable CUSTOMERIO_SITE_ID is empty (syncs/connections.yaml:7)") == (
        code,
        entries["variables of connections"][1],
    )
    project.write("faulty.yaml", "query: 1\n")
    code, entries, _ = found(project)
    assert (2, "see them: reverse-etl validate") == (code, entries["syncs"][1])
    (project.folder / "home/state.db").write_bytes(b"no database" * 1000)
    (project.folder / "syncs/faulty.yaml").unlink()
    project.environment |= SECRETS
    code, entries, _ = found(project)
    assert 6 == code
    assert "is damaged, or is not a state database" in str(entries["state"][1])
    done = project.reverse_etl("doctor", "--syncs", "elsewhere")
    assert 2 == done.returncode
    assert "✗ there is no folder elsewhere" in done.stdout


def test_a_state_that_cannot_be_reached_keeps_its_address(project: Project) -> None:
    """The report goes into bug reports: no host, no name of a database, no user."""
    project.environment["REVERSE_ETL_STATE_URL"] = "postgresql://planted-user:planted@127.0.0.7:1/planted-name"
    code, entries, printed = found(project)
    assert (6, True) == (code, str(entries["state"][1]).startswith("the state database cannot be reached."))
    assert [] == [word for word in ("planted", "127.0.0.7") if word in printed]


@pytest.mark.parametrize(
    ("launcher", "wrong"),
    [("{module: nowhere, class: X}", True), ("{module: dagster, class: DefaultRunLauncher}", False)],
)
def test_a_launcher_that_cannot_be_loaded_is_found_before_a_run_is_due(
    project: Project, launcher: str, wrong: bool
) -> None:
    """Dagster loads it with its first run; `run` on this machine needs none."""
    text = (files("reverse_etl.defs") / "dagster.yaml").read_text()
    own = project.folder / "home" / "dagster" / "dagster.yaml"
    own.parent.mkdir(parents=True)
    named = "class: HeartbeatRunLauncher"
    own.write_text(text.replace(named, f"{named}\n  config: {{launcher: {launcher}}}"))
    project.environment["HOME"] = str(project.folder)
    code, entries, _ = found(project)
    said = "run_launcher of ~/home/dagster/dagster.yaml cannot be loaded: CheckError. See that its module, class and "
    expected = (6, ("cannot be loaded", f"{said}config are right, and that what they need is installed."))
    assert (expected if wrong else (0, ("can be loaded", None))) == (code, entries["launcher"])


def test_a_dagster_home_without_settings_is_wrong(project: Project) -> None:
    """Dagster would take its own: runs of one workspace would get into each other's way."""
    own = project.folder / "dagster"
    own.mkdir()
    project.environment["DAGSTER_HOME"] = str(own)
    code, entries, _ = found(project)
    lacking = "run_coordinator, run_launcher, concurrency, run_monitoring, python_logs"
    to_do = "add them as in reverse_etl/defs/dagster.yaml, which reverse-etl ships, or unset DAGSTER_HOME"
    assert (6, ("none", f"dagster.yaml lacks {lacking}: {to_do}")) == (code, entries["settings"])


def test_the_version_is_a_command_too(project: Project) -> None:
    """As the option."""
    assert project.reverse_etl("--version").stdout == project.reverse_etl("version").stdout


def test_without_a_target_it_says_that_one_must_be_chosen(project: Project) -> None:
    """`validate`, which checks all of them, would find nothing wrong."""
    project.write("connections.dev.yaml", "workspaces: {}\n")
    code, entries, _ = found(project)
    assert (2, "choose a target with --target or REVERSE_ETL_TARGET") == (code, entries["syncs"][1])
