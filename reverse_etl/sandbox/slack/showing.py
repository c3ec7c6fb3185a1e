"""How the Web API shows a message, a channel, a person."""

from __future__ import annotations

from typing import Any

from reverse_etl.sandbox.slack.workspace import BOT_ID, BOT_USER_ID, TEAM_ID, Channel, Member, Message

Shown = dict[str, Any]


def show_message(message: Message, *, with_metadata: bool) -> Shown:
    """A message; its metadata only where they are asked for."""
    shown: Shown = {
        "type": "message",
        "subtype": "bot_message",
        "text": message.text,
        "ts": message.ts,
        "user": BOT_USER_ID,
        "bot_id": BOT_ID,
        "team": TEAM_ID,
    }
    for name in ("blocks", "thread_ts"):
        if message.sent.get(name):
            shown[name] = message.sent[name]
    if with_metadata and message.sent.get("metadata"):
        shown["metadata"] = message.sent["metadata"]
    return shown


def show_channel(channel: Channel) -> Shown:
    """A channel."""
    nothing = {"value": "", "creator": "", "last_set": 0}
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_im": channel.is_im,
        "is_mpim": False,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_general": channel.name == "general",
        "is_member": channel.is_member,
        "is_shared": False,
        "is_org_shared": False,
        "created": 1_700_000_000,
        "creator": BOT_USER_ID,
        "unlinked": 0,
        "num_members": int(channel.is_member),
        "topic": nothing,
        "purpose": nothing,
    }


def show_member(member: Member) -> Shown:
    """A person."""
    profile = {
        "real_name": member.name,
        "real_name_normalized": member.name,
        "display_name": member.name,
        "display_name_normalized": member.name,
        "email": member.email,
        "avatar_hash": "",
        "title": "",
        "phone": "",
        "skype": "",
        "status_text": "",
        "status_emoji": "",
        "fields": None,
        "team": TEAM_ID,
    }
    return {
        "id": member.id,
        "team_id": TEAM_ID,
        "name": member.name,
        "deleted": member.deleted,
        "real_name": member.name,
        "profile": profile,
        "is_bot": False,
        "is_app_user": False,
        "updated": 1_700_000_000,
    }
