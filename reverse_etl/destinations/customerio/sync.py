"""What a sync's rows are in Customer.io: people, objects or events, and relationships beside the first two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from reverse_etl.config.gone import DELETED, GONE_KEYS, Gone
from reverse_etl.config.model import Misfit
from reverse_etl.config.shaping import ShapedModel
from reverse_etl.config.streams import ROWS, Stream
from reverse_etl.config.syncs import OutgoingRows, SyncConfig
from reverse_etl.destinations.customerio.api_words import API_WORDS
from reverse_etl.destinations.customerio.compare_config import COMPARE_KEYS, needs_comparing
from reverse_etl.destinations.customerio.sections import (
    EventsConfig,
    ObjectsConfig,
    PeopleConfig,
    RelationshipsConfig,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.checks.base import AnyRule
    from reverse_etl.config.contracts import Subject
    from reverse_etl.config.draft import Draft
    from reverse_etl.sources.base import Session

Kind = Literal["people", "objects", "events"]
KINDS: Final[tuple[Kind, ...]] = ("people", "objects", "events")


class Outgoing(OutgoingRows):
    """Rows on their way to a workspace.

    Attributes:
        relationships: The second query, for people and objects.
    """

    DESTINATION: ClassVar[str] = "customerio"
    TITLE: ClassVar[str] = "Customer.io"
    PLACE: ClassVar[str] = "workspace"
    MAX_COLUMNS: ClassVar[int] = 300
    SECTIONS: ClassVar[frozenset[str]] = frozenset(KINDS)
    VALUES: ClassVar[frozenset[str]] = frozenset({"people", "objects"})
    BESIDE: ClassVar[tuple[str, ...]] = ("suppressed",)

    people: PeopleConfig | None = None
    objects: ObjectsConfig | None = None
    events: EventsConfig | None = None
    relationships: RelationshipsConfig | None = None

    @property
    def kind(self) -> Kind:
        """What a row is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """What the sync sends, in this order: its rows, then its relationships where it has them."""
        streams = [_rows_stream(self)]
        if (relationships := self.relationships) is not None:
            required = (relationships.identify_by, "object_id")
            stream = Stream(
                name="relationships",
                query=relationships.query,
                at=("relationships", "query"),
                identifier=required[:1],
                required=required,
                key=(*required, "object_type"),
                apart=frozenset((*required, "object_type", DELETED)),
                reserved=API_WORDS["relationships"],
                repeats=True,
            )
            streams.append(stream)
        return tuple(streams)

    def gone(self, stream: str) -> Gone | None:
        """What becomes of people, objects or relationships that are gone; events never are."""
        section = self.relationships if stream != ROWS else self.people or self.objects
        gone = section.when_gone if section is not None else None
        # A person may be there without this sync; an object or a relationship is its own.
        return replace(gone, keeps_unknown=True) if gone is not None and section is self.people else gone

    @classmethod
    def within(cls, values: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
        """With the workspace's identifier where a section names none."""
        from reverse_etl.destinations.customerio.one_identifier import within

        return within(values, entry)

    @classmethod
    def strays(cls, values: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[Misfit]:
        """Sections with another identifier than the workspace's, and no reason."""
        from reverse_etl.destinations.customerio.one_identifier import strays

        return strays(values, entry)

    def identifies(self, stream: str) -> str:
        """``id`` or ``email``."""
        section = (self.people or self.events) if stream == ROWS else self.relationships
        return section.identify_by if section is not None and not section.identify_by_reason else ""

    @property
    def suppression(self) -> PeopleConfig | EventsConfig | RelationshipsConfig | None:
        """The section that decides about suppressed people; None for a sync without people."""
        return self.people or self.events or self.relationships

    def rules(self) -> dict[str, list[AnyRule]]:
        """The rules of its kind, and those of relationships."""
        from reverse_etl.destinations.customerio.rules.of_sync import rules_of

        return rules_of(self)

    def read_beside(self, folder: RunFolder, session: Session | None) -> None:
        """Its suppression list, where it has one."""
        from reverse_etl.destinations.customerio.suppression import store_suppressed

        store_suppressed(self, folder, session)

    def queries_beside(self) -> dict[str, str]:
        """The query of its suppression list, as ``config.sync_tests.ReadsBeside`` has it."""
        listed = self.suppression.suppression_list if self.suppression is not None else None
        return {"suppressed": listed.query} if listed is not None and listed.query is not None else {}

    @property
    def backfills(self) -> bool:
        """Whether old events are sent only once a person has confirmed them."""
        return self.events is not None and self.events.backfill

    @property
    def mirrors(self) -> bool:
        """Whether people leave its segment whom its query does not return."""
        return self.people is not None and self.people.segment is not None and self.people.segment.mirror

    @property
    def sends_changed_attributes(self) -> bool:
        """Whether of a changed row only the attributes are sent that differ."""
        section = self.people or self.objects
        return section is not None and section.send == "changed_attributes"

    @property
    def clears_removed_attributes(self) -> bool:
        """Whether an attribute that the query has no more is cleared."""
        section = self.people or self.objects
        return section is not None and section.removed_attributes == "clear"

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Exactly one kind; events have no relationships."""
        kinds = [kind for kind in KINDS if given.get(kind) is not None]
        empty = [kind for kind in KINDS if kind in given and given[kind] is None]
        if empty and not kinds:
            yield empty[0], f"is empty: write `{empty[0]}: {{}}` for the defaults"
        elif not kinds:
            yield "", "what are the rows? Write one of people: {}, objects: {} or events: {}"
        elif len(kinds) > 1:
            yield kinds[1], f"a sync is one of people, objects or events; this one has {' and '.join(kinds)}"
        elif kinds == ["events"] and given.get("relationships") is not None:
            yield "relationships", "goes with people or objects, not with events"
        relationships = given.get("relationships")
        if kinds == ["people"] and isinstance(relationships, Mapping):
            for key in ("suppressed", "suppression_list"):
                if key in RelationshipsConfig.as_meant(relationships):
                    yield "relationships", f"{key} goes under people; relationships follow it"
        yield from needs_comparing(given, {"people": PeopleConfig, "objects": ObjectsConfig})
        yield from super().misfits(given)


class Sync(Outgoing, SyncConfig):
    """One sync to a workspace."""

    def as_read(self, batch: pa.RecordBatch, *, timezone: str) -> pa.RecordBatch:
        """With the times of events as instants."""
        from reverse_etl.changeset.occurred_at import with_zones

        return batch if self.events is None else with_zones(batch, timezone=timezone)

    @property
    def writes(self) -> tuple[str, ...]:
        """The workspace's people, one object type, or one event."""
        if self.objects is not None:
            return (f"object_type_{self.objects.object_type}",)
        return ("people",) if self.events is None else (self.events.name or "events",)

    def subject(self, stream: str) -> Subject:
        """People's attributes, those of an object type or of its relationships, those of an event."""
        if stream != ROWS and self.relationships is not None:
            return ("objects", str(self.relationships.object_type), "relationship_attributes")
        if self.objects is not None:
            return ("objects", str(self.objects.object_type), "attributes")
        if self.events is None:
            return ("attributes",)
        return ("events", self.events.name, "attributes") if self.events.name else super().subject(stream)

    def note(self, folder: RunFolder) -> str:
        """How many events repeat others, and how many are left out for their age."""
        from reverse_etl.destinations.customerio.backfill import left_out_note
        from reverse_etl.destinations.customerio.rules.event_keys import repeated_note

        parts = folder.parts(ROWS)
        notes = repeated_note(parts, self.events), left_out_note(parts, self.events, self.name)
        return " ".join(filter(None, notes))

    def asked(self) -> dict[str, Any]:
        """Its kind and its relationships."""
        sections = {name: getattr(self, name) for name in (*KINDS, "relationships")}
        excluded = {*ShapedModel.model_fields, *GONE_KEYS, *COMPARE_KEYS, "backfill", "identify_by_reason"}
        return {
            name: section.model_dump(mode="json", exclude=excluded)
            for name, section in sections.items()
            if section is not None
        }

    @classmethod
    def streams_of(cls, values: Mapping[str, Any]) -> list[Stream]:
        """Its rows and its relationships."""
        from reverse_etl.destinations.customerio.draft_problems import streams_of

        return streams_of(values)

    @classmethod
    def look_at(cls, draft: Draft) -> None:
        """Lists, event keys, segments and API keys."""
        from reverse_etl.destinations.customerio.draft_problems import look_at

        look_at(draft)


def _rows_stream(sync: Outgoing) -> Stream:
    """What the columns of the rows of people, objects or events mean."""
    key: tuple[str, ...] = ()
    if (events := sync.events) is not None:
        named = () if events.name else ("name",)
        sent = (events.identify_by, *named, "occurred_at")
        required, apart = (*sent, *events.event_key), (*sent, "event_id")
    elif sync.objects is not None:
        required, key = ("object_id",), ("object_id", "object_type")
        apart = key
    else:
        required = apart = key = (sync.people.identify_by if sync.people is not None else "id",)
    if sync.gone(ROWS) is not None:
        apart = (*apart, DELETED)
    return Stream(
        name=ROWS,
        query=sync.rows_query,
        identifier=required[:1],
        required=required,
        key=key,
        apart=frozenset(apart),
        reserved=API_WORDS[sync.kind],
        hints={"name": "set events.name"} if events is not None else {},
        repeats=events is not None,
    )
