"""The contents of one workspace: channels, people, and the messages as they were received."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

TEAM_ID: Final = "T000SANDBOX"
BOT_ID: Final = "B000SANDBOX"
BOT_USER_ID: Final = "U000SANDBOX"


@dataclass(slots=True)
class Channel:
    """A channel, or the conversation with one person (``D…``)."""

    id: str
    name: str
    is_private: bool = False
    is_archived: bool = False
    is_member: bool = True
    is_im: bool = False


@dataclass(slots=True)
class Member:
    """A person."""

    id: str
    name: str
    email: str
    deleted: bool = False


@dataclass(slots=True)
class Message:
    """A message. ``sent`` are the arguments that came with it, untouched; ``text`` is what became of theirs."""

    ts: str
    channel: Channel
    text: str
    via: str
    sent: dict[str, Any] = field(default_factory=dict)


class SlackWorkspace:
    """Everything a workspace holds; it begins with three channels and three people."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.members: dict[str, Member] = {}
        self.messages: list[Message] = []
        self._last_ts_us = 0
        self.add_channel("general")
        self.add_channel("random", is_member=False)
        self.add_channel("old-alerts", is_archived=True)
        self.add_member("ada", "ada@example.com")
        self.add_member("bob", "bob@example.com")
        self.add_member("cy", "cy@example.com", deleted=True)

    def add_channel(self, name: str, **more: Any) -> Channel:
        """A new channel."""
        letter = "D" if more.get("is_im") else "G" if more.get("is_private") else "C"
        channel = Channel(f"{letter}{len(self.channels) + 1:09d}X", name, **more)
        self.channels[channel.id] = channel
        return channel

    def add_member(self, name: str, email: str, **more: Any) -> Member:
        """A new person."""
        member = Member(f"U{len(self.members) + 1:09d}X", name, email, **more)
        self.members[member.id] = member
        return member

    def find(self, channel: str) -> Channel | None:
        """The channel of an id or a name, or the conversation with a person who has not left, made if need be."""
        if channel in self.channels:
            return self.channels[channel]
        name = channel.removeprefix("#")
        member = self.members.get(name.removeprefix("@"))
        if member is not None and member.deleted:
            return None
        if member is not None:
            name = f"dm-{member.id}"
        found = next((each for each in self.channels.values() if each.name == name), None)
        if found is None and member is not None:
            return self.add_channel(name, is_im=True, is_private=True)
        return found

    def post(self, channel: Channel, text: str, sent: dict[str, Any], now: float, via: str) -> Message:
        """Keeps a message under a time of its own."""
        self._last_ts_us = max(self._last_ts_us + 1, int(now * 1_000_000))
        seconds, microseconds = divmod(self._last_ts_us, 1_000_000)
        message = Message(f"{seconds}.{microseconds:06d}", channel, text, via, sent)
        self.messages.append(message)
        return message
