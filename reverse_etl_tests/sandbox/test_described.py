"""The check of answers against their makers' descriptions finds what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reverse_etl_tests.sandbox.described import Described, intercom_answers, slack_answers
from reverse_etl_tests.servers.saas import Saas

THING = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^[CD]"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "at": {"type": "integer", "nullable": True},
        "parts": {"type": "array", "items": {"$ref": "#/definitions/part"}},
        "who": {"items": [{"type": "null"}, {"type": "string"}]},
    },
}


@pytest.fixture
def described(tmp_path: Path) -> Described:
    """A description of one thing."""
    path = tmp_path / "things.json"
    answer = {"responses": {"200": {"schema": THING}}}
    document = {"paths": {"/thing": {"get": answer}}, "definitions": {"part": {"type": ["number", "null"]}}}
    path.write_text(json.dumps(document))
    return Described(path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": "C1", "kind": "a", "at": None, "parts": [1.5, None], "who": "x"}, []),
        ({}, ["thing.id: missing"]),
        ({"id": 7}, ["thing.id: int is not string"]),
        ({"id": "X"}, ["thing.id: 'X' is not like ^[CD]"]),
        ({"id": "C1", "kind": "c"}, ["thing.kind: 'c' is none of ['a', 'b']"]),
        ({"id": "C1", "at": True}, ["thing.at: bool is not integer"]),
        ({"id": "C1", "parts": [1, "2"]}, ["thing.parts[1]: str is not ['number', 'null']"]),
        ({"id": "C1", "who": 7}, ["thing.who: int is not null"]),
        ({"id": "C1", "more": 7}, ["thing.more: not described"]),
    ],
)
def test_what_differs_is_found(described: Described, value: Any, expected: list[str]) -> None:
    """Types, required, unknown and chosen values, wherever they are."""
    assert expected == list(described.problems(described.answer("get", "/thing"), value, "thing"))


def test_the_calls_that_are_checked_succeed(saas: Saas) -> None:
    """Each stand-in's own answers, as the command asks for them."""
    slack = list(slack_answers(saas("slack")))
    assert {"200": True, "default": False} == {status: answer["ok"] for _, _, status, answer in slack}
    for _, path, status, answer in intercom_answers(saas("intercom")):
        assert ("errors" in answer) == (status != "200"), path
