"""The section of a sync to HubSpot that says what its rows are: records of an object type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.gone import GoneMax, GoneMaxRows, MayBeGone
from reverse_etl.config.intervals import IntervalOrZero
from reverse_etl.config.model import Misfit, YamlModel

_Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]

RECORD_ID: Final = "hs_object_id"
"""HubSpot's own id of a record: it finds one, and makes none."""

EMAIL: Final = "email"


class RecordList(YamlModel):
    """A manual list of records."""

    id: int = Field(ge=1, description="Of a manual list of the same object type, which must exist.")


class Associate(YamlModel):
    """A record of another type that each row names.

    Attributes:
        to: Its object type.
        identify_by: The unique property by which it is found, or ``hs_object_id``.
        column: Holds that property's value; a row without one is associated with nothing.
        label: Of the association, as HubSpot shows it; None for the plain one.
    """

    to: _Name = Field(description="Its object type: companies, contacts, deals, tickets, or one like 2-1234567.")
    identify_by: _Name = Field(description="The unique property that finds it, or hs_object_id.")
    column: str = Field(min_length=1, description="The column with that property's value; empty: no association.")
    label: str | None = Field(
        default=None, min_length=1, description="Of the association, such as Primary; by default it has none."
    )


class HubSpot(MayBeGone):
    """Rows are records of one object type; each column is the property of its name.

    Attributes:
        identify_by: The unique property that finds a record, and the column with its value.
        empty_values: NULL and '': left out, or the property is cleared.
        gone_wait: How long a record has to be missing.
    """

    object: _Name = Field(description="The object type: contacts, companies, deals, tickets, or one like 2-1234567.")
    identify_by: _Name = Field(
        description="The unique property that finds a record, and its column: email for contacts, or hs_object_id."
    )
    write: Literal["add_and_update", "update_only", "add_only"] = Field(
        default="add_and_update",
        description="update_only changes records that exist, add_only adds those that do not.",
    )
    empty_values: Literal["ignore", "clear"] = Field(
        default="ignore", description="NULL and '': left out, or the property is cleared."
    )
    list: RecordList | None = Field(default=None, description="A manual list that delivered records join.")
    associate: Associate | None = Field(default=None, description="Records that delivered ones are associated with.")
    gone: Literal["nothing", "archive"] = Field(
        default="nothing",
        description="Records whose rows the query no longer returns, or whose column deleted is true: archive them; "
        "HubSpot can restore them for 90 days.",
    )
    gone_wait: IntervalOrZero = Field(
        default=timedelta(), description="How long a row must be missing before gone applies."
    )
    gone_max: GoneMax = 5.0
    gone_max_rows: GoneMaxRows = 1_000

    @property
    def records(self) -> str:
        """What a row is."""
        return self.object

    @property
    def key(self) -> tuple[str, ...]:
        """The property that finds a record."""
        return (self.identify_by,)

    @property
    def needed(self) -> tuple[str, ...]:
        """The key, and what a row is associated by."""
        return (*self.key, *self.apart)

    @property
    def apart(self) -> tuple[str, ...]:
        """What a row is associated by is no property of its own."""
        return (self.associate.column,) if self.associate is not None else ()

    @property
    def repeats(self) -> bool:
        """A record comes once."""
        return False

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """HubSpot gives record ids itself; a record is associated by something else than what finds it."""
        if given.get("identify_by") == RECORD_ID and given.get("write") != "update_only":
            yield "identify_by", "goes with `write: update_only` here: HubSpot gives new records their ids itself"
        associate = given.get("associate")
        column = associate.get("column") if isinstance(associate, Mapping) else None
        if column is not None and column == given.get("identify_by"):
            yield ("associate", "column"), "is the column of `identify_by`: select the other record's key beside it"
        yield from super().misfits(given)
