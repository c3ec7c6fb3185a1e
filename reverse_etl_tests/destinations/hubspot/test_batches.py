"""What HubSpot's answers mean, input by input."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import RequestRefused, TryAgain
from reverse_etl.destinations.hubspot.batches import NOT_NAMED, Input, Written, written
from reverse_etl.destinations.hubspot.refusals import reason_of
from reverse_etl.report import Reason

INPUTS = [Input(place, f"c{place}", "customer_no", {}) for place in range(4)]


def answer(status: int, body: Any, inputs: list[Input] = INPUTS) -> Written | RequestRefused | TryAgain | None:
    """To a batch of inputs."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return written(Reply(status, {}, text), inputs)


def read(status: int, inputs: list[Input] = INPUTS, **body: Any) -> Written:
    """The same, where inputs are told apart."""
    found = answer(status, body, inputs)
    assert isinstance(found, Written)
    return found


def result(number: int, **more: Any) -> dict[str, Any]:
    """A record, by its key."""
    return {"id": str(100 + number), "properties": {"customer_no": f"c{number}"}, **more}


def error(category: str = "VALIDATION_ERROR", **context: Any) -> dict[str, Any]:
    """One entry of ``errors``."""
    detail = {"code": "INVALID_OPTION", "context": {"propertyName": ["risk"]}, "message": "secret value"}
    return {"category": category, "message": "secret value", "context": context, "errors": [detail]}


def test_results_are_matched_by_trace_id_or_else_by_key() -> None:
    """In any order; a warning is counted."""
    found = read(200, results=[result(9, objectWriteTraceId="3"), result(1), result(0, warnings=[{}]), result(2)])
    assert ({3: "109", 1: "101", 0: "100", 2: "102"}, 1) == (found.ids, found.warned)
    emails = [Input(0, "A@x.io", "email", {})]
    assert {0: "7"} == read(200, emails, results=[{"id": 7, "properties": {"email": "a@x.io"}}]).ids
    assert {0: "7"} == read(200, [Input(0, "7", None, {})], results=[{"id": "7"}]).ids


def test_errors_are_matched_by_trace_id_or_id() -> None:
    """A lasting one refuses, a conflict and a missing record are told apart, anything else is sent again."""
    errors = [
        error(objectWriteTraceId=["0"]),
        error("CONFLICT", ids=["c1"]),
        error("OBJECT_NOT_FOUND", ids=["c2"]),
        error("RATE_LIMITS", objectWriteTraceId=["3"]),
    ]
    found = read(207, results=[result(0)], errors=errors)
    assert ({}, [0], [1], [2], [3]) == (
        found.ids, [*found.refused], [*found.conflicts], [*found.missing], [*found.again]
    )  # fmt: skip
    assert Reason("invalid_option", "risk", "the value is no option of `risk`.") == found.refused[0]


def test_what_no_one_names_is_sent_again() -> None:
    """Beside results, and beside errors that name nobody; such an error is about an input that is alone."""
    found = read(207, results=[result(0)], errors=[error()])
    assert ({0: "100"}, dict.fromkeys((1, 2, 3), NOT_NAMED)) == (found.ids, found.again)
    assert [0] == [*read(207, INPUTS[:1], results=[], errors=[error()]).refused]


def test_neither_results_nor_errors_is_no_answer() -> None:
    """Of a single input it is not waited for without end."""
    assert isinstance(answer(200, {"status": "COMPLETE", "results": []}), TryAgain)
    assert {0: NOT_NAMED} == read(200, INPUTS[:1], results=[]).again


@pytest.mark.parametrize("status", [400, 409, 413])
def test_a_request_that_is_refused_is_halved(status: int) -> None:
    """Nothing of it was written; a conflict of a single input is another call's."""
    assert isinstance(answer(status, {"category": "VALIDATION_ERROR", "message": "x"}), RequestRefused)
    alone = answer(status, {"category": "CONFLICT", "message": "x"}, INPUTS[:1])
    assert isinstance(alone, Written if status == 409 else RequestRefused)


@pytest.mark.parametrize("status", [204, 302, 404])
def test_other_answers_are_none_of_this_api(status: int) -> None:
    """They end the run."""
    assert answer(status, b"{}") is None


def test_reasons_are_in_our_words() -> None:
    """HubSpot's repeat values; the code and the property are taken from its details, or out of its message."""
    told = {"message": 'Property values were not valid: [{"message":"x","error":"INVALID_EMAIL","name":"email"}]'}
    assert Reason("invalid_email", "email", "the value of `email` is no e-mail address.") == reason_of(told)
    assert Reason("new_code", "risk", "HubSpot takes no such value of `risk` (NEW_CODE).") == reason_of(
        {"errors": [{"code": "NEW_CODE", "context": {"propertyName": ["risk"]}}]}
    )
    for odd in (None, [], {}, {"message": "[{]"}, {"errors": "x"}, {"category": "a secret"}, {"errors": [{"code": 1}]}):
        assert Reason("refused", "", "HubSpot refused the row.") == reason_of(odd)
