"""Sentences about what one run read: why it was everything, and what the next one reads again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reverse_etl.changeset.asked import asked, difference, sentence
from reverse_etl.changeset.number_for_time import number_for_time
from reverse_etl.changeset.watermark import warning
from reverse_etl.sources.powers import EVERY_ROW

if TYPE_CHECKING:
    from reverse_etl.changeset.extract import Before
    from reverse_etl.changeset.from_log import FromLog
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.sources.base import Session, Start
    from reverse_etl.sources.powers import Mark


def why_everything(before: Before, seen: Mark | None, log: FromLog | None) -> str | None:
    """Why everything is read though changes are asked for, empty where nothing is remembered; None if it is not."""
    if before.lost:
        return "The list of the failed rows of earlier runs is gone, so everything was read again."
    if seen is not None and seen.changed == EVERY_ROW:
        return seen.note
    if log is not None and log.keys is None:
        return log.note
    return None


def notes_on(
    sync: SyncConfig, before: Before, start: Start, read_from: int, everything: str | None, *, dialect: Dialect
) -> Iterator[str]:
    """Sentences about what was read, or will be read again."""
    if everything is not None:
        if everything:
            yield everything
    elif before.mark.last_sync_time and not read_from and before.mark.reach(None):
        yield (
            f"The database's clock is behind the last sync time, {_utc(before.mark.last_sync_time)}: it was set back, "
            "so everything was read again."
        )
    parts = difference(before.asked, asked(sync, dialect)) if before.asked else []
    if parts and read_from:
        yield sentence(parts, sync.name, read_from)
    if held_back := warning(start):
        yield held_back


def numbers_for_times(sync: SyncConfig, session: Session, dialect: Dialect) -> list[str]:
    """Warnings of texts that are compared with last sync time as it is, each with its file and line."""
    found = number_for_time(sync.streams, session, dialect)
    return [f"{sync.line_of(stream.at, line)}: {text}." for stream, line, text in found]


def _utc(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
