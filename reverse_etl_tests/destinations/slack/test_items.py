"""Rows as messages: values are filled into texts, and are never markup or JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reverse_etl.changeset.parts import with_row_numbers
from reverse_etl.destinations.slack.items import items, messages, once_keys
from reverse_etl.destinations.slack.rules import rules_of
from reverse_etl.destinations.slack.template import problem_of
from reverse_etl_tests.destinations.slack.configs import sync

VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
BLOCKS = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*{{a}}* <!here> {{b}}"}},
    {"type": "divider"},
    {
        "type": "actions",
        "elements": [{"type": "button", "url": "https://x.example/?a={{a}}&b=1", "style": "{{b}}", "n": 1, "t": True}],
    },
]


def batch_of(*rows: dict[str, Any]) -> pa.RecordBatch:
    """Rows with their numbers."""
    return next(with_row_numbers([pa.RecordBatch.from_pylist([*rows])]))


def shown(*rows: dict[str, Any], **section: Any) -> list[dict[str, Any]]:
    """The messages of rows."""
    return [json.loads(each) for each in messages(batch_of(*rows), sync(**section))]


@given(VALUES, VALUES)
def test_a_value_is_a_text_whatever_is_in_it(a: str, b: str) -> None:
    """The structure stays as it was written; unescaped, the text has the values; no value makes a mention or link."""
    [found] = shown({"a": a, "b": b}, message="{{a}}|{{ b }}", blocks=BLOCKS)
    section, divider, actions = found["blocks"]
    text = section["text"]["text"]
    assert (f"{a}|{b}", f"*{a}* <!here> {b}") == (html_text(found["text"]), html_text(text))
    assert (0, 1) == (found["text"].count("<"), text.count("<"))
    assert ({"type": "divider"}, {"type", "elements"}) == (divider, {*actions})
    assert f"https://x.example/?a={a}&b=1" == actions["elements"][0]["url"]
    assert (1, True) == (actions["elements"][0]["n"], actions["elements"][0]["t"])


def html_text(text: str) -> str:
    """Without what escapes ``&``, ``<`` and ``>``; nothing else is an entity in Slack."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_values_are_written_as_people_read_them() -> None:
    """Empty for NULL; a date-time with its zone."""
    at = datetime(2026, 1, 5, 1, 30, tzinfo=UTC)
    [found] = shown({"a": None, "b": 12.0, "at": at}, message="[{{a}}] {{b}} {{at}}")
    assert "[] 12 2026-01-05 01:30 UTC" == found["text"]
    assert "&lt;!channel&gt;" == shown({"text": "<!channel>"}, message={"column": "text"})[0]["text"]


def test_a_row_says_where_it_goes() -> None:
    """Into a channel, or to a person; blanks around do not matter."""
    row = {"text": "x", "where": " ada@example.com "}
    assert [{"email": "ada@example.com", "text": "x"}] == shown(row, channel={"email": "where"})
    assert [{"channel": "ada@example.com", "text": "x"}] == shown(row, channel={"column": "where"})


def test_a_message_is_known_by_its_run_and_its_values() -> None:
    """Another run has another ``key`` and the same ``once``; neither shows a value; other syncs have others."""
    config = sync(once_per=["a", "b"])
    batch = batch_of({"text": "x", "a": "ab", "b": "c"}, {"text": "x", "a": "a", "b": "bc"})
    one, other = ([json.loads(each) for each in items(batch, config, place="p", run_id=run)] for run in ("r1", "r2"))
    assert [each["once"] for each in one] == [each["once"] for each in other] == once_keys(batch, config, place="p")
    assert 4 == len({each["key"] for each in (*one, *other)})
    assert 2 == len({each["once"] for each in one})
    assert not {*once_keys(batch, config, place="p")} & {*once_keys(batch, config, place="q")}
    renamed = config.model_copy(update={"name": "another"})
    assert not {*once_keys(batch, config, place="p")} & {*once_keys(batch, renamed, place="p")}


def broken(*rows: dict[str, Any], **section: Any) -> dict[str, list[int]]:
    """The rows that rules reject."""
    found: dict[str, list[int]] = {}
    for rule in rules_of(sync(**section).slack):
        for each in rule.findings(batch_of(*rows), 0):  # type: ignore[union-attr]
            found.setdefault(rule.rule.name, []).extend(each.rows.to_pylist())  # type: ignore[union-attr]
    return found


def test_what_slack_would_cut_or_refuse_is_not_sent() -> None:
    """Counted in characters as they are sent; the longest that is taken passes."""
    rows = [{"text": text} for text in ("x" * 40_000, "x" * 40_001, "<" * 10_001, " ", None)]
    assert {"message_length": [2, 3], "message_present": [4, 5]} == broken(*rows)
    header = [{"type": "header", "text": {"type": "plain_text", "text": "{{text}}"}}]
    assert {"message_length": [2]} == broken({"text": "x" * 150}, {"text": "x" * 151}, message="m", blocks=header)
    nowhere = {"text": "x", "to": " ", "a": None}
    assert {"channel_present": [1], "identifier_present": [1]} == broken(
        nowhere, channel={"column": "to"}, once_per=["a"]
    )


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"message": "{{a"}, "is not closed"),
        ({"message": "a}}"}, "closes nothing"),
        ({"message": "{{ }}"}, "names no column"),
        ({"blocks": [{"type": "section", "text": {"text": "{{a"}}]}, "is not closed"),
        ({"blocks": [{"text": "x"}]}, "needs a `type`"),
        ({"blocks": [{"type": "divider"}] * 51}, "Slack takes 50 at most"),
        ({"once_for": "1d"}, "goes with once_per"),
        ({"channel": {"column": "a"}, "digest_above": 5}, "one channel for all rows"),
        ({"channel": {"column": "a", "email": "b"}}, "needs one of"),
    ],
)
def test_a_mistake_in_the_section_is_named(section: dict[str, Any], said: str) -> None:
    """Before anything runs."""
    with pytest.raises(ValidationError, match=said):
        sync(**section)
    assert "" == problem_of("{{a}} { } }")
