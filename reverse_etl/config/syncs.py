"""One sync as its YAML file says it, and the project: all syncs with what they share. Reading lives in ``loader``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, SerializeAsAny

from reverse_etl.config.api_words import API_WORDS
from reverse_etl.config.changes import ChangesConfig
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.connections import DatabaseConfig, RetentionConfig, WorkspaceConfig
from reverse_etl.config.intervals import Interval
from reverse_etl.config.model import YamlModel
from reverse_etl.config.notify import ChannelConfig
from reverse_etl.config.schedule import Schedule, ScheduleConfig
from reverse_etl.config.segments import SegmentConfig
from reverse_etl.config.streams import ROWS, Stream
from reverse_etl.config.suppression import Suppressed, SuppressionListConfig

Kind = Literal["people", "objects", "events"]
KINDS: Final[tuple[Kind, ...]] = ("people", "objects", "events")

Identifier = Literal["id", "email"]
EmptyValues = Literal["ignore", "delete"]
Duplicates = Literal["reject", "keep_last"]

MAX_EVENT_NAME_BYTES: Final = 100
"""Source: docs.customer.io/journeys/invalid-api-requests."""

# Dagster 1.13.27, dagster/_core/utils.py, is_valid_email.
_OWNER: Final = re.compile(r"team:\S+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


def event_name_problem(text: str) -> str:
    """Why Customer.io refuses every event of this name, as what follows the key; empty where it takes them."""
    if not text.strip():
        return "is blank: write the event's name"
    if len(text.encode()) > MAX_EVENT_NAME_BYTES:
        return f"is longer than {MAX_EVENT_NAME_BYTES} bytes: Customer.io refuses every such event"
    return ""


def _event_name(text: str) -> str:
    if problem := event_name_problem(text):
        raise ValueError(problem if text.strip() else f"{problem}, or leave it out and select a column `name`")
    return text


def _owner(text: str) -> str:
    if _OWNER.fullmatch(text) is None:
        raise ValueError("an owner is an e-mail address or team:name")
    return text


class PeopleConfig(YamlModel):
    """Rows are people.

    Attributes:
        identify_by: The column that says who a row is; the other identifier is set as an attribute.
        suppressed: Whether a suppressed person is left out silently or is a failed row.
        suppression_list: Who is suppressed, beside those of whom Customer.io says so itself.
        duplicates: What becomes of rows that share an identifier and differ in values.
    """

    identify_by: Identifier = Field(default="id", description="The column that says who a row is.")
    write: Literal["add_and_update", "update_only", "add_only"] = Field(
        default="add_and_update",
        description="update_only changes people who exist, add_only adds those who do not (needs app_api_key).",
    )
    segment: SegmentConfig | None = Field(default=None, description="A manual segment that delivered people join.")
    empty_values: EmptyValues = Field(default="ignore", description="NULL and '': left out, or clear the attribute.")
    suppressed: Suppressed = Field(default="ignore_and_complete", description="Suppressed people: left out, or failed.")
    suppression_list: SuppressionListConfig | None = Field(default=None, description="People who are not to be sent.")
    duplicates: Duplicates = Field(default="reject", description="Rows that share an identifier and differ.")


class ObjectsConfig(YamlModel):
    """Rows are objects. ``object_type`` stands in where the query has no ``object_type`` column."""

    object_type: int = Field(default=1, ge=1, description="Used when the query has no object_type column.")
    empty_values: EmptyValues = Field(default="ignore", description="NULL and '': left out, or clear the attribute.")
    duplicates: Duplicates = Field(default="reject", description="Rows that share an identifier and differ.")


class EventsConfig(YamlModel):
    """Rows are events. Without ``name`` the query has a ``name`` column; older than ``max_age`` is left out.

    An event's key is its ``event_id``, or else the columns of ``event_key``, or else identifier, name and time.
    """

    name: Annotated[str, AfterValidator(_event_name)] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_EVENT_NAME_BYTES,
        description="The event's name; otherwise a column name.",
    )
    identify_by: Identifier = Field(default="id", description="The column that says whose event a row is.")
    event_key: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="Columns that tell events apart where there is no event_id."
    )
    max_age: Interval | None = Field(default=None, description="Events older than this are not sent.")
    suppressed: Suppressed = Field(default="ignore_and_complete", description="Suppressed people: left out, or failed.")
    suppression_list: SuppressionListConfig | None = Field(default=None, description="People who are not to be sent.")


class RelationshipsConfig(YamlModel):
    """The second query: who belongs to which object. ``deleted`` true in a row removes the relationship.

    Whether its people are suppressed is said here beside ``objects``; beside ``people``, what is said there holds.
    """

    identify_by: Identifier = Field(default="id", description="The column that says who a row is about.")
    object_type: int = Field(default=1, ge=1, description="Used when the query has no object_type column.")
    query: str = Field(min_length=1, description="One SELECT; {{last_sync_time}} is replaced.")
    empty_values: EmptyValues = Field(default="ignore", description="NULL and '': left out, or clear the attribute.")
    suppressed: Suppressed = Field(default="ignore_and_complete", description="Suppressed people: left out, or failed.")
    suppression_list: SuppressionListConfig | None = Field(default=None, description="People who are not to be sent.")


class SyncConfig(YamlModel):
    """One sync.

    Attributes:
        name: The file's name without its ending.
        file: The file as people are shown it, such as ``syncs/customers.yaml``.
        version: Short hash of the file's content.
        database: A key of ``databases``; ``workspace`` likewise.
        query: One SELECT, with ``{{last_sync_time}}`` not yet replaced.
        relationships: The second query, for people and objects.
        max_rows: A query with more rows fails before anything is sent.
        owners: E-mail addresses or ``team:name``, for Dagster.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset({"name", "file", "version"})

    name: str = Field(min_length=1)
    file: str = ""
    version: str = ""
    description: str = Field(default="", description="A sentence for people; Dagster shows it.")
    database: str = Field(min_length=1, description="A key of databases in connections.yaml.")
    workspace: str = Field(min_length=1, description="A key of workspaces in connections.yaml.")
    schedule: Schedule
    people: PeopleConfig | None = None
    objects: ObjectsConfig | None = None
    events: EventsConfig | None = None
    query: str = Field(min_length=1, description="One SELECT; {{last_sync_time}} is replaced.")
    relationships: RelationshipsConfig | None = None
    changes: ChangesConfig = Field(default=ChangesConfig(), description="How a run finds what changed.")
    checks: tuple[SerializeAsAny[CheckConfig], ...] = ()
    max_rows: int = Field(default=10_000_000, ge=1, description="A query with more rows fails before sending.")
    owners: tuple[Annotated[str, AfterValidator(_owner)], ...] = Field(
        default=(), description="E-mail addresses or team:name."
    )

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
                apart=frozenset((*required, "object_type", "deleted")),
                reserved=API_WORDS["relationships"],
                repeats=True,
            )
            streams.append(stream)
        return tuple(streams)

    def stream(self, name: str) -> Stream:
        """The stream of a name. Raises KeyError where the sync has none."""
        return {stream.name: stream for stream in self.streams}[name]

    @property
    def suppression(self) -> PeopleConfig | EventsConfig | RelationshipsConfig | None:
        """The section that decides about suppressed people; None for a sync without people."""
        return self.people or self.events or self.relationships

    @property
    def schedule_name(self) -> str:
        """What its schedule is called in Dagster, where it has one."""
        return f"{self.name}_schedule"

    @property
    def where(self) -> str:
        """For messages: ``sync customers (syncs/customers.yaml)``."""
        return f"sync {self.name} ({self.file})" if self.file else f"sync {self.name}"

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Exactly one kind; events have no relationships; a schedule says when."""
        kinds = [kind for kind in KINDS if given.get(kind) is not None]
        empty = [kind for kind in KINDS if kind in given and given[kind] is None]
        if empty and not kinds:
            yield empty[0], f"is empty: write `{empty[0]}: {{}}` for the defaults"
        elif not kinds:
            yield "", "what are the rows? Write one of people: {}, objects: {} or events: {}"
        elif len(kinds) > 1:
            yield kinds[1], f"a sync is one of people, objects or events; this one says {' and '.join(kinds)}"
        elif kinds == ["events"] and given.get("relationships") is not None:
            yield "relationships", "goes with people or objects, not with events"
        relationships = given.get("relationships")
        if kinds == ["people"] and isinstance(relationships, Mapping):
            for key in ("suppressed", "suppression_list"):
                if key in RelationshipsConfig.as_meant(relationships):
                    yield "relationships", f"{key} goes under people; relationships follow it"
        schedule = given.get("schedule")
        if isinstance(schedule, Mapping) and not {"every", "cron"} & ScheduleConfig.as_meant(schedule).keys():
            yield "schedule", "does not say when: add every or cron, or write `schedule: manual`"


def _rows_stream(sync: SyncConfig) -> Stream:
    """What the columns of the rows of people, objects or events mean."""
    if (events := sync.events) is not None:
        named = () if events.name else ("name",)
        sent = (events.identify_by, *named, "occurred_at")
        required, apart = (*sent, *events.event_key), (*sent, "event_id")
    elif sync.objects is not None:
        required, apart = ("object_id",), ("object_id", "object_type")
    else:
        required = apart = (sync.people.identify_by if sync.people is not None else "id",)
    return Stream(
        name=ROWS,
        query=sync.query,
        identifier=required[:1],
        required=required,
        apart=frozenset(apart),
        reserved=API_WORDS[sync.kind],
        repeats=events is not None,
    )


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """Everything in the folder ``syncs/``, by name: syncs in alphabetical order, the others as written.

    Attributes:
        directory: Absolute.
        warnings: Lines like those of problems, about what is allowed and worth a look.
    """

    directory: Path
    databases: dict[str, DatabaseConfig]
    workspaces: dict[str, WorkspaceConfig]
    syncs: dict[str, SyncConfig]
    notify: dict[str, ChannelConfig] = field(default_factory=dict)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    warnings: tuple[str, ...] = ()
