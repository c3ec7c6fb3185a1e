"""Slack as a destination: one sync's way into one workspace. ``delivery`` decides what is sent when.

A row is one message. Above ``digest_above`` the rows are lines of one message: the items of one request.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from reverse_etl.changeset import columns
from reverse_etl.destinations.base import Accepted, Answer, InDoubt, Limits, RequestRefused, TryAgain
from reverse_etl.destinations.powers import Fate
from reverse_etl.destinations.slack import client, history, items
from reverse_etl.destinations.slack.answers import refused
from reverse_etl.destinations.slack.channels import Channels
from reverse_etl.destinations.slack.environment import at_address
from reverse_etl.destinations.slack.sent_before import SentBefore
from reverse_etl.errors import CheckFailedError, ConfigError, ReverseEtlError, UnauthorizedError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience
from reverse_etl.report import Reason

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.destinations.base import KeptBack
    from reverse_etl.destinations.request_powers import SentKeys
    from reverse_etl.destinations.slack.client import Client
    from reverse_etl.destinations.slack.config import Config
    from reverse_etl.destinations.slack.sync import Outgoing

MAX_MESSAGE_BYTES: Final = 400_000
"""Far above what the rules let pass: a character of a message has 6 bytes at most, in JSON."""
MAX_DIGEST_BYTES: Final = 39_000
"""Slack cuts a text at 40,000 characters."""
MAX_LINES: Final = 5_000

_IN_DOUBT: Final = Reason("in_doubt", "", "the answer was lost: the message may have been posted.")


@asynccontextmanager
async def opened(
    sync: Outgoing, config: Config, *, patience: Patience | None = None, clock: Clock | None = None
) -> AsyncIterator[SlackWorkspace]:
    """A workspace, ready for one run of one sync; nothing is asked or sent before ``prepare``."""
    clock = clock or Clock()
    async with client.opened(config, clock) as workspace:
        yield SlackWorkspace(sync, config, workspace, patience or Patience.of_run(config.label, clock))


class SlackWorkspace:
    """A ``destinations.base.Destination`` that sends each message once, and knows what it sent before."""

    once = True

    def __init__(self, sync: Outgoing, config: Config, workspace: Client, patience: Patience) -> None:
        self.name, self.kind = config.label, config.type
        self._sync = sync
        self.limits = self._limits(config, 1, MAX_MESSAGE_BYTES)
        self.requests_per_second_per_key = config.messages_per_second_per_channel
        self.recipient = at_address(config)
        self.remembers_for_s = int(sync.slack.once_for.total_seconds()) if sync.slack.once_per else 0
        self._config = config
        self._client = workspace
        self._patience = patience
        self._channels = Channels(workspace, patience, config.label)
        self._people: dict[str, str | None] = {}
        self._run_id, self._since = "push", 0
        self._sent_before = SentBefore(sync, config.name)
        self._digest = False
        self._looked_for: set[str] = set()
        self.only_reads = True

    def of_run(self, run_id: str, started_at: int) -> None:
        """The run whose messages these are, and from when on they are looked for."""
        self._run_id, self._since = run_id, max(0, started_at - history.BEFORE_S)

    def remember(self, sent: SentKeys) -> None:
        """Where the keys of messages are kept."""
        self._sent_before.keys = sent

    @property
    def doubt(self) -> str:
        """What a retry does with a message in doubt."""
        if self._sent_before.keys is None:
            return "Look there before a retry, which sends it again."
        return (
            "It counts as sent, so that a retry leaves it out. If it is not there, send it again: set "
            "`on_doubt: resend`, then retry."
        )

    async def prepare(self) -> None:
        """Makes sure that the credential is taken, and the channel of all rows too. Raises DestinationError."""
        channel = self._sync.slack.channel
        if self._config.webhook_url is not None and channel is not None:
            raise ConfigError(f"{self.name}: a webhook posts into the channel it was made for.", hint="Drop channel.")
        if self._config.webhook_url is None and channel is None:
            raise ConfigError(f"{self.name}: the messages need a channel.", hint='Add `channel: "#name"`.')
        team = await self._client.who_is_there(self._patience)
        self.recipient = type(self.recipient)(self.recipient.address, team)
        self._require_scopes()
        if isinstance(channel, str):
            await self._channels.require(channel)
        elif self._sync.slack.by_channel:
            await self._channels.load()

    async def before_delivery(self, parts: Parts, outcomes: Outcomes) -> None:
        """Finds the rows that were sent before, and whether the others are too many.

        Raises:
            CheckFailedError: They are.
        """
        await self._settle_earlier(parts, outcomes)
        messages = await asyncio.to_thread(self._sent_before.messages, parts, outcomes)
        section = self._sync.slack
        if section.digest_above is not None and messages > section.digest_above:
            self._digest = True
            self.limits = self._limits(self._config, MAX_LINES, MAX_DIGEST_BYTES)
        elif messages > section.max_messages:
            raise CheckFailedError(
                f"{messages:,} messages would be sent, and max_messages is {section.max_messages:,}: none was sent.",
                hint="Raise max_messages, or send one message that lists them: `digest_above: 20`.",
            )

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:  # noqa: ARG002 - there is one
        """Rows of which a message was sent before."""
        return self._sent_before.kept_back(batch)

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """What tells each row's message from others."""
        return columns.identifiers(batch, self._sync.stream(stream))

    def repeats(self, stream: str) -> bool:  # noqa: ARG002 - there is one
        """Messages into a channel keep their order: all of them are in one queue, and the channel has its pace."""
        return False

    def items(self, batch: pa.RecordBatch, stream: str) -> list[bytes]:  # noqa: ARG002 - there is one
        """Each row as one message."""
        return items.items(batch, self._sync, place=self._config.name, run_id=self._run_id, blocks=not self._digest)

    def pace_keys(self, items: Sequence[bytes]) -> Sequence[str]:
        """The channel."""
        first = orjson.loads(items[0])
        return (str(first.get("channel") or first.get("email") or ""),)

    async def send(self, items: Sequence[bytes]) -> Answer:
        """As ``send_once``, for callers that do not settle doubts: what is in doubt is refused for it."""
        answer = await self.send_once(items)
        return RequestRefused(_IN_DOUBT) if isinstance(answer, InDoubt) else answer

    async def send_once(self, items: Sequence[bytes]) -> Answer | InDoubt:
        """One message. Its keys are kept before it leaves, so that no later run sends it again.

        Raises:
            UnauthorizedError: The credentials are refused.
            DestinationRefusedError: No message of this sync can be posted.
            StateError: Its keys cannot be kept.
        """
        rows = [orjson.loads(each) for each in items]
        channel = await self._channel_of(rows[0])
        if isinstance(channel, TryAgain | RequestRefused):
            return channel
        await self._sent_before.keep(rows)
        try:
            answer = await self._client.post(self._message(rows, channel), one_channel=self._one_channel)
        except ReverseEtlError:
            await self._sent_before.forget(rows)
            raise
        if isinstance(answer, Accepted):
            await self._sent_before.settle(rows)
        elif not isinstance(answer, InDoubt):
            await self._sent_before.forget(rows)
        return answer

    async def fate(self, items: Sequence[bytes]) -> Fate | TryAgain:
        """Whether a message is in its channel; a webhook cannot be asked. Raises as ``send_once``."""
        rows = [orjson.loads(each) for each in items]
        found = await self._looked_up(rows)
        if isinstance(found, TryAgain):
            return found
        if found is Fate.WRITTEN:
            await self._sent_before.settle(rows)
        if found is Fate.UNKNOWN and self._sync.slack.on_doubt == "resend":
            return Fate.NOT_WRITTEN
        return found

    async def _settle_earlier(self, parts: Parts, outcomes: Outcomes) -> None:
        """Asks the channels about messages that other runs may have sent, of the rows that this one has."""
        for row, since in await asyncio.to_thread(self._sent_before.in_doubt, parts, outcomes, self._encoded):
            ask = partial(self._fate_of_earlier, row, since - history.BEFORE_S)
            found: Fate = await self._patience.until_settled(ask)
            surely = found is Fate.WRITTEN
            if found is Fate.UNKNOWN:
                found = Fate.NOT_WRITTEN if self._sync.slack.on_doubt == "resend" else Fate.WRITTEN
            elif found is Fate.WRITTEN:
                await self._sent_before.settle([row])
            if found is Fate.WRITTEN:
                self._sent_before.counts_as_sent(row, surely=surely)

    async def _fate_of_earlier(self, row: dict[str, Any], since: int) -> Fate | TryAgain:
        channel = await self._readable_channel(row)
        if not isinstance(channel, str):
            return channel
        return await history.fate_of(self._client, channel, once=row["once"], since=since)

    def _encoded(self, batch: pa.RecordBatch) -> list[bytes]:
        return items.items(batch, self._sync, place=self._config.name, run_id=self._run_id, blocks=False)

    async def _readable_channel(self, row: dict[str, Any]) -> str | Fate | TryAgain:
        """The id of where a message goes, if that may be read."""
        if self._config.webhook_url is not None:
            return Fate.UNKNOWN
        channel = await self._channel_of(row)
        if isinstance(channel, TryAgain):
            return channel
        readable = isinstance(channel, str) and channel.startswith(("C", "G"))
        return channel if readable and isinstance(channel, str) else Fate.UNKNOWN

    async def _looked_up(self, rows: Sequence[dict[str, Any]]) -> Fate | TryAgain:
        channel = await self._readable_channel(rows[0])
        if not isinstance(channel, str):
            return channel
        key = _key_of(rows)
        found = await history.fate_of(self._client, channel, key=key, since=self._since)
        if found is Fate.NOT_WRITTEN and key not in self._looked_for:
            self._looked_for.add(key)
            return TryAgain("the channel does not show the message yet", after_s=history.SHOWN_AFTER_S)
        return found

    async def _channel_of(self, row: dict[str, Any]) -> str | TryAgain | RequestRefused:
        """The id of where a message goes; empty for a webhook."""
        if "email" in row:
            return await self._person(row["email"])
        if "channel" not in row:
            return ""
        found = self._channels.known(row["channel"])
        return found or refused("channel_not_found", label=self.name, one_channel=self._one_channel)

    async def _person(self, email: str) -> str | TryAgain | RequestRefused:
        if email not in self._people:
            read = await self._client.ask("users.lookupByEmail", email=email)
            if isinstance(read, TryAgain):
                return read
            user = read.get("user")
            self._people[email] = str(user.get("id")) if read["ok"] and isinstance(user, dict) else None
        return self._people[email] or refused("users_not_found", label=self.name, one_channel=False)

    def _message(self, rows: Sequence[dict[str, Any]], channel: str) -> dict[str, Any]:
        message: dict[str, Any] = {"channel": channel} if channel else {}
        message["text"] = "\n".join(row["text"] for row in rows)
        if "blocks" in rows[0]:
            message["blocks"] = rows[0]["blocks"]
        if channel:
            message["metadata"] = history.metadata_of(_key_of(rows), [row["once"] for row in rows if "once" in row])
        return message

    @property
    def _one_channel(self) -> bool:
        return self._sync.slack.channel is None or isinstance(self._sync.slack.channel, str)

    def _require_scopes(self) -> None:
        """Raises UnauthorizedError where Slack says what the token may do, and that is not enough."""
        needed = {"chat:write"}
        if self._sync.slack.by_email:
            needed.add("users:read.email")
        missing = sorted(needed - self._client.scopes) if self._client.scopes else []
        if missing:
            raise UnauthorizedError(
                f"{self.name}: the token lacks the scope {' and '.join(missing)}.",
                hint="Add it under OAuth & Permissions in the app's settings, and install the app again.",
            )

    def _limits(self, config: Config, most: int, size: int) -> Limits:
        return Limits(
            max_item_bytes=size,
            max_request_bytes=size,
            envelope_bytes=0,
            max_items=most,
            requests_per_second=config.requests_per_second,
            # One after the other, messages into one channel keep the order of the rows.
            max_requests_in_flight=1 if self._one_channel else config.max_requests_in_flight,
        )


def _key_of(rows: Sequence[dict[str, Any]]) -> str:
    """Of a message: its row's, or made of those of its lines."""
    keys = [str(row.get("key", "")) for row in rows]
    return keys[0] if len(keys) == 1 else hashlib.blake2b("".join(keys).encode(), digest_size=16).hexdigest()
