"""Every sync on one page: how it is, what its last import did, when the next one is due."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from reverse_etl.report import Status
from reverse_etl.state.runs import begin_run
from reverse_etl.state.syncs import set_paused
from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.leaving_out import leaves_out
from reverse_etl_tests.syncs_page.served import Page, read


def rows(page: str) -> dict[str, str]:
    """What the list says of each sync, by its name."""
    found = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", page, re.DOTALL)
    return {words.split()[0]: words for words in map(read, found)}


def test_a_folder_without_syncs_says_what_to_do(page: Page, project: Remembered) -> None:
    """The command that makes the first one."""
    for name in ("people", "staff"):
        (project.folder / "syncs" / f"{name}.yaml").unlink()
    shown = page.text("/")
    assert "There are no syncs in" in shown
    assert "reverse-etl init" in shown


def test_a_sync_that_never_ran_has_a_next_import_and_no_numbers(page: Page) -> None:
    """By its schedule, or by hand."""
    shown = rows(page.get("/").text)
    assert "none yet" in shown["people"]
    assert "none yet by hand" in shown["staff"]


def test_a_row_has_the_last_import_its_rows_and_the_failed_ones(page: Page, project: Remembered) -> None:
    """As `status` has them."""
    project.ran("run-1", ago=timedelta(minutes=12), status=Status.SOME_ROWS_FAILED)
    people = rows(page.get("/").text)["people"]
    for words in ("active", "some rows failed", "12 minutes ago", "1,198 of 1,200 3"):
        assert words in people


@pytest.mark.parametrize(
    ("status", "words"),
    [(Status.FAILED, "failed"), (Status.CANCELED, "canceled"), (Status.COMPLETED, "completed")],
)
def test_every_end_has_its_word(page: Page, project: Remembered, status: Status, words: str) -> None:
    """The one that all screens have."""
    project.ran("run-1", ago=timedelta(hours=1), status=status)
    assert f" {words} 1 hour ago" in rows(page.get("/").text)["people"]


def test_stale_paused_and_running_are_seen(page: Page, project: Remembered) -> None:
    """A sync in progress makes the page follow it."""
    assert "data-live" not in page.get("/").text
    project.ran("run-1", ago=timedelta(days=3))
    set_paused(project.store, "staff", True)
    at = datetime.now(UTC)
    begin_run(project.store, "run-2", root_run_id="run-2", sync="staff", workspace="main", started_at=at, since=0)
    answer = page.get("/").text
    shown = rows(answer)
    assert "stale" in shown["people"]
    assert "paused running" in shown["staff"]
    assert "data-live" in answer


def test_a_file_with_a_problem_does_not_hide_the_others(page: Page, project: Remembered) -> None:
    """Its problem has file and line; what it did before is still there, and the page of the sync says why it is not."""
    project.ran("run-1", ago=timedelta(hours=1), sync="staff")
    file = project.folder / "syncs" / "staff.yaml"
    file.write_text(file.read_text().replace("workspace:", "workspce:"))
    answer = page.get("/").text
    assert "syncs/staff.yaml:2: workspce: unknown key; did you mean workspace ?" in read(answer)
    shown = rows(answer)
    assert "left out completed 1,200 of 1,200" in shown["staff"]
    assert "people in main left out" in shown["people"]
    own = page.text("/syncs/staff")
    assert "syncs/staff.yaml:2: workspce:" in own
    for fact in ("status left out", "last import completed", "to main"):
        assert fact in own
    set_paused(project.store, "staff", True)
    assert "paused left out completed" in rows(page.get("/").text)["staff"]
    assert "status paused left out" in page.text("/syncs/staff")
    file.write_text(file.read_text().replace("workspce:", "workspace:"))
    assert "problem" not in page.text("/")


def test_what_a_faulty_file_leaves_out_is_on_every_page(project: Remembered) -> None:
    """A group has them, and all counts them; their pages start nothing, those of others do."""
    leaves_out(project.folder / "syncs")
    file = project.folder / "syncs" / "broken.yaml"
    page = Page(project, may_act=True, daemon=True)
    assert " all 2 " in page.text("/")
    file.write_text((project.folder / "syncs" / "people.yaml").read_text().replace("workspace:", "workspce:"))
    project.write("later", "{after: broken}")
    answer = page.get("/").text
    out = "Left out until the files are mended: broken; later (waits for broken)."
    for words in (out, " all 4 ", " left out 2 "):
        assert words in read(answer)
    shown = rows(answer)
    assert "left out its own file is faulty" in shown["broken"].replace("none yet ", "")
    assert "left out waits for broken" in shown["later"]
    assert "active" not in shown["later"]
    for name in ("people", "staff"):
        assert "left out" not in shown[name]
    assert {"broken", "later"} == rows(page.get("/?show=left+out").text).keys()
    for name in ("later", "broken"):
        own = page.text(f"/syncs/{name}")
        assert "syncs/broken.yaml:2: workspce: unknown key" in own
        assert out in own
        assert f"{name} is left out: it" in own
        assert "It has not run yet: it can once the files are mended." in own
        for words in ("Start the import", "Make a plan", "reverse-etl run"):
            assert words not in own
    assert "No import can be started until the files are mended." in page.text("/syncs/later")
    assert "Start the import" in page.text("/syncs/people")
    for action in ("run", "plan"):
        refused = page.press("later", action)
        assert (409, []) == (refused.status_code, page.started)
        assert "syncs/broken.yaml:2: workspce: unknown key" in read(refused.text)
    page.press("later", "pause")
    said = page.text(page.press("later", "resume").headers["location"])
    assert "Resumed. It runs at its next due time once the files are mended." in said
    project.write("broken", "manual")
    assert "Start the import" in page.text("/syncs/later")


def test_a_connections_file_with_a_problem_is_said(page: Page, project: Remembered) -> None:
    """No sync can be shown with its schedule then, and each is still named."""
    (project.folder / "syncs" / "connections.yaml").write_text("databases: {shop: {type: sqlit}}\n")
    answer = page.get("/").text
    assert "syncs/connections.yaml:1: databases.shop.type" in read(answer)
    assert {"people", "staff"} == rows(answer).keys()


def test_a_state_that_cannot_be_read_is_said_with_the_next_step(page: Page, project: Remembered) -> None:
    """The syncs of the files are still named; there is no trace of Python."""
    for file in project.home.path.glob("state.db*"):
        file.unlink()
    (project.home.path / "state.db").write_bytes(b"no database" * 100)
    shown = page.text("/", 503)
    assert "The state cannot be read" in shown
    assert "Restore it from a backup" in shown
    assert "people" in shown
    assert "Traceback" not in shown


def test_what_keeps_imports_from_starting_is_said(project: Remembered) -> None:
    """No daemon, and a storage of Dagster's that cannot be read."""
    assert "No scheduled import starts" in Page(project).text("/")
    project.loads()
    page = Page(project, daemon=True, warning="whether schedules are on cannot be read.")
    shown = page.text("/")
    assert "whether schedules are on cannot be read." in shown
    assert "No scheduled import starts" not in shown


