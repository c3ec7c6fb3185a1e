"""What a sync's rows are at a service: records of a kind, each with a key of the service's, in a section of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from reverse_etl.config.gone import DELETED, GONE_KEYS, Gone
from reverse_etl.config.gone_problems import look_at_gone
from reverse_etl.config.streams import ROWS, Stream
from reverse_etl.config.syncs import OutgoingRows, SyncConfig

if TYPE_CHECKING:
    from reverse_etl.checks.base import AnyRule
    from reverse_etl.config.draft import Draft


class Section(Protocol):
    """The part of a sync's file that says what its rows are.

    Attributes:
        records: What a row is, a word of the service's.
        key: The columns that identify a record; empty where none does.
        needed: Columns without which no row can be sent, those of the key included.
        apart: Columns that are no attributes.
        repeats: Whether rows with one key may come several times, and must arrive in the order of the rows.
        when_gone: What becomes of records that are gone; None for nothing.
    """

    @property
    def records(self) -> str:
        """What a row is."""
        ...

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a record."""
        ...

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns without which no row can be sent."""
        ...

    @property
    def apart(self) -> tuple[str, ...]:
        """Columns that are no attributes."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether rows with one key may come several times."""
        ...

    @property
    def when_gone(self) -> Gone | None:
        """What becomes of records that are gone."""
        ...

    def model_dump(self, **how: Any) -> dict[str, Any]:
        """As pydantic has it."""
        ...


class ServiceRows(OutgoingRows):
    """Rows on their way to a service. A subclass has one field, named like its kind."""

    @property
    def any_case(self) -> frozenset[str]:
        """The columns of the key that the service compares without regard to case."""
        return frozenset({"email"})

    @property
    def section(self) -> Section:
        """What its rows are."""
        section: Section = getattr(self, self.DESTINATION)
        return section

    @property
    def kind(self) -> str:
        """What a row is."""
        return self.section.records

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """Its rows alone."""
        section = self.section
        gone = (DELETED,) if section.when_gone is not None else ()
        apart = frozenset((*section.key, *section.apart, *gone))
        stream = Stream(
            ROWS,
            self.rows_query,
            identifier=section.key,
            key=section.key,
            required=section.needed,
            apart=apart,
            repeats=section.repeats,
        )
        return (stream,)

    def gone(self, stream: str) -> Gone | None:  # noqa: ARG002 - it has one
        """What becomes of records that are gone."""
        return self.section.when_gone

    def rules(self) -> dict[str, list[AnyRule]]:
        """Each row has its key, and no other row has it."""
        from reverse_etl.checks.base import Rule, Severity
        from reverse_etl.checks.builtin.duplicates import IdentifierUnique
        from reverse_etl.checks.builtin.identifiers import Present

        key = self.section.key
        present = Rule("identifier_present", Severity.REJECT, "Every row has a value in the column of its key.")
        unique = Rule("identifier_unique", Severity.REJECT, "No key is in two rows with different values.")
        rules: list[AnyRule] = [Present(present, name) for name in key]
        if key and not self.section.repeats:
            rules.append(IdentifierUnique(unique, key, any_case=self.any_case))
        return {ROWS: rules}


class ServiceSync(ServiceRows, SyncConfig):
    """One sync to a service."""

    @property
    def writes(self) -> tuple[str, ...]:
        """Its records."""
        return (self.section.records,)

    def asked(self) -> dict[str, Any]:
        """Its section."""
        return {self.DESTINATION: self.section.model_dump(mode="json", exclude=set(GONE_KEYS))}

    @classmethod
    def look_at(cls, draft: Draft) -> None:
        """A query with `gone` returns everything, every time."""
        look_at_gone(draft, cls.DESTINATION)

    @classmethod
    def streams_of(cls, values: Mapping[str, Any]) -> list[Stream]:
        """Its rows, with the column of the key."""
        section = values.get(cls.DESTINATION)
        key = section.get("identify_by") if isinstance(section, dict) else None
        required = (key,) if isinstance(key, str) else ()
        return [Stream(ROWS, str(values.get("query") or ""), identifier=required, required=required)]
