"""What can be set of a stand-in workspace of Slack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EVERY_SCOPE: Final = "chat:write,channels:read,groups:read,channels:history,groups:history,users:read,users:read.email"


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """One workspace.

    Attributes:
        bot_token: What Web API calls have in their header.
        webhook_token: The last part of ``/services/T000SANDBOX/B000SANDBOX/...``.
        webhook_channel: The channel that the webhook was made for, by name.
        scopes: Of the bot token, with commas; ``chat:write.public`` lets it post where it is no member.
        messages_a_second: In one channel, whichever way they come; 0 switches the limit off.
        burst: Messages that a channel takes at once after a pause. No source promises more than one.
        lookups_a_minute: Of ``users.lookupByEmail`` and ``conversations.history``; 0 switches the limit off.
        lists_a_minute: Of ``conversations.list``; 0 switches the limit off.
    """

    bot_token: str = "sandbox"  # noqa: S105 - of a stand-in
    webhook_token: str = "sandbox"  # noqa: S105 - of a stand-in
    webhook_channel: str = "general"
    scopes: str = EVERY_SCOPE
    messages_a_second: float = 1.0
    burst: int = 1
    lookups_a_minute: int = 50
    lists_a_minute: int = 20
