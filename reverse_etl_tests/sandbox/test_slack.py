"""The stand-in workspace of Slack, and the official client as a witness of its answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from reverse_etl_tests.servers.saas import RunningStandin, Saas

BOT = {"authorization": "Bearer sandbox"}
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*Acme*"}}
HOOK = "/services/T000SANDBOX/B000SANDBOX/sandbox"


@pytest.fixture
def slack(saas: Saas) -> RunningStandin:
    """An empty workspace whose time stands still."""
    standin = saas("slack")
    standin.stop_clock()
    return standin


def call(slack: RunningStandin, method: str, *, headers: dict[str, str] = BOT, **arguments: Any) -> Any:
    """Calls a method with JSON, or with the address where it reads none; the answer's JSON."""
    if method == "chat.postMessage":
        answer = slack.http.post(f"/api/{method}", json=arguments, headers=headers)
    else:
        answer = slack.http.get(f"/api/{method}", params=arguments, headers=headers)
    assert 200 == answer.status_code
    return answer.json()


def post(slack: RunningStandin, channel: str = "general", **arguments: Any) -> Any:
    """Posts, a second after whatever was before."""
    slack.advance(1)
    return call(slack, "chat.postMessage", channel=channel, **arguments)


def channel_ids(slack: RunningStandin) -> dict[str, str]:
    """Ids by name."""
    return {channel["name"]: channel["id"] for channel in slack.records("channels")}


def test_a_message_is_kept_as_it_was_received(slack: RunningStandin) -> None:
    """Escapes are not undone, and what would alert everybody stays what it is."""
    text = "<!channel> &lt;b&gt; *Acme* \\n"
    answer = post(slack, text=text, blocks=[SECTION], metadata={"event_type": "alert", "event_payload": {"key": "1"}})
    (kept,) = slack.records("messages")
    assert (True, channel_ids(slack)["general"], kept["ts"]) == (answer["ok"], answer["channel"], answer["ts"])
    assert (text, [SECTION]) == (kept["text"], kept["sent"]["blocks"])
    assert text == answer["message"]["text"]


def test_a_form_is_as_good_as_json(slack: RunningStandin) -> None:
    """With blocks as JSON in a text, and the token in it."""
    form = {"token": "sandbox", "channel": "#general", "text": "hi", "blocks": '[{"type": "divider"}]'}
    assert slack.http.post("/api/chat.postMessage", data=form).json()["ok"]
    assert [{"type": "divider"}] == slack.records("messages")[0]["sent"]["blocks"]


def test_json_of_no_charset_is_warned_of(slack: RunningStandin) -> None:
    """Beside `ok`, which is true."""
    assert (True, "missing_charset") == tuple(post(slack, text="hi")[name] for name in ("ok", "warning"))


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("no-such", "channel_not_found"),
        ("", "channel_not_found"),
        ("random", "not_in_channel"),
        ("old-alerts", "is_archived"),
        ("secret", "channel_not_found"),
    ],
)
def test_channels_that_take_nothing(slack: RunningStandin, channel: str, error: str) -> None:
    """Of a private one the bot does not even hear that it is there."""
    slack.put("channels", {"name": "secret", "is_private": True, "is_member": False})
    assert {"ok": False, "error": error} == post(slack, channel, text="hi")
    assert 0 == slack.counts()["messages"]


def test_a_scope_lets_it_post_where_it_is_no_member(slack: RunningStandin) -> None:
    """In public channels."""
    slack.set(scopes="chat:write,chat:write.public")
    assert post(slack, "random", text="hi")["ok"]


def test_a_person_gets_a_message_by_id(slack: RunningStandin) -> None:
    """In a conversation of their own, the same one next time."""
    user = call(slack, "users.lookupByEmail", email="ADA@example.com")["user"]["id"]
    first, second = post(slack, user, text="hi"), post(slack, user, text="ho")
    assert first["channel"] == second["channel"]
    assert first["channel"].startswith("D")


def test_blocks_may_be_json_in_a_text(slack: RunningStandin) -> None:
    """Also where the request is JSON; a text that is none is refused."""
    assert post(slack, blocks='[{"type": "divider"}]')["ok"]
    assert [{"type": "divider"}] == slack.records("messages")[0]["sent"]["blocks"]
    assert "invalid_blocks_format" == post(slack, blocks="[{")["error"]


def test_who_has_left_gets_nothing(slack: RunningStandin) -> None:
    """There is no such channel."""
    left = next(user["id"] for user in slack.records("users") if user["deleted"])
    assert "channel_not_found" == post(slack, left, text="hi")["error"]


@pytest.mark.parametrize("email", ["nobody@example.com", "cy@example.com"])
def test_nobody_is_found(slack: RunningStandin, email: str) -> None:
    """Who has left is not found either."""
    assert "users_not_found" == call(slack, "users.lookupByEmail", email=email)["error"]


