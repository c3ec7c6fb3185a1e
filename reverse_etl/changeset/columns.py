"""Which columns of a result have a meaning of their own, and which are attributes.

Names are matched exactly as the query spells them. What the values must look like is for the checks.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from reverse_etl.changeset.text import as_text
from reverse_etl.config.api_words import API_WORDS
from reverse_etl.config.dialect import UNKNOWN, Dialect
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.config.syncs import SyncConfig


def identifier_column(sync: SyncConfig, query: str) -> str:
    """The column that names the person, or for objects the object; it is the identifier that failed rows show."""
    if query == "relationships" and sync.relationships is not None:
        return sync.relationships.identify_by
    if sync.people is not None:
        return sync.people.identify_by
    if sync.events is not None:
        return sync.events.identify_by
    return "object_id"


def required_columns(sync: SyncConfig, query: str) -> tuple[str, ...]:
    """The columns without which no row of the query can be sent."""
    identifier = identifier_column(sync, query)
    if query == "relationships":
        return (identifier, "object_id")
    if sync.events is not None:
        return (identifier, "occurred_at") if sync.events.name else (identifier, "name", "occurred_at")
    return (identifier,)


def meaningful_columns(sync: SyncConfig, query: str) -> frozenset[str]:
    """The columns that are not attributes; optional ones included, whether or not the result has them."""
    optional: tuple[str, ...] = ()
    if query == "relationships":
        optional = ("object_type", "deleted")
    elif sync.objects is not None:
        optional = ("object_type",)
    elif sync.events is not None:
        optional = ("event_id",)
    return frozenset((*required_columns(sync, query), *optional))


def attribute_columns(names: Sequence[str], sync: SyncConfig, query: str) -> tuple[str, ...]:
    """Those of a result's columns that are attributes, in order."""
    apart = meaningful_columns(sync, query)
    return tuple(name for name in names if name not in apart)


def identifiers(batch: pa.RecordBatch, sync: SyncConfig, query: str) -> pa.StringArray:
    """Each row's identifier as text, whole; empty where it is missing. As long as the batch."""
    index = batch.schema.get_field_index(identifier_column(sync, query))
    return as_text(batch.column(index), batch.schema.field(index)).fill_null("")


def require_columns(names: Sequence[str], sync: SyncConfig, query: str, *, dialect: Dialect = UNKNOWN) -> None:
    """Makes sure that a result has the columns without which none of its rows can be sent, and none of the API's own.

    Args:
        names: The result's columns.
        sync: The sync.
        query: ``rows`` or ``relationships``.
        dialect: The database's, for the fix that is shown.

    Raises:
        ConfigError: A column is missing, and the hint shows the ``AS`` that mends it where another case is there;
            or a column is named like a word of the API.
    """
    for taken, way_out in API_WORDS[sync.kind if query == "rows" else query].items():
        if taken in names:
            hint = f"{way_out[0].upper()}{way_out[1:]}."
            raise ConfigError(f"column `{taken}` is a word of Customer.io's API.", hint=hint).located(sync.where)
    keyed = sync.events.event_key if sync.events is not None else ()
    for needed in (*required_columns(sync, query), *keyed):
        if needed not in names:
            label = "query" if query == "rows" else "relationships query"
            error = ConfigError(
                f"the {label} returns no column `{needed}`.", hint=_fix(needed, names, sync=sync, dialect=dialect)
            )
            raise error.located(sync.where)


def _fix(needed: str, names: Sequence[str], *, sync: SyncConfig, dialect: Dialect) -> str:
    from sqlglot import exp

    def quoted(name: str) -> str:
        return exp.to_identifier(name, quoted=True).sql(dialect=dialect.name or None)

    other_case = [name for name in names if name.casefold() == needed.casefold()]
    if other_case:
        return f"Column names are case-sensitive: write {quoted(other_case[0])} AS {quoted(needed)}."
    if needed == "name" and sync.events is not None:
        return "Set `events: {name: ...}`, or select the event's name AS name."
    near = difflib.get_close_matches(needed, names, n=1)
    meant = f" Did you mean {quoted(near[0])} AS {quoted(needed)}?" if near else ""
    return f"Select it, under another name with AS {quoted(needed)}.{meant}"
