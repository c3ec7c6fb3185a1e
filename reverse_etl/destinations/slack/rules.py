"""What Slack would refuse, or cut without a word: messages that would not arrive whole are not sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from reverse_etl.checks._batch import broken
from reverse_etl.checks.base import Finding, Rule, Severity
from reverse_etl.checks.builtin.identifiers import Present
from reverse_etl.destinations.slack.blocks import longest
from reverse_etl.destinations.slack.items import texts
from reverse_etl.destinations.slack.template import filled

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.checks.base import AnyRule
    from reverse_etl.destinations.slack.section import Slack

MAX_TEXT: Final = 40_000
"""Characters of a message's text; Slack cuts what is beyond. Source: docs.slack.dev, chat.postMessage, 2026-11."""


def rules_of(section: Slack) -> list[AnyRule]:
    """Those for what the messages are."""
    found: list[AnyRule] = []
    if section.once_per:
        told_apart = _reject("identifier_present", "Every row has a value in the column of its key.")
        found.append(AllPresent(told_apart, section.once_per))
    found += [
        HasText(_reject("message_present", "Every message has a text."), section),
        Length(_reject("message_length", f"No text is longer than {MAX_TEXT:,} characters, or than its block takes."),
               section),
    ]  # fmt: skip
    if column := section.by_email or section.by_channel:
        word = "person" if section.by_email else "channel"
        found.append(Present(_reject(f"{word}_present", f"Every message has a {word} to go to."), column, blank=True))
    return found


def _reject(name: str, description: str) -> Rule:
    return Rule(name, Severity.REJECT, description)


@dataclass(frozen=True, slots=True)
class AllPresent:
    """What tells messages apart."""

    rule: Rule
    columns: tuple[str, ...]

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:
        """Rows without one of the values, one finding a column."""
        for name in self.columns:
            yield from Present(self.rule, name).findings(batch, started_at)


@dataclass(frozen=True, slots=True)
class HasText:
    """Messages that say something."""

    rule: Rule
    section: Slack

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002 - whenever
        """Rows whose message is empty."""
        empty = pc.equal(pc.utf8_trim_whitespace(texts(batch, self.section)), "")
        yield from broken(batch, empty, "", "the message is empty.")


@dataclass(frozen=True, slots=True)
class Length:
    """Texts that arrive whole."""

    rule: Rule
    section: Slack

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002 - whenever
        """Rows with a longer text, one finding a place."""
        too_long = pc.greater(pc.utf8_length(texts(batch, self.section)), MAX_TEXT)
        yield from broken(batch, too_long, "", f"the message is longer than {MAX_TEXT:,} characters.")
        for where, text, most in longest(self.section.blocks or ()):
            too_long = pc.greater(pc.utf8_length(filled(text, batch)), most)
            place = ".".join(map(str, where))
            yield from broken(batch, too_long, "", f"the text of blocks.{place} is longer than {most:,} characters.")
