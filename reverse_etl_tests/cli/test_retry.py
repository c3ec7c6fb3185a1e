"""`retry` says what becomes of failed rows that it cannot ask for, and what it reads beside those that it can."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from reverse_etl.cli.commands.retry import retry, retrying
from reverse_etl.config.loader import load_project
from reverse_etl.report import CANCELED, Counts, FailedRow, Reason, Status
from reverse_etl_tests.cli.remembered import Remembered

HOUR = timedelta(hours=1)
LEFT = FailedRow(3, "rows", "", *CANCELED)
REFUSED = FailedRow(3, "rows", "", "slack", Reason("msg_too_long", "", "too long."))
EMPTY = FailedRow(3, "rows", "", "check", Reason("identifier_present", "id", "it is empty."))
EVENTS = "database: shop\nworkspace: main\nschedule: manual\nevents: {name: visit}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """A sync of people, and one of messages that nothing tells apart."""
    made = Remembered.at(tmp_path, monkeypatch)
    with (tmp_path / "syncs" / "connections.yaml").open("a") as file:
        file.write("destinations:\n  alerts: {type: slack, bot_token: '${TOKEN}'}\n")
    (tmp_path / "syncs" / "sl.yaml").write_text(
        "database: shop\ndestination: alerts\nschedule: manual\n"
        "slack: {channel: '#general', message: '{{name}}'}\nquery: SELECT name FROM customers\n"
    )
    return made


def said(sync: str, *options: str) -> str:
    """What `retry` says where no row can be asked for: no run begins, and it ends with the code of failed rows."""
    app = typer.Typer()
    app.command()(retry)
    result = CliRunner().invoke(app, [sync, *options])
    assert (7, False) == (result.exit_code, "Retrying" in result.output), result.output
    return " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("reads", "then"),
    [
        ("changes", "the next run sends them. Run: reverse-etl run sl"),
        ("full", "the next run sends them. Run: reverse-etl run sl --full"),
        ("since", "run what was run then once more. See: reverse-etl history sl"),
    ],
)
def test_rows_that_a_canceled_run_did_not_send_are_left_as_they_are(project: Remembered, reads: str, then: str) -> None:
    """Nothing is wrong with them; what sends them is named."""
    project.ran("first", ago=2 * HOUR, sync="sl")
    rows = {"rows": Counts(15, 2, undelivered=13)}
    project.ran(
        "aaaaaaaa-1", ago=HOUR, sync="sl", status=Status.CANCELED, reads=reads, streams=rows, failed=[LEFT] * 13
    )
    shown = said("sl")
    assert shown == (
        "13 failed rows had no answer when the run ended, and no identifier that a retry could ask for. "
        f"Leave them as they are: {then}"
    )


def test_rows_of_an_older_run_may_have_been_sent_since(project: Remembered) -> None:
    """The next run is not promised to send them."""
    rows = {"rows": Counts(15, 2, undelivered=13)}
    project.ran("aaaaaaaa-1", ago=2 * HOUR, sync="sl", status=Status.CANCELED, streams=rows, failed=[LEFT] * 13)
    project.ran("bbbbbbbb-2", ago=HOUR, sync="sl")
    assert "a later run may have sent them. See: reverse-etl history sl" in said("sl", "--run", "aaaa")


def test_rows_of_a_sync_that_nothing_tells_apart_come_again_with_all_others(project: Remembered) -> None:
    """Where they were refused; those that the run left are reported apart."""
    rows = {"rows": Counts(3, 1, refused=1, undelivered=1)}
    project.ran("aaaaaaaa-1", ago=HOUR, sync="sl", status=Status.CANCELED, streams=rows, failed=[REFUSED, LEFT])
    shown = said("sl")
    assert "1 failed row had no answer when the run ended" in shown
    assert "1 failed row cannot be asked for by a retry: no column identifies the sync's rows." in shown
    assert shown.endswith("those that arrived too: reverse-etl run sl")


def test_rows_that_lack_their_identifier_are_mended_at_their_source(project: Remembered) -> None:
    """Or left out in the query."""
    rows = {"rows": Counts(3, 2, rejected=1)}
    project.ran("aaaaaaaa-1", ago=HOUR, status=Status.SOME_ROWS_FAILED, streams=rows, failed=[EMPTY])
    assert said("people") == (
        "1 failed row has no identifier to ask for and cannot be sent again by a retry. "
        "Correct it, or leave it out in the query, then run: reverse-etl run people"
    )


def test_events_that_did_not_fail_are_said_to_be_read_too(project: Remembered) -> None:
    """They are asked for by their person, of whom there may be more; people come once."""
    text = f"{EVENTS}query: SELECT id, at AS occurred_at FROM visits\n"
    (project.folder / "syncs" / "visits.yaml").write_text(text)
    syncs = load_project(project.folder / "syncs").syncs
    report = project.ran("aaaaaaaa-1", ago=HOUR, status=Status.SOME_ROWS_FAILED, of_one_row=True)
    assert "Retrying 1 failed row of run aaaaaaaa." == retrying(1, report, syncs["people"])
    assert retrying(1, report, syncs["visits"]) == (
        "Retrying 1 failed row of run aaaaaaaa. All rows of the query with the same `id` are read and sent again "
        "with them; an event that arrived before is known by its id."
    )
