"""The files behind the page: read when one of them changes, and then alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reverse_etl.config.folder_now import SyncsFolder
from reverse_etl_tests.cli.remembered import Remembered


def test_files_are_read_once_for_each_time_they_are_written(project: Remembered) -> None:
    """What was read stays the same object; a new file, a changed and a removed one are seen."""
    folder = SyncsFolder(project.folder / "syncs")
    first = folder.read()
    assert first is folder.read()
    project.write("orders", "manual")
    assert {"people", "staff", "orders"} == folder.read().syncs.keys()
    (project.folder / "syncs" / "orders.yaml").unlink()
    project.write("staff", "{every: 10m}")
    found = folder.read()
    assert {"people", "staff"} == found.syncs.keys()
    assert not found.syncs["staff"].schedule.manual


def test_a_folder_that_is_gone_is_a_problem_that_passes(project: Remembered) -> None:
    """It is mounted a moment later, say."""
    folder = SyncsFolder(project.folder / "syncs")
    (project.folder / "syncs").rename(project.folder / "away")
    assert "there is no folder" in folder.read().problems[0]
    (project.folder / "away").rename(project.folder / "syncs")
    assert {"people", "staff"} == folder.read().syncs.keys()


def test_a_query_in_a_file_of_its_own_counts(project: Remembered) -> None:
    """Its problem is that of the sync, and its change is seen."""
    syncs = project.folder / "syncs"
    query = syncs / "people.sql"
    query.write_text("SELECT id FROM customers WHERE {{nonsense}}")
    file = syncs / "people.yaml"
    file.write_text(file.read_text().replace("query: SELECT id FROM customers", "query_file: people.sql"))
    folder = SyncsFolder(syncs)
    assert (("people",), {"staff"}) == (folder.read().faulty, set(folder.read().syncs))
    query.write_text("SELECT id FROM customers")
    assert ((), ()) == (folder.read().faulty, folder.read().problems)


def test_a_file_of_the_same_time_and_size_is_read_again(project: Remembered) -> None:
    """As after `chmod`: only the time of its last change of any kind is another."""
    syncs = project.folder / "syncs"
    folder, file = SyncsFolder(syncs, clock=lambda: 0.0), syncs / "people.yaml"
    before, right = file.stat(), file.read_text()
    file.write_text(right.replace("workspace", "wrokspace"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ("people",) == folder.read().faulty
    written_ns = file.stat().st_ctime_ns
    file.write_text(right)
    while file.stat().st_ctime_ns == written_ns:  # the file system's clock moves on every few milliseconds
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert () == folder.read().faulty


def test_files_outside_the_folder_count_after_some_seconds(project: Remembered) -> None:
    """A query's file elsewhere, as it comes, changes for the worse, and is mended; not read at every look."""
    now = [0.0]
    syncs, query = project.folder / "syncs", project.folder / "people.sql"
    file = syncs / "people.yaml"
    file.write_text(file.read_text().replace("query: SELECT id FROM customers", "query_file: ../people.sql"))
    folder = SyncsFolder(syncs, clock=lambda: now[0])
    faulty = folder.read()
    assert ("people",) == faulty.faulty
    query.write_text("SELECT id FROM customers")
    now[0] = 4.9
    assert faulty is folder.read()
    now[0] = 5.0
    mended = folder.read()
    assert () == mended.problems
    now[0] = 10.0
    assert mended is folder.read()
    query.write_text("")
    now[0] = 15.0
    assert ("people",) == folder.read().faulty


def test_links_that_lead_back_end(project: Remembered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder is listed once, whatever number of links leads there."""
    syncs = project.folder / "syncs"
    for name in ("one", "two", "three"):
        (syncs / name).symlink_to(".")
    listed, scandir = list[str](), os.scandir

    def listing(path: str) -> object:
        listed.append(path)
        assert len(listed) < 10, "it goes round in circles"
        return scandir(path)

    monkeypatch.setattr(os, "scandir", listing)
    assert {"people", "staff"} == SyncsFolder(syncs).read().syncs.keys()
    assert {str(syncs)} == {path for path in map(str, listed) if Path(path).is_relative_to(syncs)}
