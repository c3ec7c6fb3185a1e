"""Connections as Dagster resources: a database to read from, a workspace to push to, the home folder.

The syncs' own assets use them, and they work alone in any other asset of a user's project. What a row is,
which rows may leave and how they are sent is decided in ``destinations``, ``checks`` and ``delivery``.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg
import pyarrow as pa
from pydantic import Field

from reverse_etl.changeset.frames import as_frame
from reverse_etl.changeset.parts import RunFolder
from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
from reverse_etl.config.connections_file import workspace_kind
from reverse_etl.config.inline import parse_database, parse_destination, parse_rows
from reverse_etl.config.loader import load_connections
from reverse_etl.errors import ConfigError
from reverse_etl.run.open_runs import end_open
from reverse_etl.run.push import Pushed, push_frame
from reverse_etl.sources import connect
from reverse_etl.sources.base import Session
from reverse_etl.state.home import Home

if TYPE_CHECKING:
    import pandas as pd

Entry = TypeVar("Entry")

SETTINGS = "The keys of this connection as in connections.yaml, secrets as ${NAME}; empty: connections.yaml itself."
SYNCS = "The folder of connections.yaml; read again at each run. Only used without settings."


class DatabaseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A named connection to a source database; read-only.

    ``DatabaseResource(name="shop", syncs="syncs")`` is the entry ``shop`` of ``syncs/connections.yaml``.
    """

    name: str = Field(description="The connection's name, also in errors.")
    syncs: str = Field(default="syncs", description=SYNCS)
    settings: dict[str, Any] = Field(default={}, description=SETTINGS)

    @property
    def config(self) -> DatabaseConfig:
        """The checked settings. Raises ConfigProblemsError, ConfigError."""
        if self.settings:
            return parse_database(self.name, self.settings)
        return _entry(load_connections(Path(self.syncs)).databases, self.name, "database", self.syncs)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A read-only session. Raises SourceUnavailableError, UnsetVariableError."""
        with connect(self.config) as session:
            yield session

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The rows of one query as canonical Arrow batches (``sources.base``), one pass; at least one batch."""
        with self.session() as session:
            yield from session.stream(sql)

    def frames(self, sql: str) -> "Iterator[pd.DataFrame]":
        """The rows of one query as DataFrames of bounded size, one pass; at least one, maybe empty."""
        for batch in self.batches(sql):
            yield as_frame(batch)


class DestinationResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A named destination to send rows to.

    ``DestinationResource(name="crm", syncs="syncs")`` is the entry ``crm`` of ``syncs/connections.yaml``.
    """

    name: str = Field(description="The destination's name, also in errors.")
    syncs: str = Field(default="syncs", description=SYNCS)
    settings: dict[str, Any] = Field(default={}, description=SETTINGS)

    @property
    def config(self) -> DestinationConfig:
        """The checked settings. Raises ConfigProblemsError, ConfigError."""
        if self.settings:
            return parse_destination(self.name, self.settings)
        return _entry(load_connections(Path(self.syncs)).destinations, self.name, self._noun, self.syncs)

    def push(self, frame: "pd.DataFrame", **rows: Any) -> Pushed:
        """Checks the rows of a DataFrame by the destination's rules and sends those that pass.

        Args:
            frame: One row per person, object, event or row of a table; columns as in a sync's query.
            **rows: The section that a sync file to this destination has, with its settings. Customer.io:
                ``push(frame, people={"identify_by": "email"})``; a table: ``push(frame, rows={"table": ...})``.
                Beside it ``where``, ``transform`` (relative to the current folder) and ``columns``, as in a file.

        Returns:
            Counts by outcome, and the failed rows with their numbers and reasons.

        Raises:
            ConfigError: The settings are wrong, or a needed column is missing.
            DestinationError: The destination refused the credentials or gave no usable answer.
        """
        config = self.config
        with tempfile.TemporaryDirectory(prefix="reverse-etl-") as folder:
            return push_frame(frame, parse_rows(config.type, rows, entry=config), config, RunFolder(Path(folder)))

    @property
    def _noun(self) -> str:
        return "destination"


class CustomerIOResource(DestinationResource):
    """A named Customer.io workspace to push rows to.

    ``CustomerIOResource(name="main", syncs="syncs")`` is the entry ``main`` of ``syncs/connections.yaml``.
    """

    name: str = Field(description="The workspace's name, also in errors.")

    @property
    def _noun(self) -> str:
        return "workspace"


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where changesets, failed-row CSVs and the state lie."""

    path: str = Field(
        default="", description="The home folder; empty: $REVERSE_ETL_HOME, or .reverse_etl beside the syncs."
    )
    syncs: str = Field(default="", description="The folder of the syncs; empty: $REVERSE_ETL_SYNCS, or ./syncs.")

    @property
    def home(self) -> Home:
        """The home folder. Raises StateError where it cannot be made."""
        if self.path:
            return Home.at(Path(self.path))
        return Home.from_environment(Path(self.syncs) if self.syncs else None)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Closes runs that were interrupted between two stages. Raises StateError."""
        if context.run is not None:
            end_open(context.run.run_id)


def database_key(name: str) -> str:
    """The resource key of a database connection."""
    return f"database_{name}"


def destination_key(kind: str, name: str) -> str:
    """The resource key of a destination: its kind and its name."""
    return f"{kind}_{name}"


def destination_resource(config: DestinationConfig, syncs: str) -> tuple[str, DestinationResource]:
    """The resource of a destination of a folder of syncs, with its key."""
    made = CustomerIOResource if config.type == workspace_kind() else DestinationResource
    return destination_key(config.type, config.name), made(name=config.name, syncs=syncs)


def _entry(entries: dict[str, Entry], name: str, kind: str, syncs: str) -> Entry:
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise ConfigError(f"{syncs}/connections.yaml has no {kind} named {name}.", hint=f"It has: {known}.")
    return entries[name]
