"""The channels of a workspace by their names and ids, listed once a run, page by page and no further than needed."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import ConfigError, DestinationRefusedError, UnauthorizedError

if TYPE_CHECKING:
    from reverse_etl.destinations.slack.client import Client
    from reverse_etl.pacing.retry import Patience

_PAGE: Final = "1000"
# https://docs.slack.dev/reference/objects/conversation-object, read 2026-11: what the first letter of an id means.
_ID: Final = re.compile(r"[CGDUW][A-Z0-9]{6,}")
_OF_CHANNEL: Final = ("C", "G")


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel.

    Attributes:
        id: Slack's.
        is_member: Whether the app is in it.
    """

    id: str
    is_archived: bool = False
    is_member: bool = True
    is_private: bool = False


def is_id(name: str) -> bool:
    """Whether a text is an id, of a channel or of a person."""
    return _ID.fullmatch(name) is not None


class Channels:
    """Those that the app may see.

    Args:
        client: The workspace.
        patience: The run's retry budget.
        label: What messages call the destination.
    """

    def __init__(self, client: Client, patience: Patience, label: str) -> None:
        self._client = client
        self._patience = patience
        self._label = label
        self._by_name: dict[str, Channel] = {}
        self._by_id: dict[str, Channel] = {}
        self._cursor: str | None = None
        self._types = "public_channel,private_channel"
        self._complete = False

    def known(self, name: str) -> str | None:
        """The id of a channel by what a row calls it; None where there is none of that name."""
        if is_id(name):
            return name
        found = self._by_name.get(name.removeprefix("#").lower())
        return found.id if found else None

    async def load(self) -> None:
        """Lists all of them. Raises DestinationError."""
        while not self._complete:
            await self._page()

    async def require(self, name: str) -> None:
        """Makes sure that the app may post into a channel, as far as that can be known before.

        Raises:
            ConfigError: There is no such channel, or it is archived.
            DestinationError: The app is not in it, or the channels cannot be listed.
        """
        if is_id(name) and not name.startswith(_OF_CHANNEL):
            return
        try:
            while (channel := self._find(name)) is None and not self._complete:
                await self._page()
        except UnauthorizedError:
            # With an id the list is a courtesy: Slack itself says what is wrong with the channel.
            if is_id(name):
                return
            raise
        if channel is None and is_id(name) and self._types == "public_channel":
            return
        if channel is None:
            raise ConfigError(
                f"{self._label}: there is no channel {name}{self._near(name)}, or the app may not see it.",
                hint="Check channel in the sync's file; a private channel is seen by those who were invited.",
            )
        if channel.is_archived:
            raise ConfigError(f"{self._label}: channel {name} is archived.", hint="Name another, or restore it.")
        everywhere = "chat:write.public" in (self._client.scopes or ()) and not channel.is_private
        if not channel.is_member and not everywhere:
            raise DestinationRefusedError(
                f"{self._label}: the app is not in channel {name}.",
                hint="Invite it there (/invite), or give it the scope chat:write.public.",
            )

    def _find(self, name: str) -> Channel | None:
        return self._by_id.get(name) if is_id(name) else self._by_name.get(name.removeprefix("#").lower())

    def _near(self, name: str) -> str:
        near = difflib.get_close_matches(name.removeprefix("#").lower(), self._by_name, n=1)
        return f" (did you mean #{near[0]}?)" if near else ""

    async def _page(self) -> None:
        asked = {"limit": _PAGE, "types": self._types} | ({"cursor": self._cursor} if self._cursor else {})
        try:
            read = await self._patience.until_settled(partial(self._client.ask, "conversations.list", **asked))
        except UnauthorizedError as error:
            if "groups:read" not in error.message or self._types == "public_channel":
                raise
            self._types = "public_channel"
            return
        for each in read.get("channels") or ():
            channel = Channel(
                str(each.get("id")),
                bool(each.get("is_archived")),
                bool(each.get("is_member")),
                bool(each.get("is_private")),
            )
            self._by_id[channel.id] = channel
            self._by_name.setdefault(str(each.get("name")).lower(), channel)
        self._cursor = str((read.get("response_metadata") or {}).get("next_cursor") or "")
        self._complete = not self._cursor
