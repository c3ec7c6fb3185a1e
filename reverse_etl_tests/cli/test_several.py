"""`run --all`: several syncs one after the other, and how they ended together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reverse_etl.cli.confirmed import NotConfirmed
from reverse_etl.cli.project import sync_named
from reverse_etl.cli.several import Ended, chosen, left_out, run_each, show_all, worst
from reverse_etl.cli.words import console
from reverse_etl.config.loader import load_project, load_runnable
from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.errors import ConfigError, StateError, UnsetVariableError
from reverse_etl.report import RunReport, Status
from reverse_etl_tests.leaving_out import leaves_out
from reverse_etl_tests.project import SHOP, Project, people


@pytest.fixture
def project(tmp_path: Path) -> ProjectConfig:
    """Three syncs to `main`, one to `other`."""
    folder = Project(tmp_path)
    folder.connections(SHOP)
    connections = tmp_path / "syncs" / "connections.yaml"
    text = connections.read_text()
    connections.write_text(text + text.partition("workspaces:\n")[2].replace("  main:", "  other:"))
    for name in ("c", "a", "b"):
        folder.write(f"{name}.yaml", people())
    folder.write("elsewhere.yaml", people().replace("workspace: main", "workspace: other"))
    return load_project(tmp_path / "syncs")


def report(sync: str, status: Status, exit_code: int = 0) -> RunReport:
    """A run."""
    return RunReport(sync, f"run-{sync}", status, datetime(2026, 1, 5, tzinfo=UTC), exit_code=exit_code)


def test_the_syncs_of_a_destination_or_all_by_name(project: ProjectConfig) -> None:
    """One that is not there is named with its nearest."""
    assert ["a", "b", "c", "elsewhere"] == [sync.name for sync in chosen(project, "")]
    assert ["elsewhere"] == [sync.name for sync in chosen(project, "other")]
    with pytest.raises(ConfigError, match="no workspace or destination named othr") as raised:
        chosen(project, "othr")
    assert "Did you mean other?" in str(raised.value)


def test_one_after_the_other_whatever_becomes_of_each(project: ProjectConfig) -> None:
    """Paused ones are left out; one that cannot begin is reported; Ctrl-C ends the rest."""
    began: list[str] = []

    def run(sync: SyncConfig) -> RunReport:
        began.append(sync.name)
        if sync.name == "a":
            raise UnsetVariableError("TOKEN is not set.")
        return report(sync.name, Status.CANCELED, 130)

    ended = list(run_each(chosen(project, ""), run, {"b"}, console(stderr=True)))
    assert (["a", "c"], ["failed", "paused", "canceled"]) == (began, [each.status for each in ended])
    assert (130, None) == (worst(ended), ended[1].as_json()["message"])
    assert {"sync": "a", "status": "failed", "exit_code": 2} == {
        key: value for key, value in ended[0].as_json().items() if key != "message"
    }
    assert ended[0].as_json()["message"].endswith("a.yaml): TOKEN is not set.")


def test_a_no_is_about_one_sync(project: ProjectConfig, capsys: pytest.CaptureFixture[str]) -> None:
    """Whose old events are not confirmed sends nothing, which is an end with an error; the others run."""

    def run(sync: SyncConfig) -> RunReport:
        if sync.name == "a":
            raise NotConfirmed
        return report(sync.name, Status.COMPLETED)

    ended = list(run_each(chosen(project, ""), run, {"b"}, console(stderr=True)))
    assert ["failed", "paused", "completed", "completed"] == [each.status for each in ended]
    assert worst(ended) == 1
    assert "its old events were not confirmed, so nothing of it was sent." in " ".join(capsys.readouterr().err.split())


def test_a_sync_runs_after_those_that_it_names_and_not_without_them(
    project: ProjectConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """What did not deliver keeps those that run after it from running, and says so; a paused one does not."""
    folder = Project(project.directory.parent)
    for name, after in {"a": "c", "b": "a", "elsewhere": "d"}.items():
        workspace = "other" if name == "elsewhere" else "main"
        text = people().replace("schedule: manual", f"schedule: {{after: {after}}}")
        folder.write(f"{name}.yaml", text.replace("workspace: main", f"workspace: {workspace}"))
    folder.write("d.yaml", people())
    syncs = chosen(load_project(project.directory), "")
    assert ["c", "a", "b", "d", "elsewhere"] == [sync.name for sync in syncs]

    def run(sync: SyncConfig) -> RunReport:
        return report(sync.name, Status.FAILED, 3) if sync.name == "c" else report(sync.name, Status.COMPLETED)

    ended = list(run_each(syncs, run, {"d"}, console(stderr=True)))
    assert ["failed", "skipped", "skipped", "paused", "completed"] == [each.status for each in ended]
    assert "a runs after c, which did not deliver." == ended[1].as_json()["message"]
    assert "Skipped: b runs after a, which did not deliver." in capsys.readouterr().err
    assert 3 == worst(ended)


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ([Ended("a", report("a", Status.COMPLETED)), Ended("b")], 0),
        ([Ended("a", report("a", Status.SKIPPED, 6)), Ended("b", report("b", Status.SOME_ROWS_FAILED, 7))], 7),
        ([Ended("a", report("a", Status.SOME_ROWS_FAILED, 7)), Ended("b", report("b", Status.FAILED, 3))], 3),
        ([Ended("a", error=StateError("x")), Ended("b", report("b", Status.FAILED, 5))], 6),
        ([Ended("a", report("a", Status.FAILED, 3)), Ended("b", report("b", Status.CANCELED, 130))], 130),
    ],
)
def test_the_exit_code_is_that_of_the_worst(ended: list[Ended], code: int) -> None:
    """A failed run, before failed rows, before a skipped run; of several such, the first one's."""
    assert code == worst(ended)


def test_what_faulty_files_leave_out_is_said_and_is_the_exit_code(
    project: ProjectConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others run; of these nothing ran, so nothing failed. One that writes elsewhere for sure is not named."""
    folder = Project(project.directory.parent)
    leaves_out(project.directory)
    folder.write("a.yaml", people() + "chekcs: []\n")
    folder.write("b.yaml", people().replace("schedule: manual", "schedule: {after: a}"))
    found = load_runnable(project.directory)
    ran = list(run_each(chosen(found, ""), lambda sync: report(sync.name, Status.COMPLETED), (), console(stderr=True)))
    ended = [*ran, *left_out(found, "")]
    assert ["c", "elsewhere", "a", "b"] == [each.sync for each in ended]
    assert (["left_out", "left_out"], 2) == ([each.status for each in ended[2:]], worst(ended))
    assert 2 == worst([Ended("c", report("c", Status.SOME_ROWS_FAILED, 7)), *ended[2:]])
    assert {"sync": "a", "status": "left_out", "exit_code": 2}.items() <= ended[2].as_json().items()
    show_all(ended, console(stderr=True))
    shown = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert ["a", "left", "out"] in shown
    assert not any("failed" in line[1:2] for line in shown)
    assert "b is left out: it runs after a, which is left out: " in str(ended[3].as_json()["message"])
    assert ["a"] == [each.sync for each in left_out(found, "other")]
    with pytest.raises(ConfigError, match=r"a is left out: its own file is faulty: .*a\.yaml:\d+: chekcs: ") as raised:
        sync_named(found, "a")
    assert "reverse-etl validate" in str(raised.value)
