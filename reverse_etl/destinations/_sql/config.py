"""What every database is asked for as a destination: a server, a table of it, and how rows get in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from reverse_etl.config.connections import DestinationConfig, ServerAddress, Timezone
from reverse_etl.config.environment import EnvText
from reverse_etl.config.gone import GONE_KEYS, GoneMax, GoneMaxRows, MayBeGone, SetWhenGone
from reverse_etl.config.intervals import Interval, IntervalOrZero
from reverse_etl.config.limits import AnyRowLimit
from reverse_etl.config.model import Misfit

NOT_WRITTEN: Final = GONE_KEYS | {"adds_max", "updates_max"}
"""Keys of ``Rows`` that decide nothing about how a row is written."""

MOST_ROWS: Final = 100_000
"""Of one transaction."""


class TableTarget(DestinationConfig):
    """One entry of ``destinations``: a place with tables, and how rows get into them.

    Attributes:
        timezone: What date-times without a zone are in, there.
        rows_per_transaction: Most rows of a slice.
        lock_timeout: How long a statement waits for rows that another transaction is changing.
    """

    timezone: Timezone = Field(default="UTC", description="What columns for date-times without a zone are in.")
    rows_per_transaction: int = Field(
        default=25_000,
        ge=1,
        le=MOST_ROWS,
        description="Rows that are written, and become visible, together.",
    )
    lock_timeout: Interval = Field(
        default=timedelta(seconds=10), description="How long to wait for rows that another transaction is changing."
    )

    @property
    def whereabouts(self) -> tuple[str, ...]:
        """What tells the place from others. Raises UnsetVariableError."""
        raise NotImplementedError


class TableServer(ServerAddress, TableTarget):
    """A server, and a user who may write there."""

    SET_BY_LOADER: ClassVar[frozenset[str]] = DestinationConfig.SET_BY_LOADER | ServerAddress.SET_BY_LOADER

    user: EnvText = Field(description="A user who may write to the table; ${NAME} is replaced.")

    @property
    def place(self) -> tuple[str, int]:
        """Host and port; those of a tunnel while one is open. Raises UnsetVariableError."""
        return self.address(self.port or 0)

    @property
    def whereabouts(self) -> tuple[str, ...]:
        """Host, port and database."""
        host, port = self.place
        return host, str(port), self.database.resolve()


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names a column twice")
    return names


class Rows(MayBeGone):
    """What becomes of a sync's rows. Columns are those of the query, by equal names.

    Attributes:
        table: As the server spells it; with its schema or database before it where it is not in the destination's.
        identify_by: The columns that identify a row of the table; may be empty with ``append``.
        write: ``update_only`` leaves out rows that the table does not have, ``add_only`` those that it has;
            ``append`` adds rows whatever the table has.
        empty_values: Whether NULL and '' are written, or keep what is there.
        gone: What becomes of rows that the query no longer returns, or whose column ``deleted`` is true.
        gone_scope: Whether those are rows that the sync wrote, or all of the table's.
        adds_max: A run that would add more stops before it writes anything; None for no limit.
        updates_max: Likewise, of rows that it would change.
    """

    table: str = Field(min_length=1, description="A table that exists, or schema.table.")
    identify_by: Annotated[tuple[str, ...], BeforeValidator(_as_list), AfterValidator(_once)] = Field(
        default=(),
        description="The column, or the list of columns, that identifies a row. append does without: there it only "
        "names rows among the failed ones.",
    )
    write: Literal["add_and_update", "update_only", "add_only", "append"] = Field(
        default="add_and_update",
        description="update_only changes rows that exist, add_only adds those that do not, append adds every row, "
        "each time.",
    )
    empty_values: Literal["write", "ignore"] = Field(
        default="write", description="NULL and '': write them, or keep what is there."
    )
    gone: Literal["nothing", "delete"] | SetWhenGone = Field(
        default="nothing",
        description="Rows that the query no longer returns, or whose column deleted is true: delete them, or set "
        "columns of the table, as in {set: {deleted_at: now}}.",
    )
    gone_scope: Literal["own", "table"] = Field(
        default="own",
        description="Which rows can be gone: those that this sync wrote, or all rows of the table.",
    )
    gone_wait: IntervalOrZero = Field(
        default=timedelta(), description="How long a row must be missing before gone applies."
    )
    gone_max: GoneMax = 5.0
    gone_max_rows: GoneMaxRows = 1_000
    adds_max: AnyRowLimit = Field(
        default=None,
        description="A run that would add more rows to the table stops: a number, or a share of the table's rows.",
    )
    updates_max: AnyRowLimit = Field(
        default=None,
        description="A run that would change more rows of the table stops: a number, or a share of the table's rows.",
    )

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Rows are identified, but for those that are only ever added; these are not updated or deleted."""
        if given.get("write") != "append":
            if not given.get("identify_by"):
                yield "", "needs `identify_by`: the column, or the list of columns, that identifies a row"
        else:
            if given.get("gone", "nothing") != "nothing":
                yield "gone", "does not go with `write: append`: rows that were added are not looked for again"
            if given.get("updates_max") is not None:
                yield "updates_max", "does not go with `write: append`, which changes no row"
            if given.get("empty_values") == "ignore":
                yield "empty_values", "ignore does not go with `write: append`: there is no earlier value to keep"
        yield from super().misfits(given)