def text(length: int, kind: str = "mrkdwn") -> dict[str, Any]:
    """A text object."""
    return {"type": kind, "text": "x" * length}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": "a", "markdown_text": "b"}, "markdown_text_conflict"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"blocks": {"type": "divider"}}, "invalid_blocks_format"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "nothing"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": text(3001)}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": text(0)}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "fields": [text(1)] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "fields": [text(2001)]}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": text(151, "plain_text")}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": text(10)}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": [text(1)] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "actions", "elements": [{"type": "button"}] * 26}]}, "invalid_blocks"),
        ({"blocks": [{**SECTION, "block_id": "x" * 256}]}, "invalid_blocks"),
        ({"blocks": [{**SECTION, "block_id": "x"}] * 2}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": text(3000)}] * 5}, "msg_blocks_too_long"),
        ({"text": "a", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "a", "metadata": {"event_type": "x"}}, "invalid_metadata_schema"),
        ({"text": "a", "metadata": {"event_type": "x", "event_payload": {"k": "x" * 8000}}}, "metadata_too_large"),
    ],
)
def test_content_that_is_refused(slack: RunningStandin, content: dict[str, Any], error: str) -> None:
    """With 200 and Slack's word for it."""
    assert {"ok": False, "error": error} == post(slack, **content)


def test_blocks_at_their_limits_are_taken(slack: RunningStandin) -> None:
    """The largest of each."""
    largest = [
        {"type": "section", "text": text(3000)},
        {"type": "section", "fields": [text(500)] * 10},
        {"type": "header", "text": text(150, "plain_text")},
        {"type": "context", "elements": [text(100)] * 10},
        *[{"type": "divider"}] * 46,
    ]
    assert post(slack, blocks=largest)["ok"]


def test_a_text_that_is_too_long_is_cut_without_a_word(slack: RunningStandin) -> None:
    """At 40,000 characters."""
    assert post(slack, text="x" * 40_001)["ok"]
    assert 40_000 == len(slack.records("messages")[0]["text"])


def test_a_channel_has_one_message_a_second(slack: RunningStandin) -> None:
    """Another channel does not wait for it; each message has a time of its own."""
    slack.put("channels", {"name": "other"})
    first = post(slack, text="1")
    sent: dict[str, Any] = {"channel": "general", "text": "2"}
    answer = slack.http.post("/api/chat.postMessage", json=sent, headers=BOT)
    assert (429, "1", "ratelimited") == (answer.status_code, answer.headers["retry-after"], answer.json()["error"])
    other = call(slack, "chat.postMessage", channel="other", text="3")
    slack.advance(1)
    second = call(slack, "chat.postMessage", **sent)
    assert (True, True) == (other["ok"], second["ok"])
    assert 3 == len({first["ts"], other["ts"], second["ts"]})


@pytest.mark.parametrize(
    ("headers", "error"), [({}, "not_authed"), ({"authorization": "Bearer other"}, "invalid_auth")]
)
def test_another_token_is_refused(slack: RunningStandin, headers: dict[str, str], error: str) -> None:
    """With 200."""
    assert {"ok": False, "error": error} == call(slack, "auth.test", headers=headers)


def test_a_scope_that_is_missing_is_named(slack: RunningStandin) -> None:
    """Beside those that the token has, which each answer has in a header."""
    slack.set(scopes="channels:read")
    assert {"ok": False, "error": "missing_scope", "needed": "chat:write", "provided": "channels:read"} == post(
        slack, text="hi"
    )
    answer = slack.http.get("/api/auth.test", headers=BOT)
    assert "channels:read" == answer.headers["x-oauth-scopes"]


def test_channels_come_page_by_page(slack: RunningStandin) -> None:
    """Archived ones unless they are left out, private ones if they are asked for."""
    first = call(slack, "conversations.list", limit=2)
    second = call(slack, "conversations.list", limit=2, cursor=first["response_metadata"]["next_cursor"])
    names = [channel["name"] for page in (first, second) for channel in page["channels"]]
    assert ["general", "random", "old-alerts"] == names
    assert "" == second["response_metadata"]["next_cursor"]
    slack.put("channels", {"name": "secret", "is_private": True})
    asked: dict[str, Any] = {"exclude_archived": "true", "types": "public_channel,private_channel"}
    found = call(slack, "conversations.list", **asked)["channels"]
    assert ["general", "random", "secret"] == [channel["name"] for channel in found]
    for wrong, error in (("0", "invalid_limit"), ("1001", "invalid_limit")):
        assert error == call(slack, "conversations.list", limit=wrong)["error"]
    assert "invalid_cursor" == call(slack, "conversations.list", cursor="x")["error"]


def test_history_can_settle_a_doubt(slack: RunningStandin) -> None:
    """Metadata travel with the message, and come back where they are asked for; the latest is first."""
    metadata = {"event_type": "alert", "event_payload": {"key": "1"}}
    first, second = post(slack, text="1", metadata=metadata), post(slack, text="2")
    channel = first["channel"]
    found = call(slack, "conversations.history", channel=channel, include_all_metadata="true", oldest=0)["messages"]
    assert [("2", None), ("1", metadata)] == [(each["text"], each.get("metadata")) for each in found]
    assert "metadata" not in call(slack, "conversations.history", channel=channel)["messages"][1]
    later = call(slack, "conversations.history", channel=channel, oldest=first["ts"])["messages"]
    assert [second["ts"]] == [each["ts"] for each in later]
    page = call(slack, "conversations.history", channel=channel, limit=1)
    assert page["has_more"]
    rest = call(slack, "conversations.history", channel=channel, cursor=page["response_metadata"]["next_cursor"])
    assert [first["ts"]] == [each["ts"] for each in rest["messages"]]
    assert "not_in_channel" == call(slack, "conversations.history", channel=channel_ids(slack)["random"])["error"]


