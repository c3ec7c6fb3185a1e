"""The section of a sync to Slack that says what its messages are, where they go, and how often at most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.intervals import Interval
from reverse_etl.config.model import Misfit, YamlModel
from reverse_etl.destinations.slack import blocks
from reverse_etl.destinations.slack.template import columns_of, leaves, problem_of

if TYPE_CHECKING:
    from reverse_etl.config.gone import Gone

_Name = Annotated[str, Field(min_length=1)]
_USUAL_DAYS: Final = 7


class OfColumn(YamlModel):
    """A message that the query makes."""

    column: _Name = Field(description="The column with the text.")


class ByRow(YamlModel):
    """Where each row goes by itself: into a channel, or to a person."""

    column: _Name | None = Field(default=None, description="The column with the channel's name or id.")
    email: _Name | None = Field(default=None, description="The column with a person's e-mail address.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """One of the two."""
        if ("column" in given) == ("email" in given):
            yield "", "needs one of `column` and `email`, as in `channel: {email: owner_email}`"
        yield from super().misfits(given)


class Slack(YamlModel):
    """Each row is one message.

    Attributes:
        channel: Where it goes; None where a webhook decides that.
        message: Its text; also what notifications show where there are blocks.
        blocks: Its layout, whose texts may name columns.
        once_per: The columns that tell one message from another; none: every row is sent.
        once_for: For how long a message counts as sent.
        max_messages: A run with more sends nothing.
        digest_above: A run with more rows sends them as lines of one message.
        on_doubt: What happens to a message when it cannot be found out whether it was posted.
    """

    channel: _Name | ByRow | None = Field(
        default=None,
        description='"#name" or an id; {column: name} or {email: name} take it from a column. Not with a webhook.',
    )
    message: _Name | OfColumn = Field(description="The text; {{column}} is replaced. Or {column: name}.")
    blocks: tuple[dict[str, Any], ...] | None = Field(
        default=None, min_length=1, description="The layout, as Slack's Block Kit has it; {{column}} is replaced."
    )
    once_per: tuple[_Name, ...] = Field(
        default=(), description="Columns: rows with values that were sent before are left out."
    )
    once_for: Interval = Field(
        default=timedelta(days=_USUAL_DAYS), description="For how long they count as sent before."
    )
    max_messages: int = Field(default=100, ge=1, le=10_000, description="A run with more messages sends none.")
    digest_above: int | None = Field(
        default=None, ge=0, description="A run with more rows sends one message that lists them."
    )
    on_doubt: Literal["leave", "resend"] = Field(
        default="leave", description="A message that may have been posted: left as a failed row, or sent again."
    )

    @property
    def by_channel(self) -> str | None:
        """The column with the channel; None where no column has it."""
        return self.channel.column if isinstance(self.channel, ByRow) else None

    @property
    def by_email(self) -> str | None:
        """The column with the person's e-mail address; None where messages go into channels."""
        return self.channel.email if isinstance(self.channel, ByRow) else None

    @property
    def records(self) -> str:
        """What a row is."""
        return "messages"

    @property
    def key(self) -> tuple[str, ...]:
        """What tells one message from another."""
        return self.once_per

    @property
    def needed(self) -> tuple[str, ...]:
        """Every column that is named."""
        return tuple(dict.fromkeys(name for _, names in named_columns(self.model_dump()) for name in names))

    @property
    def apart(self) -> tuple[str, ...]:
        """None: what is not named is not sent."""
        return ()

    @property
    def repeats(self) -> bool:
        """Of one thing there may be several rows; which of them are sent, ``once_per`` says."""
        return True

    @property
    def when_gone(self) -> Gone | None:
        """Nothing: a message stays."""
        return None

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Templates and blocks are as they must be; what goes with what."""
        for where, text in templates(given):
            if problem := problem_of(text):
                yield where, problem
        if isinstance(given.get("blocks"), (list, tuple)):
            for path, problem in blocks.problems(given["blocks"]):
                yield ("blocks", *path), problem
        if "once_for" in given and not given.get("once_per"):
            yield "once_for", "goes with once_per, as in `once_per: [company_id]`"
        if given.get("digest_above") is not None and isinstance(given.get("channel"), Mapping):
            yield "digest_above", "goes with one channel for all rows"
        yield from super().misfits(given)


def templates(given: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The texts with columns in them, by the keys at which they are; ``given`` may not be validated."""
    for key in ("message", "blocks"):
        if isinstance(given.get(key), (str, list, tuple)):
            yield from ((((key, *where)), text) for where, text in leaves(given[key]))


def named_columns(given: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], tuple[str, ...]]]:
    """The columns that a section names, by the keys at which it does; ``given`` may not be validated."""
    for where, text in templates(given):
        yield where, columns_of(text)
    for key, word in (("channel", "column"), ("channel", "email"), ("message", "column")):
        held = given.get(key)
        if isinstance(held, Mapping) and isinstance(held.get(word), str):
            yield (key, word), (held[word],)
    once_per = given.get("once_per")
    if isinstance(once_per, (list, tuple)):
        yield ("once_per",), tuple(name for name in once_per if isinstance(name, str))
