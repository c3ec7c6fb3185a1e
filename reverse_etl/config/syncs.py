"""One sync as in its YAML file. Reading lives in ``loader``, all syncs with what they share in ``project``.

A sync defines where rows come from, when, and what they are. The last is the destination's: each kind brings a
``SyncConfig`` of its own, with a section for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, Field, SerializeAsAny, SkipValidation, WithJsonSchema

from reverse_etl.config.changes import ChangesConfig
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.contracts import Contract, Subject
from reverse_etl.config.definitions import Definition, Mode
from reverse_etl.config.model import Misfit
from reverse_etl.config.owners import Owner
from reverse_etl.config.pieces import PiecesConfig
from reverse_etl.config.project import ProjectConfig as ProjectConfig
from reverse_etl.config.query_files import QueryFile, query_missing
from reverse_etl.config.schedule import Schedule, ScheduleConfig
from reverse_etl.config.shaping import NO_SHAPE, Shape, ShapedModel
from reverse_etl.config.spot_check import SpotCheckConfig
from reverse_etl.config.streams import ROWS, Stream
from reverse_etl.config.sync_tests import SyncTest

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.checks.base import AnyRule
    from reverse_etl.config.draft import Draft
    from reverse_etl.config.gone import Gone
    from reverse_etl.config.limits import Limit
    from reverse_etl.sources.base import Session


class OutgoingRows(ShapedModel, ABC):
    """What rows are in their destination: enough to check and to send them, wherever they come from.

    Attributes:
        name: What distinguishes them from the rows of others; a sync's name.
        DESTINATION: The kind of destination that the model belongs to.
        TITLE: What people call the kind.
        PLACE: What they call one of the kind, in messages.
        MAX_COLUMNS: Columns that a row may have there.
        SECTIONS: The keys that define what a row is.
        VALUES: Those of them whose rows are known value by value, so that acknowledged ones can be remembered.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset({"name"})
    DESTINATION: ClassVar[str] = ""
    TITLE: ClassVar[str] = ""
    PLACE: ClassVar[str] = "destination"
    MAX_COLUMNS: ClassVar[int] = 300
    SECTIONS: ClassVar[frozenset[str]] = frozenset()
    VALUES: ClassVar[frozenset[str]] = frozenset()

    name: str = "push"

    @property
    @abstractmethod
    def kind(self) -> str:
        """What a row is, a word of the destination's."""

    @property
    @abstractmethod
    def streams(self) -> tuple[Stream, ...]:
        """What the sync sends, in this order; the first is ``rows``."""

    @classmethod
    def within(cls, values: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """The keys of a file, with what its destination's entry says of all that is sent there."""
        return dict(values)

    @classmethod
    def strays(cls, values: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[Misfit]:  # noqa: ARG003
        """What a file says otherwise than its destination's entry, which both cannot."""
        yield from ()

    def identifies(self, stream: str) -> str:  # noqa: ARG002 - for subclasses
        """The identifier by which a stream names people; empty where it names none, or has a reason to differ."""
        return ""

    def stream(self, name: str) -> Stream:
        """The stream of a name. Raises KeyError where the sync has none."""
        return {stream.name: stream for stream in self.streams}[name]

    def shape(self, stream: str) -> Shape:
        """What becomes of the rows of a stream before they are checked: what the keys beside its query ask for."""
        section = self if stream == ROWS else getattr(self, stream, None)
        return section.own_shape if isinstance(section, ShapedModel) else NO_SHAPE

    def rules(self) -> dict[str, list[AnyRule]]:
        """The rules that the destination has for the rows, by the name of the stream."""
        return {stream.name: [] for stream in self.streams}

    def read_beside(self, folder: RunFolder, session: Session | None) -> None:
        """Reads what a run needs beside the rows into its folder. Raises ConfigError, QueryError."""

    def gone(self, stream: str) -> Gone | None:  # noqa: ARG002 - for subclasses
        """What becomes of what a stream's query no longer returns; None where it stays."""
        return None

    @property
    def limits(self) -> dict[str, Limit]:
        """How many rows a run may add to its destination and change there, by the key that sets the limit."""
        return {}

    @property
    def backfills(self) -> bool:
        """Whether rows are left out until a person has confirmed them: old events."""
        return False

    @property
    def mirrors(self) -> bool:
        """Whether what its query does not return is taken away."""
        return False

    @property
    def sends_changed_attributes(self) -> bool:
        """Whether of a changed row only the attributes are sent that differ."""
        return False

    @property
    def clears_removed_attributes(self) -> bool:
        """Whether an attribute that its query has no more is cleared."""
        return False

    @property
    def rows_query(self) -> str:
        """The query that returns them; empty where they do not come from one."""
        return ""

    @property
    def requested_checks(self) -> tuple[CheckConfig, ...]:
        """Checks beside the destination's own rules."""
        return ()

    def contract_of(self, stream: str) -> Contract | None:  # noqa: ARG002 - for subclasses
        """What the dictionary asks of the columns of a stream; None where it knows nothing of them."""
        return None

    @property
    def where(self) -> str:
        """For messages: where they come from."""
        return "the rows of the DataFrame"


class SyncConfig(OutgoingRows):
    """One sync, without what its rows are: that is in the fields that its destination adds.

    Attributes:
        name: The file's name without its ending.
        file: The file as people are shown it, such as ``syncs/customers.yaml``.
        version: Short hash of the file's content.
        database: A key of ``databases``.
        destination: A key of ``destinations``, or of ``workspaces`` where the file has the key ``workspace``.
        query: One SELECT, with ``{{last_sync_time}}`` not yet replaced.
        query_file: Where it was written, if not in the sync's file.
        failed_rows: Whether failed rows hold last sync time, or are carried from run to run.
        pieces: How everything is read piece by piece; None: in one run.
        max_rows: A query with more rows fails before anything is sent.
        lines: The file and the line in it at which each query begins, by its place, and whether its lines follow there.
        beside: Other syncs that name the same things: a stream of this one, the other sync and its stream.
        uncompared: Those of them that do not compare, each with its file.
        tests: What must become of rows that are given in place of the database's.
        owners: E-mail addresses or ``team:name``, for Dagster.
        attributes: What the sync itself says of its columns.
        contract: None for what the dictionary's file says.
        contracts: What the dictionary asks of the streams that it knows.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset(
        {"name", "file", "version", "beside", "uncompared", "contracts", "lines"}
    )

    name: str = Field(min_length=1)
    file: str = ""
    version: str = ""
    beside: tuple[tuple[str, str, str], ...] = ()
    uncompared: tuple[tuple[str, str], ...] = ()
    lines: tuple[tuple[tuple[str, ...], str, int, bool], ...] = ()
    contracts: Annotated[tuple[Contract, ...], SkipValidation, WithJsonSchema({})] = ()
    description: str = Field(default="", description="A sentence for people; Dagster shows it.")
    database: str = Field(min_length=1, description="A key of databases in connections.yaml.")
    destination: str = Field(
        min_length=1,
        validation_alias=AliasChoices("workspace", "destination"),
        description="A key of workspaces or destinations in connections.yaml.",
    )
    schedule: Schedule
    query: str = Field(default="", min_length=1, description="One SELECT; {{last_sync_time}} is replaced.")
    query_file: QueryFile = None
    changes: ChangesConfig = Field(default=ChangesConfig(), description="How a run finds what changed.")
    failed_rows: Literal["hold", "carry"] = Field(
        default="hold",
        description="Rows that fail hold last sync time, or are read again by their identifiers in every run until "
        "they are delivered.",
    )
    pieces: PiecesConfig | None = Field(
        default=None, description="Everything is read by several runs, each with a range of keys."
    )
    checks: tuple[SerializeAsAny[CheckConfig], ...] = ()
    spot_check: SpotCheckConfig | None = Field(
        default=None, description="Rows are read back on a schedule of their own."
    )
    tests: tuple[SyncTest, ...] = Field(default=(), description="Tests of the sync: `reverse-etl test` runs them.")
    max_rows: int = Field(default=10_000_000, ge=1, description="A query with more rows fails before sending.")
    owners: tuple[Owner, ...] = Field(default=(), description="E-mail addresses or team:name.")
    attributes: dict[str, Definition] = Field(
        default={}, description="What columns mean, by name; each must be in the result of the query."
    )
    contract: Mode | None = Field(
        default=None,
        description="What breaks the dictionary is reported (warn), or stops a run before anything is sent (enforce).",
    )

    @property
    def rows_query(self) -> str:
        """Its query."""
        return self.query

    @property
    def requested_checks(self) -> tuple[CheckConfig, ...]:
        """Its checks."""
        return self.checks

    def as_read(self, batch: pa.RecordBatch, *, timezone: str) -> pa.RecordBatch:  # noqa: ARG002 - for subclasses
        """A batch as the changeset keeps it; ``timezone`` is that of times without one in the database."""
        return batch

    @property
    @abstractmethod
    def writes(self) -> tuple[str, ...]:
        """What it writes to within its destination, as the end of an asset key."""

    def subject(self, stream: str) -> Subject:
        """What the columns of a stream are names of: the place of their definitions in the dictionary."""
        return ("syncs", self.name, stream, "attributes")

    def contract_of(self, stream: str) -> Contract | None:
        """What the dictionary asks of the columns of a stream."""
        return next((each for each in self.contracts if each.stream == stream), None)

    def note(self, folder: RunFolder) -> str:  # noqa: ARG002 - for subclasses
        """What is worth saying of the rows once they are checked, in sentences; empty when nothing is."""
        return ""

    def asked(self) -> dict[str, Any]:
        """What the file sets of which rows are sent, and as what, by section, each with its keys; defaults included."""
        return {}

    @property
    def remembers_values(self) -> bool:
        """Whether the values that were acknowledged are remembered, not only what shows that they changed."""
        return self.changes.keep is not None or self.sends_changed_attributes or self.clears_removed_attributes

    @property
    def schedule_name(self) -> str:
        """What its schedule is called in Dagster, where it has one."""
        return f"{self.name}_schedule"

    @property
    def where(self) -> str:
        """For messages: ``sync customers (syncs/customers.yaml)``."""
        return f"sync {self.name} ({self.file})" if self.file else f"sync {self.name}"

    def line_of(self, at: tuple[str, ...], line: int) -> str:
        """The file and line, ``syncs/customers.yaml:12``, of a query's line, from 1; the file alone if not known."""
        for place, file, first, follows in self.lines:
            if place == at:
                return f"{file}:{first + (line - 1 if follows else 0)}"
        return self.file or self.name

    @classmethod
    def streams_of(cls, values: Mapping[str, Any]) -> list[Stream]:
        """The streams, the rows first, as far as values of a file show that were not validated."""
        return [Stream(ROWS, str(values.get("query") or ""))]

    @classmethod
    def look_at(cls, draft: Draft) -> None:
        """Adds to a file's problems and warnings, once its queries were read and before it is validated."""

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """A schedule has a cadence; values are kept of rows that are known by their attributes."""
        changes = given.get("changes")
        if isinstance(changes, Mapping) and changes.get("keep") is not None and not cls.VALUES & given.keys():
            of = " and ".join(sorted(cls.VALUES, reverse=True))
            for_whom = f"keep is for {of}" if of else f"keep is not for rows in {cls.TITLE}"
            yield "changes", f"{for_whom}: no values of these rows are remembered"
        schedule = given.get("schedule")
        if isinstance(schedule, Mapping) and not {"every", "cron", "after"} & ScheduleConfig.as_meant(schedule).keys():
            yield "schedule", "does not say when: add every, cron or after, or write `schedule: manual`"
        yield from query_missing(given)
        yield from super().misfits(given)
