"""What every stand-in has, whichever service it stands in for: looking, faults, an address of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox import registry
from reverse_etl_tests.servers.saas import Saas

every_standin = pytest.mark.parametrize("name", registry.names())
ONE_CALL = "/api/v2/batch"
"""A path that each of them takes for the service's, whether or not it has it."""


@every_standin
def test_records_can_be_looked_at(saas: Saas, name: str) -> None:
    """As JSON, kind by kind and all at once, and on a page; an empty one shows that it is."""
    standin = saas(name)
    kinds = standin.records()
    assert kinds
    for kind in kinds:
        assert kinds[kind] == standin.records(kind)
        shown = standin.http.get("/_sandbox/", params={"kind": kind})
        assert 200 == shown.status_code
        assert kind in shown.text
    assert registry.load(name).TITLE in standin.http.get("/_sandbox/").text
    assert 0 == standin.counts()["requests"]


@every_standin
def test_common_faults_come_on_order(saas: Saas, name: str) -> None:
    """Each nth request, a 429 with and without Retry-After, HTML, an answer without end of body; each is counted."""
    standin = saas(name)
    match = {"path": ONE_CALL}
    standin.faults(
        {"match": match, "every": 2, "times": 1, "do": {"status": 429, "retry_after": 7}},
        {"match": match, "skip": 1, "do": {"status": 429}},
        {"match": match, "do": {"status": 502, "body": "<html>Bad gateway</html>"}},
    )
    answers = [standin.http.post(ONE_CALL, json={}) for _ in range(4)]
    assert [502, 429, 429] == [answer.status_code for answer in answers[:3]]
    assert [None, "7", None] == [answer.headers.get("retry-after") for answer in answers[:3]]
    assert "text/html; charset=utf-8" == answers[0].headers["content-type"]
    assert [1, 1, 1] == [rule["fired"] for rule in standin.faults()]
    assert 4 == standin.counts()["requests"]
    statuses = standin.requests_by_path()[f"POST {ONE_CALL}"]["statuses"]
    assert 2 == statuses["429"]


@every_standin
def test_an_answer_can_be_lost(saas: Saas, name: str) -> None:
    """The connection is closed after the request was dealt with."""
    standin = saas(name)
    standin.faults({"do": {"drop": "after_apply"}})
    with pytest.raises(httpx.TransportError):
        standin.http.post(ONE_CALL, json={})
    assert [None] == [seen["status"] for seen in standin.requests()]


@every_standin
def test_a_fault_that_it_does_not_have_is_refused(saas: Saas, name: str) -> None:
    """With the names of those it has."""
    standin = saas(name)
    answer = standin.http.post("/_sandbox/faults", json=[{"do": {"own": "no_such"}}])
    assert 400 == answer.status_code
    assert "no_such is none of its own faults" in answer.json()["error"]
    for own in registry.load(name).OWN_FAULTS:
        assert standin.faults({"do": {"own": own}})


@every_standin
def test_it_can_be_emptied(saas: Saas, name: str) -> None:
    """Requests and faults are forgotten too."""
    standin = saas(name)
    standin.faults({"skip": 9, "do": {"status": 500}})
    standin.http.get(ONE_CALL)
    standin.forget()
    assert ([], []) == (standin.requests(), standin.faults())


@every_standin
def test_wrong_credentials_are_refused(saas: Saas, name: str) -> None:
    """No call is answered as asked without the stand-in's own."""
    standin = saas(name)
    answer = standin.http.post(ONE_CALL, json={}, headers={"authorization": "Bearer other"})
    assert not answer.is_success or not answer.json().get("ok", True)


def test_one_process_serves_them_all() -> None:
    """An address each."""
    command = [sys.executable, "-m", "reverse_etl.sandbox", "--all", "--port", "0", "--announce"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())["urls"]
        found = {name: httpx.get(f"{url}/_sandbox/counts", trust_env=False).json() for name, url in urls.items()}
        process.terminate()
    assert set(registry.names()) == set(found)
    assert len(found) == len(set(urls.values()))


def test_ports_of_their_own_do_not_meet() -> None:
    """Each has one."""
    ports = [registry.load(name).PORT for name in registry.names()]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize(
    ("names", "assignments", "message"),
    [
        (["no_such"], [], "there is no sandbox of no_such"),
        ([], ["slack.bot_token=x"], "not a setting of customerio"),
        ([], ["customerio"], "not a setting of customerio"),
        ([], ["customerio.color=x"], "color is none of its settings"),
        ([], ["customerio.object_types=x"], "object_types: .*integer"),
    ],
)
def test_what_cannot_be_started_is_a_sentence(names: list[str], assignments: list[str], message: str) -> None:
    """Which name or setting it is."""
    with pytest.raises(ConfigError, match=message):
        registry.chosen(names, assignments)


def test_what_is_set_is_what_its_field_is() -> None:
    """Texts of the command line become numbers and truths."""
    settings = registry.chosen([], ["customerio.object_types=5", "customerio.durable=true"])[0].settings
    assert (5, True, None) == (settings.object_types, settings.durable, settings.data_file)
