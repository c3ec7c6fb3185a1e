"""What Slack's answers to a message mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import Accepted, Answer, InDoubt, RequestRefused, TryAgain
from reverse_etl.destinations.slack.answers import answer_of, webhook_answer_of
from reverse_etl.errors import ConfigError, DestinationRefusedError, ReverseEtlError, UnauthorizedError

LABEL = "destination alerts"


def answer(
    body: Any, status: int = 200, *, one_channel: bool = False, headers: dict[str, str] | None = None
) -> Answer | InDoubt:
    """Of the Web API."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer_of(Reply(status, headers or {}, text), label=LABEL, one_channel=one_channel)


def error(word: str, **more: str) -> dict[str, Any]:
    """A refusal, which is HTTP 200."""
    return {"ok": False, "error": word, **more}


def said(body: bytes, status: int) -> Answer | InDoubt:
    """Of a webhook."""
    return webhook_answer_of(Reply(status, {}, body), label=LABEL)


def test_only_a_message_with_its_time_is_posted() -> None:
    """``ok`` alone is none; a warning beside it is no trouble."""
    assert Accepted() == answer({"ok": True, "ts": "1.1", "warning": "missing_charset"})
    for body in ({"ok": True}, {"ok": "true", "ts": "1.1"}, {}, [], b"<html>", b'{"ok":true,"ts'):
        assert isinstance(answer(body), InDoubt), body


@pytest.mark.parametrize(
    "word", ["msg_too_long", "no_text", "invalid_blocks", "msg_blocks_too_long", "metadata_too_large", "new_word"]
)
def test_a_message_that_is_not_taken_is_refused(word: str) -> None:
    """With Slack's word, in one channel too: others may be taken."""
    found = answer(error(word), one_channel=True)
    assert isinstance(found, RequestRefused)
    assert word == found.why.reason


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("channel_not_found", ConfigError),
        ("is_archived", ConfigError),
        ("user_not_found", ConfigError),
        ("not_in_channel", DestinationRefusedError),
        ("restricted_action_read_only", DestinationRefusedError),
    ],
)
def test_a_channel_that_takes_nothing_ends_the_run_where_all_rows_go_there(
    word: str, kind: type[ReverseEtlError]
) -> None:
    """Otherwise its rows alone are refused. Who ends it: the sync's file, or a right in Slack."""
    found = answer(error(word))
    assert isinstance(found, RequestRefused)
    assert word == found.why.reason
    with pytest.raises(kind, match=word):
        answer(error(word), one_channel=True)


@pytest.mark.parametrize("word", ["invalid_auth", "token_revoked", "account_inactive", "ekm_access_denied"])
def test_a_refused_token_ends_the_run(word: str) -> None:
    """With the key to look at."""
    with pytest.raises(UnauthorizedError, match=word) as raised:
        answer(error(word))
    assert "bot_token" in raised.value.hint


def test_a_missing_scope_is_named() -> None:
    """As Slack names it."""
    with pytest.raises(UnauthorizedError, match="lacks the scope chat:write"):
        answer(error("missing_scope", needed="chat:write", provided="users:read"))


@pytest.mark.parametrize("word", ["ratelimited", "rate_limited", "message_limit_exceeded"])
def test_a_rate_limit_was_not_posted(word: str) -> None:
    """Whether the status says so or the body."""
    for found in (answer(error(word), headers={"retry-after": "3"}), answer(b"", 429, headers={"retry-after": "3"})):
        assert isinstance(found, TryAgain)
        assert (3.0, True) == (found.after_s, found.slow_down)


@pytest.mark.parametrize("word", ["internal_error", "fatal_error", "service_unavailable"])
def test_what_may_have_been_posted_is_in_doubt(word: str) -> None:
    """Slack says that some aspect of it may have succeeded."""
    assert isinstance(answer(error(word)), InDoubt)
    assert isinstance(answer(b"", 500), InDoubt)


def test_a_request_that_never_left_is_sent_again_and_one_that_may_have_is_not() -> None:
    """By the Web API and by a webhook."""
    for reading in (lambda reply: answer_of(reply, label=LABEL, one_channel=True),
                    lambda reply: webhook_answer_of(reply, label=LABEL)):  # fmt: skip
        assert isinstance(reading(TryAgain("refused", not_sent=True)), TryAgain)
        assert isinstance(reading(TryAgain("the connection broke")), InDoubt)


def test_a_webhook_answers_with_texts() -> None:
    """One that is gone, and a channel that takes nothing, end the run."""
    assert Accepted() == said(b"ok", 200)
    assert isinstance(said(b"<html>", 200), InDoubt)
    assert isinstance(said(b"rollup_error", 500), InDoubt)
    assert isinstance(said(b"rate_limited", 429), TryAgain)
    assert isinstance(said(b"invalid_blocks", 400), RequestRefused)
    for word, status in ((b"no_service", 404), (b"invalid_token", 403), (b"team_disabled", 403)):
        with pytest.raises(UnauthorizedError, match=word.decode()):
            said(word, status)
    for word, status in ((b"channel_is_archived", 410), (b"channel_not_found", 404)):
        with pytest.raises(ConfigError, match=word.decode()):
            said(word, status)
