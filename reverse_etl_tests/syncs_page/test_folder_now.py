"""The files behind the page: read when one of them changes, and then alone."""

from __future__ import annotations

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
