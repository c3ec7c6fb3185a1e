"""What becomes of a message that is sent: refused for its content or its channel, or posted as it was received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from reverse_etl.sandbox.slack import blocks
from reverse_etl.sandbox.slack.limits import Buckets
from reverse_etl.sandbox.slack.settings import SlackSettings
from reverse_etl.sandbox.slack.workspace import Channel, Message, SlackWorkspace

CUT_AT: Final = 40_000
"""Characters of a text: what is beyond is cut, and nobody hears of it."""
MAX_MARKDOWN: Final = 12_000
MAX_ATTACHMENTS: Final = 100
MAX_METADATA_BYTES: Final = 8_000


@dataclass(slots=True)
class RateLimited(Exception):  # noqa: N818 - an answer, made where it is found
    """The channel has had its messages of this second."""

    wait_s: int


class NotPosted(Exception):  # noqa: N818 - an answer, made where it is found
    """Refused; the text is Slack's word for why."""


def post(
    workspace: SlackWorkspace,
    buckets: Buckets,
    settings: SlackSettings,
    *,
    channel: Channel | None,
    sent: dict[str, Any],
    now: float,
    via: str,
) -> Message:
    """Posts a message, and cuts its text if it is too long.

    Raises:
        NotPosted: The channel or the content is refused.
        RateLimited: The channel has had too many.
    """
    if channel is None:
        raise NotPosted("channel_not_found")
    if channel.is_archived:
        raise NotPosted("is_archived")
    may_anywhere = "chat:write.public" in settings.scopes.split(",") and not channel.is_private
    if via == "api" and not channel.is_member and not may_anywhere:
        raise NotPosted("channel_not_found" if channel.is_private else "not_in_channel")
    error = error_of(sent)
    if error is not None:
        raise NotPosted(error)
    wait_s = buckets.wait_s(f"post {channel.id}", now, settings.messages_a_second, settings.burst)
    if wait_s:
        raise RateLimited(wait_s)
    text = sent.get("text") or sent.get("markdown_text") or ""
    return workspace.post(channel, str(text)[:CUT_AT], sent, now, via)


def error_of(sent: dict[str, Any]) -> str | None:
    """Slack's word for what is wrong with a message's content; None where nothing is."""
    text, markdown, parts = sent.get("text"), sent.get("markdown_text"), sent.get("blocks")
    attachments, metadata = sent.get("attachments"), sent.get("metadata")
    if markdown and (text or parts):
        return "markdown_text_conflict"
    if not (text or markdown or parts or attachments):
        return "no_text"
    if markdown and len(str(markdown)) > MAX_MARKDOWN:
        return "msg_too_long"
    if parts and (error := blocks.error_of(parts)) is not None:
        return error
    if attachments:
        if not isinstance(attachments, list):
            return "invalid_attachments"
        if len(attachments) > MAX_ATTACHMENTS:
            return "too_many_attachments"
    return None if metadata is None else _of_metadata(metadata)


def _of_metadata(metadata: Any) -> str | None:
    if not isinstance(metadata, dict):
        return "invalid_metadata_format"
    if not (isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict)):
        return "invalid_metadata_schema"
    return "metadata_too_large" if len(orjson.dumps(metadata)) > MAX_METADATA_BYTES else None
