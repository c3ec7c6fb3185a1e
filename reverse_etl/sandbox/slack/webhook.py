"""The incoming webhook: a secret address, answers that are texts. Channel and name in the message are ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from reverse_etl.sandbox.base import own_fault
from reverse_etl.sandbox.slack.posting import NotPosted, RateLimited, post
from reverse_etl.sandbox.slack.web_api import OWN_FAULTS
from reverse_etl.sandbox.slack.workspace import BOT_ID, TEAM_ID

if TYPE_CHECKING:
    from reverse_etl.sandbox.slack.standin import Slack

PATH: Final = f"/services/{TEAM_ID}/{BOT_ID}/"
_STATUS: Final = {
    "channel_not_found": 404,
    "channel_is_archived": 410,
    "no_service": 404,
    "no_active_hooks": 404,
    "invalid_token": 403,
    "action_prohibited": 403,
    "posting_to_general_channel_denied": 403,
    "team_disabled": 403,
    "token_revoked": 403,
    "rollup_error": 500,
    "fatal_error": 500,
}
"""400 to any other."""
_WORDS: Final = {"is_archived": "channel_is_archived", "token_revoked": "no_service", "token_expired": "no_service"}
_IGNORED: Final = ("channel", "username", "icon_emoji", "icon_url")


class Webhook:
    """One webhook, of one channel."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def post(self, request: Request) -> Response:
        """Posts a message."""
        slack = self._slack
        if request.path_params["token"] != slack.settings.webhook_token:
            return _text("invalid_token")
        sent = await _payload(request)
        if sent is None:
            return _text("invalid_payload")
        request.scope["sandbox.items"] = 1
        channel = slack.workspace.find(slack.settings.webhook_channel)
        fault = own_fault(request, *OWN_FAULTS)
        try:
            if fault is None or fault.details.get("post"):
                post(
                    slack.workspace,
                    slack.buckets,
                    slack.settings,
                    channel=channel,
                    sent={name: value for name, value in sent.items() if name not in _IGNORED},
                    now=slack.clock.now(),
                    via="webhook",
                )
        except NotPosted as refused:
            return _text(str(refused))
        except RateLimited as limited:
            return PlainTextResponse("rate_limited", 429, {"retry-after": str(limited.wait_s)})
        if fault is not None:
            return _text(str(fault.details.get("error", "fatal_error") if fault.own == "error" else fault.own))
        return PlainTextResponse("ok")

    async def unknown(self, _request: Request) -> Response:
        """An address that was never one."""
        return _text("no_service")


async def _payload(request: Request) -> dict[str, Any] | None:
    """What was sent: JSON, or a form whose ``payload`` is."""
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        body = parse_qs(body.decode(errors="replace")).get("payload", [""])[0].encode()
    try:
        content = orjson.loads(body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _text(error: str) -> Response:
    word = _WORDS.get(error, error)
    return PlainTextResponse(word, _STATUS.get(word, 400))
