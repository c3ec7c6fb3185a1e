"""One sync as its YAML file says it, and the project: all syncs with what they share. Reading lives in ``loader``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, WithJsonSchema

from reverse_etl.config.changes import ChangesConfig
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.connections import DatabaseConfig, RetentionConfig, WorkspaceConfig
from reverse_etl.config.cron import check_cron
from reverse_etl.config.intervals import Interval
from reverse_etl.config.model import YamlModel
from reverse_etl.config.notify import ChannelConfig
from reverse_etl.config.segments import SegmentConfig
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


def _whole_minutes(every: timedelta) -> timedelta:
    if every % timedelta(minutes=1):
        raise ValueError("must be whole minutes, 1m or more")
    return every


def _start(value: object) -> datetime:
    how = "write a date, a time and a zone, as in 2026-01-05T01:30:00Z"
    try:
        value = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"is not a point in time: {how}") from None
    if value.tzinfo is None:
        raise ValueError(f"has no zone: {how}")
    if value.second or value.microsecond:
        raise ValueError("must be a whole minute: runs start at second 0")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"is not a point in time: {how}") from None


def _manual(value: object) -> object:
    if value == "manual":
        return ScheduleConfig()
    if value is None or isinstance(value, (str, int, float, list)):
        raise ValueError('must be `manual`, or keys such as `{every: 1h}` or `{cron: "15 * * * *"}`')
    return value


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


class ScheduleConfig(YamlModel):
    """When runs are due: ``every`` (from ``start_at``), ``cron``, or only by hand when both are None.

    Attributes:
        every: Whole minutes.
        cron: Five fields or a nickname such as ``@daily``, in UTC.
        start_at: Aware, UTC, a whole minute; only with ``every``. None: when the sync is first seen.
        overlap: What a due run does when another sync of the workspace is in progress.
    """

    every: Annotated[Interval, AfterValidator(_whole_minutes)] | None = Field(
        default=None, description="Time between runs: 5m, 1h, 6h, 1d, 2w."
    )
    cron: Annotated[str, AfterValidator(check_cron)] | None = Field(
        default=None, description="Five fields, in UTC: minute hour day month weekday."
    )
    start_at: (
        Annotated[
            datetime,
            BeforeValidator(_start),
            WithJsonSchema({"type": "string", "examples": ["2026-01-05T01:30:00Z"]}),
        ]
        | None
    ) = Field(default=None, description="First run, with its zone; later runs are start_at + n * every.")
    overlap: Literal["skip", "wait"] = Field(default="skip", description="When the workspace is busy.")

    @property
    def manual(self) -> bool:
        """Whether runs only start by hand."""
        return self.every is None and self.cron is None

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """``every`` and ``cron`` exclude each other; ``start_at`` needs ``every``."""
        if given.get("every") is not None and given.get("cron") is not None:
            yield "cron", "every and cron exclude each other: keep one"
        elif given.get("start_at") is not None and given.get("every") is None:
            yield "start_at", "goes with every only"


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
    schedule: Annotated[ScheduleConfig, BeforeValidator(_manual)]
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

    @property
    def suppression(self) -> PeopleConfig | EventsConfig | RelationshipsConfig | None:
        """Where it is said what becomes of suppressed people; None for a sync that sends nobody."""
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
