"""The Web API's methods: a refusal is HTTP 200 with ``ok: false``; only too many calls are a 429."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer, object_of, own_fault
from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.slack import showing
from reverse_etl.sandbox.slack.posting import NotPosted, RateLimited, post
from reverse_etl.sandbox.slack.workspace import BOT_ID, BOT_USER_ID, TEAM_ID

if TYPE_CHECKING:
    from reverse_etl.sandbox.slack.standin import Slack

MAX_PAGE: Final = 1000
OWN_FAULTS: Final = {
    "token_revoked": "answers as if the token had been revoked",
    "token_expired": "answers as if the token had expired",
    "missing_scope": "answers that the token lacks the scope `needed` (chat:write)",
    "error": "answers the error `error` (fatal_error); posts the message before, if `post`; a webhook's is a text",
}
_ARGUMENTS_OF_JSON: Final = ("blocks", "attachments", "metadata")
_Arguments = dict[str, Any]


class Refused(Exception):  # noqa: N818 - an answer, made where it is found
    """``ok: false``."""

    def __init__(self, error: str, **more: str) -> None:
        super().__init__(error)
        self.answer = {"ok": False, "error": error, **more}


class WebApi:
    """The methods that there are, over one workspace."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._methods: dict[str, tuple[str, Callable[[_Arguments], dict[str, Any]]]] = {
            "auth.test": ("", self.auth_test),
            "chat.postMessage": ("chat:write", self.post_message),
            "conversations.list": ("channels:read", self.list_conversations),
            "conversations.history": ("channels:history", self.history),
            "users.lookupByEmail": ("users:read.email", self.lookup_by_email),
        }

    async def call(self, request: Request) -> Response:
        """Any method, by GET or POST."""
        name = request.path_params["method"]
        arguments, warning = await _arguments(request, takes_json=name in ("chat.postMessage", "auth.test"))
        request.scope["sandbox.items"] = int(name == "chat.postMessage")
        headers = {"x-oauth-scopes": self._slack.settings.scopes}
        try:
            self._authorize(request, arguments)
            answer = self._do(name, arguments, own_fault(request, *OWN_FAULTS))
        except (NotPosted, Refused) as refused:
            found = refused.answer if isinstance(refused, Refused) else {"ok": False, "error": str(refused)}
            return json_answer(200, found, headers)
        except RateLimited as limited:
            wait = {**headers, "retry-after": str(limited.wait_s)}
            return json_answer(429, {"ok": False, "error": "ratelimited"}, wait)
        if warning:
            answer = {**answer, "warning": warning}
            answer["response_metadata"] = {**answer.get("response_metadata", {}), "warnings": [warning]}
        return json_answer(200, {"ok": True, **answer}, headers)

    def _do(self, name: str, arguments: _Arguments, fault: Action | None) -> dict[str, Any]:
        """Does what a method is for, unless a scope is missing or a fault wants otherwise."""
        if name not in self._methods:
            raise Refused("unknown_method", req_method=name)
        scopes = self._slack.settings.scopes
        needed, do = self._methods[name]
        if fault is not None and fault.own == "missing_scope":
            needed = str(fault.details.get("needed", "chat:write"))
            raise _missing(needed, ",".join(scope for scope in scopes.split(",") if scope != needed))
        if needed and needed not in scopes.split(","):
            raise _missing(needed, scopes)
        if fault is None:
            return do(arguments)
        if fault.own != "error":
            raise Refused(str(fault.own))
        if fault.details.get("post"):
            do(arguments)
        raise Refused(str(fault.details.get("error", "fatal_error")))

    def auth_test(self, _arguments: _Arguments) -> dict[str, Any]:
        """Whose token it is."""
        return {
            "url": "https://sandbox.slack.com/",
            "team": "Sandbox",
            "user": "sandbox",
            "team_id": TEAM_ID,
            "user_id": BOT_USER_ID,
            "bot_id": BOT_ID,
            "is_enterprise_install": False,
        }

    def post_message(self, arguments: _Arguments) -> dict[str, Any]:
        """Posts into a channel, or to a person."""
        slack = self._slack
        channel = slack.workspace.find(str(arguments.get("channel") or ""))
        sent = {name: value for name, value in arguments.items() if name not in ("channel", "token")}
        message = post(
            slack.workspace,
            slack.buckets,
            slack.settings,
            channel=channel,
            sent=sent,
            now=slack.clock.now(),
            via="api",
        )
        shown = showing.show_message(message, with_metadata=True)
        return {"channel": message.channel.id, "ts": message.ts, "message": shown}

    def list_conversations(self, arguments: _Arguments) -> dict[str, Any]:
        """Channels, page by page; public ones unless `types` says otherwise."""
        self._limit("conversations.list", self._slack.settings.lists_a_minute)
        types = str(arguments.get("types") or "public_channel").split(",")
        kinds = {"public_channel": False, "private_channel": True}
        if not set(types) <= {*kinds, "mpim", "im"}:
            raise Refused("invalid_types")
        if "private_channel" in types and "groups:read" not in self._slack.settings.scopes.split(","):
            raise _missing("groups:read", self._slack.settings.scopes)
        wanted = {kinds[kind] for kind in types if kind in kinds}
        found = [
            channel
            for channel in self._slack.workspace.channels.values()
            if not channel.is_im
            and channel.is_private in wanted
            and (channel.is_member or not channel.is_private)
            and not (channel.is_archived and _is_true(arguments.get("exclude_archived")))
        ]
        page, cursor = _page(found, arguments)
        return {"channels": list(map(showing.show_channel, page)), "response_metadata": {"next_cursor": cursor}}

    def history(self, arguments: _Arguments) -> dict[str, Any]:
        """Messages of a channel, the latest first."""
        self._limit("conversations.history", self._slack.settings.lookups_a_minute)
        channel = self._slack.workspace.channels.get(str(arguments.get("channel") or ""))
        if channel is None:
            raise Refused("channel_not_found")
        if not channel.is_member:
            raise Refused("not_in_channel")
        oldest, latest = _time(arguments, "oldest", "0"), _time(arguments, "latest", "9999999999.999999")
        inclusive = _is_true(arguments.get("inclusive"))
        found = [
            message
            for message in reversed(self._slack.workspace.messages)
            if message.channel is channel
            and (oldest < message.ts < latest or (inclusive and message.ts in (oldest, latest)))
        ]
        page, cursor = _page(found, arguments)
        with_metadata = _is_true(arguments.get("include_all_metadata"))
        answer: dict[str, Any] = {
            "messages": [showing.show_message(message, with_metadata=with_metadata) for message in page],
            "has_more": bool(cursor),
            "pin_count": 0,
            "channel_actions_ts": None,
            "channel_actions_count": 0,
        }
        return {**answer, "response_metadata": {"next_cursor": cursor}} if cursor else answer

    def lookup_by_email(self, arguments: _Arguments) -> dict[str, Any]:
        """The person with an e-mail address; nobody who has left."""
        self._limit("users.lookupByEmail", self._slack.settings.lookups_a_minute)
        email = str(arguments.get("email") or "").lower()
        if not email:
            raise Refused("invalid_arguments")
        members = self._slack.workspace.members.values()
        found = next((each for each in members if each.email.lower() == email and not each.deleted), None)
        if found is None:
            raise Refused("users_not_found")
        return {"user": showing.show_member(found)}

    def _authorize(self, request: Request, arguments: _Arguments) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or str(arguments.get("token") or "")
        if not token:
            raise Refused("not_authed")
        if token != self._slack.settings.bot_token:
            raise Refused("invalid_auth")

    def _limit(self, method: str, per_minute: int) -> None:
        wait_s = self._slack.buckets.wait_s(method, self._slack.clock.now(), per_minute / 60, per_minute)
        if wait_s:
            raise RateLimited(wait_s)


