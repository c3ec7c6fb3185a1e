"""``test-connection`` of a workspace: what works, and the first thing that does not."""

from __future__ import annotations

import pytest

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations.customerio.connection_check import steps
from reverse_etl.pacing.retry import RetryPolicy
from reverse_etl_tests.destinations.customerio.configs import workspace
from reverse_etl_tests.servers.sandbox import RunningSandbox

QUICK = RetryPolicy(base_s=0.01, budget_s=0.05)


def test_everything_that_works_is_listed(sandbox: RunningSandbox) -> None:
    """From the host's name to the segments."""
    sandbox.add_segment("one")
    sandbox.add_segment("two", kind="dynamic")
    found = list(steps(workspace(sandbox.url)))
    assert all(step.ok for step in found)
    assert [
        ("host name", "127.0.0.1"),
        ("connection", "answers, without TLS"),
        ("Track API credentials", "accepted"),
        ("region", "us"),
        ("App API key", "accepted"),
        ("object types", "1 (Companies), 2 (Courses), 3 (Accounts)"),
        ("segments", "2, of which 1 manual"),
    ] == [(step.name, step.detail) for step in found]


def test_without_an_app_api_key_the_rest_is_tried(sandbox: RunningSandbox) -> None:
    """It is optional; the hint says what needs it."""
    last = list(steps(workspace(sandbox.url, app_key=False)))[-1]
    assert (True, "App API key", "not set") == (last.ok, last.name, last.detail)
    assert "add_only" in last.hint


def test_the_first_thing_that_fails_is_the_last_step(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong keys of either API, the wrong region, no server there, an unknown host."""
    monkeypatch.setenv("WRONG", "planted-secret")
    wrong = Secret("${WRONG}")
    unknown_host = EnvText("https://nobody.invalid")
    for config, name in (
        (workspace(sandbox.url, track_api_key=wrong), "Track API credentials"),
        (workspace(sandbox.url, app_api_key=wrong), "App API key"),
        (workspace(sandbox.url, region="eu"), "answer"),
        (workspace("http://127.0.0.1:9"), "connection"),
        (workspace(sandbox.url).model_copy(update={"track_url": unknown_host}), "host name"),
    ):
        found = list(steps(config, policy=QUICK))
        assert [True] * (len(found) - 1) == [step.ok for step in found[:-1]]
        assert (False, name) == (found[-1].ok, found[-1].name)
        assert found[-1].hint
        assert "planted-secret" not in repr(found)
