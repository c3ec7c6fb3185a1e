"""The sections of a sync to Customer.io that say what its rows are: people, objects, events, relationships."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from reverse_etl.config.gone import GoneMax, GoneMaxRows, MayBeGone, SetWhenGone
from reverse_etl.config.intervals import Interval, IntervalOrZero
from reverse_etl.config.model import Misfit, YamlModel
from reverse_etl.config.query_files import ONE_QUERY, QueryFile, query_missing
from reverse_etl.config.shaping import ShapedModel
from reverse_etl.destinations.customerio.compare_config import RemovedAttributes, Send
from reverse_etl.destinations.customerio.segment_config import SegmentConfig
from reverse_etl.destinations.customerio.suppression_config import Suppressed, SuppressionListConfig

Identifier = Literal["id", "email"]
Why = Annotated[
    str, Field(description="Why these people have another identifier than the workspace says, in a sentence.")
]
EmptyValues = Literal["ignore", "delete"]
Duplicates = Literal["reject", "keep_last"]

MAX_EVENT_NAME_BYTES: Final = 100
"""Source: docs.customer.io/journeys/invalid-api-requests."""

CAN_TRIGGER: Final = timedelta(hours=72)
"""Events that happened longer ago trigger no campaign. Source: Track API, journeys-track.json, 2026-08."""


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


class PeopleConfig(MayBeGone):
    """Rows are people.

    Attributes:
        gone: What becomes of people whom the query no longer returns, or whose column ``deleted`` is true.
        identify_by: The column that identifies the person; the other identifier is set as an attribute.
        suppressed: Whether a suppressed person is left out silently or is a failed row.
        suppression_list: Who is suppressed, beside those whom Customer.io itself reports.
        duplicates: What becomes of rows that share an identifier and differ in values.
    """

    identify_by: Identifier = Field(default="id", description="The column that identifies the person.")
    identify_by_reason: Why = ""
    write: Literal["add_and_update", "update_only", "add_only"] = Field(
        default="add_and_update",
        description="update_only changes people who exist, add_only adds those who do not (needs app_api_key).",
    )
    segment: SegmentConfig | None = Field(default=None, description="A manual segment that delivered people join.")
    empty_values: EmptyValues = Field(default="ignore", description="NULL and '': left out, or clear the attribute.")
    send: Send = "whole_rows"
    removed_attributes: RemovedAttributes = "keep"
    suppressed: Suppressed = Field(default="ignore_and_complete", description="Suppressed people: left out, or failed.")
    suppression_list: SuppressionListConfig | None = Field(default=None, description="People who are not to be sent.")
    duplicates: Duplicates = Field(default="reject", description="Rows that share an identifier and differ.")
    gone: Literal["nothing", "delete", "suppress", "clear"] | SetWhenGone = Field(
        default="nothing",
        description="People whom the query no longer returns, or whose column deleted is true: delete or suppress "
        "them, clear this sync's attributes, or set attributes.",
    )
    gone_wait: IntervalOrZero = Field(
        default=timedelta(hours=24), description="How long a person must be missing before gone applies."
    )
    gone_max: GoneMax = 5.0
    gone_max_rows: GoneMaxRows = 1_000


class ObjectsConfig(MayBeGone):
    """Rows are objects. ``object_type`` stands in where the query has no ``object_type`` column."""

    object_type: int = Field(default=1, ge=1, description="Used when the query has no object_type column.")
    empty_values: EmptyValues = Field(default="ignore", description="NULL and '': left out, or clear the attribute.")
    send: Send = "whole_rows"
    removed_attributes: RemovedAttributes = "keep"
    duplicates: Duplicates = Field(default="reject", description="Rows that share an identifier and differ.")
    gone: Literal["nothing", "delete"] = Field(
        default="nothing",
        description="Objects that the query no longer returns, or whose column deleted is true: delete them, with "
        "their relationships.",
    )
    gone_wait: IntervalOrZero = Field(
        default=timedelta(), description="How long an object must be missing before gone applies."
    )
    gone_max: GoneMax = 5.0
    gone_max_rows: GoneMaxRows = 1_000


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
    identify_by: Identifier = Field(default="id", description="The column that identifies the person of the event.")
    identify_by_reason: Why = ""
    event_key: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="Columns that distinguish events without an event_id."
    )
    max_age: Interval | None = Field(
        default=None, description="Events older than this are not sent; 72h with backfill, otherwise of any age."
    )
    backfill: bool = Field(
        default=False,
        description="Events older than max_age are sent, with their own time, by a run that was confirmed; "
        "all other runs leave them out.",
    )
    suppressed: Suppressed = Field(default="ignore_and_complete", description="Suppressed people: left out, or failed.")
    suppression_list: SuppressionListConfig | None = Field(default=None, description="People who are not to be sent.")

    @property
    def oldest(self) -> timedelta | None:
        """The age of the oldest events that a run sends without asking; None for any age."""
        return self.max_age or (CAN_TRIGGER if self.backfill else None)


class RelationshipsConfig(MayBeGone, ShapedModel):
    """The second query: who belongs to which object. ``deleted`` true in a row removes the relationship.

    Beside ``objects`` it sets what becomes of suppressed people; beside ``people`` that section does.
    """

    model_config = ConfigDict(json_schema_extra=ONE_QUERY)

    identify_by: Identifier = Field(default="id", description="The column that identifies the person.")
    identify_by_reason: Why = ""
    object_type: int = Field(default=1, ge=1, description="Used when the query has no object_type column.")
    query: str = Field(default="", min_length=1, description="One SELECT; {{last_sync_time}} is replaced.")
    query_file: QueryFile = None
    empty_values: EmptyValues = Field(default="ignore", description="NULL and '': left out, or clear the attribute.")
    suppressed: Suppressed = Field(default="ignore_and_complete", description="Suppressed people: left out, or failed.")
    suppression_list: SuppressionListConfig | None = Field(default=None, description="People who are not to be sent.")
    gone: Literal["nothing", "delete"] = Field(
        default="nothing", description="Relationships that the query no longer returns: delete them."
    )
    gone_wait: IntervalOrZero = Field(
        default=timedelta(), description="How long a relationship must be missing before gone applies."
    )
    gone_max: GoneMax = 5.0
    gone_max_rows: GoneMaxRows = 1_000

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """It has a query."""
        yield from query_missing(given)
        yield from super().misfits(given)