def test_look_ups_are_limited(slack: RunningStandin) -> None:
    """By the minute."""
    slack.set(lists_a_minute=2)
    for _ in range(2):
        call(slack, "conversations.list")
    answer = slack.http.get("/api/conversations.list", headers=BOT)
    assert (429, "30") == (answer.status_code, answer.headers["retry-after"])


@pytest.mark.parametrize(
    ("fault", "error", "messages"),
    [
        ({"own": "token_revoked"}, "token_revoked", 0),
        ({"own": "token_expired"}, "token_expired", 0),
        ({"own": "missing_scope"}, "missing_scope", 0),
        ({"own": "error", "details": {"error": "internal_error"}}, "internal_error", 0),
        ({"own": "error", "details": {"error": "fatal_error", "post": True}}, "fatal_error", 1),
    ],
)
def test_faults_of_its_own(slack: RunningStandin, fault: dict[str, Any], error: str, messages: int) -> None:
    """From the second message on, as a token that is revoked midway."""
    slack.faults({"skip": 1, "always": True, "do": fault})
    assert post(slack, text="1")["ok"]
    assert error == post(slack, text="2")["error"]
    assert 1 + messages == slack.counts()["messages"]


def test_a_message_can_be_posted_without_an_answer(slack: RunningStandin) -> None:
    """Or with one that says the server failed."""
    slack.faults({"do": {"status": 500, "apply": True}}, {"do": {"drop": "after_apply"}})
    sent = {"channel": "general", "text": "hi"}
    answer = slack.http.post("/api/chat.postMessage", json=sent, headers=BOT)
    assert (500, "internal_error") == (answer.status_code, answer.json()["error"])
    slack.advance(1)
    with pytest.raises(httpx.TransportError):
        slack.http.post("/api/chat.postMessage", json=sent, headers=BOT)
    assert 2 == slack.counts()["messages"]


@pytest.mark.parametrize(
    ("path", "content", "status", "told"),
    [
        (HOOK, b'{"text": "hi", "channel": "random"}', 200, "ok"),
        (HOOK, b"{", 400, "invalid_payload"),
        (HOOK, b"{}", 400, "no_text"),
        (HOOK, b'{"blocks": [{"type": "nothing"}]}', 400, "invalid_blocks"),
        (f"{HOOK}x", b'{"text": "hi"}', 403, "invalid_token"),
        ("/services/T1/B1/x", b'{"text": "hi"}', 404, "no_service"),
    ],
)
def test_a_webhook_answers_with_a_text(
    slack: RunningStandin, path: str, content: bytes, status: int, told: str
) -> None:
    """Whatever channel the message names, it goes to the webhook's own."""
    answer = slack.http.post(path, content=content)
    assert (status, told) == (answer.status_code, answer.text)
    assert ["general"] * (status == 200) == [each["channel_name"] for each in slack.records("messages")]


def test_a_webhooks_channel_can_be_archived(slack: RunningStandin) -> None:
    """Or have had its message of this second."""
    for _ in range(2):
        answer = slack.http.post(HOOK, json={"text": "hi"})
    assert (429, "1") == (answer.status_code, answer.headers["retry-after"])
    slack.put("channels", {"name": "general", "is_archived": True})
    answer = slack.http.post(HOOK, json={"text": "hi"})
    assert (410, "channel_is_archived") == (answer.status_code, answer.text)


def test_the_official_client_accepts_its_answers(slack: RunningStandin) -> None:
    """Messages, people, channels with their cursor, history; and it raises what is refused."""
    client = WebClient("sandbox", base_url=f"{slack.url}/api/", proxy=None)
    assert "T000SANDBOX" == client.auth_test()["team_id"]
    posted = client.chat_postMessage(channel="general", text="hi", blocks=[SECTION])
    assert "hi" == posted["message"]["text"]
    assert "ada" == client.users_lookupByEmail(email="ada@example.com")["user"]["name"]
    assert [2, 1] == [len(page["channels"]) for page in client.conversations_list(limit=2)]
    found = client.conversations_history(channel=posted["channel"], include_all_metadata=True)
    assert posted["ts"] == found["messages"][0]["ts"]
    with pytest.raises(SlackApiError) as refused:
        client.chat_postMessage(channel="random", text="hi")
    assert "not_in_channel" == refused.value.response["error"]
    with pytest.raises(SlackApiError) as limited:
        client.chat_postMessage(channel="general", text="hi")
    assert ("1", 429) == (limited.value.response.headers["retry-after"], limited.value.response.status_code)
    slack.advance(1)
    sent = WebhookClient(slack.url + HOOK).send(text="hi")
    assert (200, "ok") == (sent.status_code, sent.body)
