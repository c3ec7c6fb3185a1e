"""What a sync asks for, part by part, so that a run can name what is not as it was when the last one completed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reverse_etl.config.sql_text import PLACEHOLDER, blank_placeholders, reads_changes, tokens_of
from reverse_etl.config.streams import ROWS

if TYPE_CHECKING:
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.config.syncs import SyncConfig

_DIGITS: Final = 16


def asked(sync: SyncConfig, dialect: Dialect) -> dict[str, str]:
    """A short hash of each part of a sync that sets which rows are sent, and as what.

    Args:
        sync: The sync.
        dialect: Its database's.

    Returns:
        By the part's name as people know it: ``query``, ``people.identify_by``, ``relationships.query``. Comments,
        white space and the case of SQL's own words make no difference; a key that is left out is its default.
    """
    found = {"database": _hash(sync.database), "query": _hash(_normal(sync.query, dialect))}
    for stream in sync.streams:
        # Keys that are not there have no hash: so a file that was written before they could be is as it was.
        before = "" if stream.name == ROWS else f"{stream.name}."
        found |= {f"{before}{key}": _hash(text) for key, text in sync.shape(stream.name).asked().items()}
    for section, keys in sync.asked().items():
        found[section] = _hash("")
        for key, value in keys.items():
            text = _normal(value, dialect) if key == "query" else json.dumps(value, sort_keys=True)
            found[f"{section}.{key}"] = _hash(text)
    return found


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The parts that are not as they were, in order; a section that came or went is one."""
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    whole = {name for name in names if "." not in name}
    return [name for name in names if name in whole or name.partition(".")[0] not in whole]


def reads_only_changes(sync: SyncConfig) -> bool:
    """Whether one of its queries returns only what changed."""
    return any(reads_changes(stream.query) for stream in sync.streams)


def reads_by_time(sync: SyncConfig) -> bool:
    """Whether one of its queries is given the last sync time."""
    return any(PLACEHOLDER.search(stream.query) for stream in sync.streams)


def sentence(parts: list[str], sync: str, read_from: int) -> str:
    """The message of a run that reads only what changed, after the sync's file was changed."""
    since = datetime.fromtimestamp(read_from, UTC)
    named = " and ".join("The query" if part == "query" else part for part in parts)
    return (
        f"{named} changed since the last completed run, but only rows that changed since {since:%Y-%m-%d %H:%M:%S} UTC "
        f"were read. To send all rows: reverse-etl run {sync} --full"
    )


def _normal(sql: str, dialect: Dialect) -> str:
    """The query's tokens: without comments, white space, the case of words of SQL and semicolons at the end."""
    from sqlglot import TokenType
    from sqlglot.errors import TokenError

    named = PLACEHOLDER.sub("{{last_sync_time}}", sql)
    try:
        tokens = tokens_of(blank_placeholders(named), dialect)
    except TokenError:
        return " ".join(named.split())
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    as_written = {
        TokenType.VAR,
        TokenType.STRING,
        TokenType.IDENTIFIER,
        TokenType.NATIONAL_STRING,
        TokenType.RAW_STRING,
    }
    return "\0".join(
        f"{token.token_type.name} {token.text if token.token_type in as_written else token.text.upper()}"
        for token in tokens
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