async def _arguments(request: Request, *, takes_json: bool) -> tuple[_Arguments, str]:
    """The arguments from the address and the body, and Slack's warning about the body, if any.

    JSON is read by some methods alone; blocks and the like may be JSON in a text, of a form and of JSON.
    """
    found: _Arguments = dict(request.query_params)
    kind, warning = request.headers.get("content-type", ""), ""
    if not kind.startswith("application/json"):
        form = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True)
        found.update({name: values[-1] for name, values in form.items()})
    elif takes_json:
        found.update(await object_of(request))
        warning = "" if "charset" in kind else "missing_charset"
    for name in _ARGUMENTS_OF_JSON:
        if isinstance(found.get(name), str):
            try:
                found[name] = orjson.loads(found[name])
            except ValueError:
                found[name] = "not JSON"
    return found, warning


def _page(found: list[Any], arguments: _Arguments) -> tuple[list[Any], str]:
    """Some of a list, and the cursor of those that follow; empty at the end."""
    limit, cursor = str(arguments.get("limit") or 100), str(arguments.get("cursor") or "")
    if not limit.isdecimal() or not 0 < int(limit) <= MAX_PAGE:
        raise Refused("invalid_limit")
    try:
        start = int(base64.b64decode(cursor, validate=True).decode().removeprefix("from:")) if cursor else 0
    except ValueError:
        raise Refused("invalid_cursor") from None
    end = start + int(limit)
    return found[start:end], base64.b64encode(f"from:{end}".encode()).decode() if end < len(found) else ""


def _time(arguments: _Arguments, name: str, default: str) -> str:
    text = str(arguments.get(name) or default)
    seconds, _, fraction = text.partition(".")
    if not (seconds.isdecimal() and (not fraction or fraction.isdecimal())):
        raise Refused(f"invalid_ts_{name}")
    return f"{int(seconds):010d}.{fraction.ljust(6, '0')}"


def _is_true(value: Any) -> bool:
    return value in (True, "true", "1", 1)


def _missing(needed: str, scopes: str) -> Refused:
    return Refused("missing_scope", needed=needed, provided=scopes)