@pytest.mark.parametrize("daemon", [False, True])
def test_a_dagster_that_is_starting_is_said_and_followed(project: Remembered, daemon: bool) -> None:
    """Not that none runs, nor that it gave no sign: for three minutes, or until it runs with the files."""
    page = Page(project, daemon=daemon, since=datetime.now(UTC))
    for address in ("/", "/syncs/people"):
        assert "data-live" in page.get(address).text
        shown = page.text(address)
        assert "Dagster is starting, which takes a minute or two." in shown
        assert "Dagster is starting due in" in shown
        for words in ("does not run", "no daemon", "gave no sign"):
            assert words not in shown
    late = Page(project, daemon=daemon, since=datetime.now(UTC) - timedelta(minutes=4)).text("/")
    assert ("gave no sign" if daemon else "daemon does not run") in late
    assert "Dagster is starting" not in late
    project.loads()
    assert daemon == ("Dagster is starting" not in page.text("/"))


def test_what_dagster_has_not_loaded_is_said(project: Remembered) -> None:
    """In the list and on the sync's page, beside the next import; not where no daemon runs, nor of what is loaded."""
    project.loads()
    project.write("orders", "{every: 6h, start_at: 2020-01-01T00:00:00Z}")
    page = Page(project, daemon=True)
    for address in ("/", "/syncs/orders"):
        shown = page.text(address)
        assert "Dagster has not loaded orders yet" in shown
        assert "not loaded by Dagster" in shown
    assert "not loaded" not in page.text("/syncs/people")
    assert "not loaded" not in Page(project).text("/")


def test_a_defect_says_where_its_details_are(project: Remembered) -> None:
    """There is no trace of Python in the browser, and the page is as guarded as any other."""
    page = Page(project, broken=True)
    assert "This is a defect of reverse-etl" in page.text("/", 500)
    assert "no-store" == page.get("/").headers["cache-control"]


def test_syncs_are_found_and_grouped(page: Page, project: Remembered) -> None:
    """By a part of their name, whatever its case; by how they are; both together."""
    project.ran("run-1", ago=timedelta(minutes=1), status=Status.FAILED)
    for address, names in {
        "/?find=STAF": {"staff"},
        "/?show=failed": {"people"},
        "/?show=never+run": {"staff"},
        "/?find=staff&show=failed": set(),
        "/?show=nonsense": {"people", "staff"},
    }.items():
        assert names == rows(page.get(address).text).keys(), address
    assert "No sync fits." in page.text("/?find=staff&show=failed")


def test_many_syncs_have_pages(page: Page, project: Remembered) -> None:
    """Fifty on each; a page that is not there is the last one."""
    for number in range(120):
        project.write(f"extra_{number:03}", "manual")
    first, last = page.get("/").text, page.get("/?page=3").text
    assert (50, 22) == (len(rows(first)), len(rows(last)))
    assert rows(last) == rows(page.get("/?page=99").text)
    assert 50 == len(rows(page.get("/?page=minus").text))
    assert "page 3" in read(last)


def test_what_others_wrote_is_text(page: Page, project: Remembered) -> None:
    """A description is no markup, and no sign in it turns the words around it."""
    file = project.folder / "syncs" / "people.yaml"
    file.write_text('description: "<script>alert(1)</script> עברית \\u202Egnp"\n' + file.read_text())
    for address in ("/", "/syncs/people"):
        answer = page.get(address).text
        assert "<script>alert" not in answer
        assert "\u202e" not in answer
        assert "&lt;script&gt;alert(1)&lt;/script&gt; עברית ·gnp" in answer
