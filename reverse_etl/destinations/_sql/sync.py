"""What a sync's rows are in a database: rows of a table that exists. Each engine adds its name and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from reverse_etl.config.gone import DELETED, Gone
from reverse_etl.config.gone_problems import look_at_gone
from reverse_etl.config.sql_text import reads_changes
from reverse_etl.config.streams import ROWS, Stream
from reverse_etl.config.syncs import OutgoingRows, SyncConfig
from reverse_etl.destinations._sql.config import NOT_WRITTEN, Rows

if TYPE_CHECKING:
    from reverse_etl.checks.base import AnyRule
    from reverse_etl.config.draft import Draft
    from reverse_etl.config.limits import Limit


class TableRows(OutgoingRows):
    """Rows on their way to a table."""

    SECTIONS: ClassVar[frozenset[str]] = frozenset({"rows"})

    rows: Rows = Field(description="Rows are rows of a table.")

    @property
    def kind(self) -> str:
        """What a row is."""
        return "rows"

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """Its rows alone."""
        key = self.rows.identify_by
        apart = frozenset({DELETED}) if self.gone(ROWS) is not None else frozenset()
        return (Stream(ROWS, self.rows_query, identifier=key, key=key, required=key, apart=apart),)

    def gone(self, stream: str) -> Gone | None:  # noqa: ARG002 - it has one
        """What becomes of rows that are gone."""
        return self.rows.when_gone

    @property
    def limits(self) -> dict[str, Limit]:
        """How many rows of the table a run may add and change."""
        given = {"adds_max": self.rows.adds_max, "updates_max": self.rows.updates_max}
        return {key: limit for key, limit in given.items() if limit is not None}

    def rules(self) -> dict[str, list[AnyRule]]:
        """Each row has its key, and no other row has it."""
        from reverse_etl.checks.base import Rule, Severity
        from reverse_etl.checks.builtin.duplicates import IdentifierUnique
        from reverse_etl.checks.builtin.identifiers import Present

        present = Rule("identifier_present", Severity.REJECT, "Every row has a value in each column of its key.")
        unique = Rule("identifier_unique", Severity.REJECT, "No key is in two rows with different values.")
        key = self.rows.identify_by
        return {
            ROWS: [
                *(Present(_of_column(present, key, name), name) for name in key),
                # In a table, keys that differ in case are different keys, addresses too.
                *([IdentifierUnique(unique, key, any_case=frozenset())] if key else []),
            ]
        }


class TableSync(TableRows, SyncConfig):
    """One sync to a table."""

    @property
    def writes(self) -> tuple[str, ...]:
        """The table."""
        return (self.rows.table,)

    def asked(self) -> dict[str, Any]:
        """The table, its key and how rows are written."""
        return {"rows": self.rows.model_dump(mode="json", exclude=set(NOT_WRITTEN))}

    @classmethod
    def look_at(cls, draft: Draft) -> None:
        """A query with `gone` returns everything, every time; what is only added is not to be read twice."""
        look_at_gone(draft, "rows")
        if draft.at(("rows", "write")) == "append":
            _look_at_append(draft)

    @classmethod
    def streams_of(cls, values: Mapping[str, Any]) -> list[Stream]:
        """Its rows, with the columns of the key."""
        rows = values.get("rows")
        key = rows.get("identify_by", ()) if isinstance(rows, dict) else ()
        names = [key] if isinstance(key, str) else key if isinstance(key, list) else []
        required = tuple(name for name in names if isinstance(name, str))
        return [Stream(ROWS, str(values.get("query") or ""), identifier=required, required=required)]


def _look_at_append(draft: Draft) -> None:
    if draft.at(("changes", "keep")) is not None:
        draft.problem(("changes", "keep"), "does not go with `write: append`: the table keeps every row itself")
    by, sql = draft.at(("changes", "by")), draft.at(("query",))
    if by in ("compare", "log"):
        if not draft.at(("rows", "identify_by")):
            text = f"{by} knows rows by their key: name it, as in `rows: {{identify_by: id}}`"
            draft.problem(("changes", "by"), text)
    elif isinstance(sql, str) and reads_changes(sql):
        draft.warn(
            ("rows", "write"),
            "append adds a row each time that it is read, and a query since last sync time reads some rows twice "
            "(`late`, failed rows): to add each once, write `identify_by` and `changes: {by: compare}`",
        )


def _of_column(rule: Any, key: tuple[str, ...], name: str) -> Any:
    """The rule, called after its column where the key has several."""
    from dataclasses import replace

    return rule if len(key) == 1 else replace(rule, name=f"{rule.name}_{name}")
