"""What is allowed and worth a look across syncs: names with two writers, people with two identifiers, spelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl.config.inline import parse_destination, parse_rows
from reverse_etl.config.loader import load_project
from reverse_etl.config.names import is_past_event, time_name
from reverse_etl.errors import ConfigProblemsError
from reverse_etl_tests.config.projects import CONNECTIONS, write_project

SYNC = "database: server\nworkspace: {workspace}\nschedule: manual\n{kind}\nquery: SELECT {columns} FROM customers\n"


def sync(columns: str, *, kind: str = "people: {}", workspace: str = "main") -> str:
    """A sync's file."""
    return SYNC.format(columns=columns, kind=kind, workspace=workspace)


def warnings_of(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> list[str]:
    """What a project of these files is warned of."""
    monkeypatch.chdir(folder)
    named = {f"{name}.yaml": text for name, text in files.items()}
    return list(load_project(write_project(folder, {"connections.yaml": CONNECTIONS, **named})).warnings)


def test_attributes_with_two_writers_are_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person is known by is no attribute; other workspaces, object types and events are other places."""
    found = warnings_of(
        tmp_path,
        monkeypatch,
        a=sync("id, plan, seats, tier"),
        b=sync("id, plan, seats"),
        c=sync("id, plan", workspace="plain"),
        d=sync("object_id, plan", kind="objects: {}"),
        e=sync("id, occurred_at, event_id, plan", kind="events: {name: order_placed}"),
    )
    assert found == [
        "syncs/b.yaml:5: query: returns `plan` and `seats`, as `a` does for workspace main: whichever runs last wins; "
        "leave one out, or name the syncs in `written_by` of the attribute's definition in dictionary.yaml"
    ]


def test_writers_that_are_named_are_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not named is not; one that is none is told."""
    dictionary = "attributes:\n  plan: {written_by: [a, b]}\n  seats: {written_by: [a, bb]}\n"
    files = {"a": sync("id, plan, seats"), "b": sync("id, plan, seats"), "dictionary": dictionary}
    assert warnings_of(tmp_path, monkeypatch, **files) == [
        "syncs/b.yaml:5: query: returns `seats`, as `a` does for workspace main: whichever runs last wins; leave one "
        "out, or name the syncs in `written_by` of the attribute's definition in dictionary.yaml",
        "syncs/dictionary.yaml:3: attributes.seats: names the sync 'bb', which is none; did you mean `b`?",
    ]


def test_two_identifiers_in_a_workspace_are_a_warning_until_it_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for a workspace, and not for a sync that has a reason."""
    by_email = "people: {identify_by: email}"
    reason = "people: {identify_by: email, identify_by_reason: Readers have no id.}"
    files = {"a": sync("id"), "b": sync("email", kind=by_email), "c": sync("email", kind=by_email)}
    assert warnings_of(tmp_path, monkeypatch, **files) == [
        "syncs/b.yaml:4: people.identify_by: workspace main has people by id (sync a) and by email, so that one person "
        "may become two: set `identify_by` in its entry in connections.yaml, and `identify_by_reason` here if this is "
        "meant"
    ]
    files = {"b": sync("email", kind=reason), "c": sync("email", kind=reason)}
    assert warnings_of(tmp_path, monkeypatch, **files) == []


def test_a_sync_has_its_workspaces_identifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Declared once, for people, events and relationships alike."""
    monkeypatch.chdir(tmp_path)
    connections = CONNECTIONS.replace("  main:\n", "  main:\n    identify_by: email\n")
    second = "people: {}\nrelationships: {query: 'SELECT email, object_id FROM memberships'}"
    syncs = write_project(tmp_path, {"connections.yaml": connections, "a.yaml": sync("id, email", kind=second)})

    project = load_project(syncs)
    assert [stream.identifier for stream in project.syncs["a"].streams] == [("email",), ("email",)]
    assert project.warnings == ()


def test_a_push_has_its_workspaces_identifier_too() -> None:
    """A DataFrame goes by the same rule as a file."""
    entry = parse_destination("main", {"site_id": "${A}", "track_api_key": "${B}", "identify_by": "email"})

    assert parse_rows("customerio", {"people": {}}, entry=entry).streams[0].identifier == ("email",)
    with pytest.raises(ConfigProblemsError, match="the workspace identifies people by email"):
        parse_rows("customerio", {"people": {"identify_by": "id"}}, entry=entry)


def test_names_in_the_dictionary_are_spelled_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deprecated keeps its name."""
    dictionary = """\
attributes:
  first_name: {type: text}
  firstName: {type: text, deprecated_by: first_name}
  lastName: {type: text}
  Plan:
  last_order_date: {type: timestamp}
  created_at: {type: timestamp}
  born_on: {type: date}
events:
  order_placed: {description: A paid order}
  viewed_product: {}
  order: {}
  Order Placed: {deprecated_by: order_placed}
  checkout_start: {}
"""
    assert warnings_of(tmp_path, monkeypatch, dictionary=dictionary) == [
        "syncs/dictionary.yaml:4: attributes.lastName: `lastName` and `Plan` are each not in snake_case, as in "
        "`first_name`",
        "syncs/dictionary.yaml:6: attributes.last_order_date: `last_order_date` is a time by its type, and times end "
        "in `_at`, as in `last_order_at`",
        "syncs/dictionary.yaml:12: events.order: an event says what happened, in the past tense and snake_case, as in "
        "`order_placed`",
        "syncs/dictionary.yaml:14: events.checkout_start: an event says what happened, in the past tense and "
        "snake_case, as in `order_placed`",
    ]


def test_events_and_times_have_names_of_their_kind() -> None:
    """Regular and irregular verbs, in either order."""
    assert all(map(is_past_event, ("order_placed", "viewed_product", "invoice_paid", "email_sent", "sign_up_started")))
    assert not any(map(is_past_event, ("placed", "order", "order_place", "OrderPlaced", "Order placed")))
    assert [time_name(name) for name in ("seen_at", "seen_on", "last_login", "shipping_date")] == [
        "",
        "seen_at",
        "last_login_at",
        "shipping_at",
    ]


def test_a_longest_wait_that_is_over_too_soon_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sync before is due no more often; a longer wait, none, and a sync before without times are meant."""

    def scheduled(schedule: str) -> str:
        return sync("id").replace("schedule: manual", f"schedule: {schedule}")

    files = {
        "a": scheduled("{every: 1h}"),
        "b": scheduled("{after: a, every: 1m}"),
        "c": scheduled("{after: a, every: 2h}"),
        "d": scheduled("{after: a}"),
        "e": sync("id"),
        "f": scheduled("{after: e, every: 1m}"),
    }
    assert warnings_of(tmp_path, monkeypatch, **files) == [
        "syncs/b.yaml:3: schedule.every: is the longest wait, and a is due every 1h: b would mostly run before it and "
        "not after it; write a longer time, or leave it out"
    ]


def test_what_is_kept_for_less_than_a_day_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hears of a failure in the morning finds nothing of it any more."""
    monkeypatch.chdir(tmp_path)
    connections = f"{CONNECTIONS}retention: {{dagster_runs: 1m, changesets: 7d, history: 90d}}\n"
    folder = write_project(tmp_path, {"connections.yaml": connections, "a.yaml": sync("id")})
    line = connections.count("\n")
    assert load_project(folder).warnings == (
        f"syncs/connections.yaml:{line}: retention.dagster_runs: removes what a run leaves 1m after it, before anybody "
        "who hears of a failure can look for it: write 1d or more",
    )
