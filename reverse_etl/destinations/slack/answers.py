"""What an answer to a message means. Pure: no network, no clock, no state.

    ================================================  ============================================================
    200, ``ok: true`` with ``ts``; a webhook's "ok"   posted
    429, ``ratelimited``, ``message_limit_exceeded``  not posted: again
    an error of the token or the app                  ends the run
    any other error                                   refused; ends the run where it is about the channel of all rows
    5xx, ``internal_error``, ``fatal_error``, …       in doubt: the message may have been posted
    no answer, cut or unreadable                      the same
    ================================================  ============================================================

Source: docs.slack.dev, chat.postMessage and incoming webhooks, read 2026-11.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from reverse_etl.destinations._http.reply import Reply, try_again
from reverse_etl.destinations.base import Accepted, Answer, InDoubt, RequestRefused, TryAgain
from reverse_etl.errors import ConfigError, DestinationRefusedError, UnauthorizedError
from reverse_etl.report import Reason

AGAIN: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
DOUBTFUL: Final = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error", "team_added_to_org"}
)
"""Slack says of the first two that "some aspect of the operation" may have succeeded."""
_OF_TOKEN: Final = frozenset(
    {
        "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "no_permission",
        "ekm_access_denied", "org_login_required", "not_allowed_token_type", "access_denied",
        "two_factor_setup_required", "team_access_not_granted",
    }
)  # fmt: skip
_OF_WEBHOOK: Final = frozenset({"invalid_token", "no_service", "no_active_hooks", "action_prohibited", "team_disabled"})
_OF_CHANNEL: Final = {
    "channel_not_found": "there is no such channel, or the app may not see it: invite it into a private one.",
    "not_in_channel": "the app is not in the channel: invite it, or give it the scope chat:write.public.",
    "is_archived": "the channel is archived.",
    "channel_is_archived": "the channel is archived.",
    "user_not_found": "there is no such person in the workspace.",
    "users_not_found": "nobody in the workspace has this e-mail address.",
    "cannot_dm_bot": "a bot takes no message from another one.",
    "restricted_action": "the workspace does not let the app post there.",
    "posting_to_general_channel_denied": "the workspace does not let the app post there.",
}
_NAMED_WRONGLY: Final = frozenset({"channel_not_found", "is_archived", "channel_is_archived", "user_not_found"})
_WORDS: Final = {
    "msg_too_long": "the message is too long.",
    "no_text": "the message is empty.",
    "invalid_blocks": "Slack does not take the message's blocks.",
    "invalid_blocks_format": "Slack does not take the message's blocks.",
    "msg_blocks_too_long": "the message's blocks are too long all together.",
    "too_many_attachments": "the message has too many attachments.",
}


def answer_of(reply: Reply | TryAgain, *, label: str, one_channel: bool) -> Answer | InDoubt:
    """Reads the Web API's answer to a message.

    Args:
        reply: The answer, or why there is none.
        label: What messages call the destination.
        one_channel: Whether all rows go there.

    Raises:
        UnauthorizedError: The token is refused, or lacks a scope.
        ConfigError: There is no such channel, or it is archived.
        DestinationRefusedError: No message of this sync can be posted.
    """
    if isinstance(reply, TryAgain):
        return reply if reply.not_sent else InDoubt(reply.cause)
    if (early := _by_status(reply, label)) is not None:
        return early
    read = reply.json
    if not isinstance(read, dict) or type(read.get("ok")) is not bool:
        return InDoubt(f"HTTP {reply.status} without an answer of Slack's")
    if read["ok"]:
        return Accepted() if read.get("ts") else InDoubt("an answer that does not name the message")
    error = str(read.get("error") or "unknown_error")
    if error in AGAIN:
        return try_again_of(reply, error)
    if error in DOUBTFUL:
        return InDoubt(error)
    stop_for_token(read, label)
    return refused(error, label=label, one_channel=one_channel)


def webhook_answer_of(reply: Reply | TryAgain, *, label: str) -> Answer | InDoubt:
    """Reads a webhook's answer, a text. Raises as ``answer_of``."""
    if isinstance(reply, TryAgain):
        return reply if reply.not_sent else InDoubt(reply.cause)
    error = reply.body.decode(errors="replace").strip()
    if reply.status != 200 and error in _OF_WEBHOOK:
        raise UnauthorizedError(
            f"{label}: Slack refused the webhook ({error}).",
            hint="Make a new one in the app's settings, and set the variable behind webhook_url in connections.yaml.",
        )
    if reply.status in (400, 403, 404, 410) and error in _OF_CHANNEL:
        return refused(error, label=label, one_channel=True)
    if (early := _by_status(reply, label, webhook=True)) is not None:
        return early
    if reply.status == 200:
        return Accepted() if error == "ok" else InDoubt("HTTP 200 without an answer of Slack's")
    return refused(error if error.replace("_", "").isalpha() else "refused", label=label, one_channel=False)


def stop_for_token(read: dict[str, Any], label: str) -> None:
    """Raises UnauthorizedError where an error is about the token or the app."""
    error = str(read.get("error") or "")
    if error == "missing_scope":
        needed = str(read.get("needed") or "that it needs")
        raise UnauthorizedError(
            f"{label}: the token lacks the scope {needed}.",
            hint="Add it under OAuth & Permissions in the app's settings, and install the app again.",
        )
    if error in _OF_TOKEN:
        raise UnauthorizedError(
            f"{label}: Slack refused the token ({error}).",
            hint="Check the variable behind bot_token in connections.yaml: it holds the Bot User OAuth Token, xoxb-….",
        )


def refused(error: str, *, label: str, one_channel: bool) -> RequestRefused:
    """A lasting no to one message. Raises ConfigError, DestinationRefusedError: it is about the channel of all."""
    about_channel = _OF_CHANNEL.get(error) or (_OF_CHANNEL["restricted_action"] if "restricted" in error else None)
    if about_channel and one_channel:
        kind = ConfigError if error in _NAMED_WRONGLY else DestinationRefusedError
        raise kind(
            f"{label}: Slack does not let the app post into the channel ({error}): {about_channel}",
            hint="Check channel in the sync's file.",
        )
    return RequestRefused(Reason(error, "", about_channel or _WORDS.get(error, "Slack does not take the message.")))


def try_again_of(reply: Reply, error: str = "") -> TryAgain:
    """A rate limit, with the wait that Slack asks for."""
    found = try_again(reply)
    return TryAgain(error or found.cause, after_s=found.after_s, slow_down=True)


def _by_status(reply: Reply, label: str, *, webhook: bool = False) -> Answer | InDoubt | None:
    """What a status means whatever is in the body; None where the body says it."""
    if reply.status == 429:
        return try_again_of(reply)
    if reply.passes:
        return InDoubt(f"HTTP {reply.status}")
    if reply.status == 401:
        _refuse_credentials(label, webhook=webhook)
    if reply.status == 200 or (webhook and reply.status in (400, 403, 404, 410, 413)):
        return None
    raise DestinationRefusedError(
        f"{label}: Slack's API answered HTTP {reply.status}.",
        hint=f"Check {'webhook_url' if webhook else 'url'} in connections.yaml.",
    )


def _refuse_credentials(label: str, *, webhook: bool) -> NoReturn:
    key = "webhook_url" if webhook else "bot_token"
    raise UnauthorizedError(
        f"{label}: Slack refused the credentials (HTTP 401).",
        hint=f"Check the variable behind {key} in connections.yaml.",
    )
