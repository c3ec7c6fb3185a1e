"""The section of a sync to Amplitude that says what its rows are: properties of users or of groups, or events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from reverse_etl.config.model import Misfit, YamlModel

if TYPE_CHECKING:
    from reverse_etl.config.gone import Gone

_Name = Annotated[str, Field(min_length=1, max_length=1_024)]

EVENT_TYPE = "event_type"
EVENT_ID = "event_id"
OCCURRED_AT = "occurred_at"


class Amplitude(YamlModel):
    """Rows are users' properties, groups' properties, or events.

    Attributes:
        send: What a row is.
        identify_by: The column that names the user, in Amplitude's words.
        event_type: Of every event; None where the query has a column ``event_type``.
        group_type: Of every group, such as ``company``; its names are in a column of that name.
        set_once: Properties that are set only where there is none yet.
        empty_values: NULL and '': left out, or the property is unset.
    """

    send: Literal["user_properties", "group_properties", "events"] = Field(
        default="user_properties", description="What a row is: properties of a user or of a group, or an event."
    )
    identify_by: Literal["user_id", "device_id"] = Field(
        default="user_id", description="The column that names the user."
    )
    event_type: _Name | None = Field(default=None, description="Of every event; otherwise a column event_type.")
    group_type: _Name | None = Field(
        default=None, description="The kind of group, and the column with its name, such as company."
    )
    set_once: tuple[_Name, ...] = Field(default=(), description="Properties that keep the first value they are given.")
    empty_values: Literal["ignore", "clear"] = Field(
        default="ignore", description="NULL and '': left out, or the property is unset."
    )

    @property
    def records(self) -> str:
        """What a row is."""
        return self.send

    @property
    def key(self) -> tuple[str, ...]:
        """The user, or the group."""
        return (self.group_type,) if self.group_type is not None else (self.identify_by,)

    @property
    def needed(self) -> tuple[str, ...]:
        """The key; of events their time, and their type where it is not the same for all."""
        if self.send != "events":
            return self.key
        return (*self.key, *(() if self.event_type else (EVENT_TYPE,)), OCCURRED_AT)

    @property
    def apart(self) -> tuple[str, ...]:
        """What an event has beside its properties."""
        return (EVENT_TYPE, EVENT_ID, OCCURRED_AT) if self.send == "events" else ()

    @property
    def repeats(self) -> bool:
        """A user has many events."""
        return self.send == "events"

    @property
    def when_gone(self) -> Gone | None:
        """Nothing: deleting a user is a privacy request, which is done in days and told to every admin."""
        return None

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Each key goes with what a row is."""
        send = given.get("send", "user_properties")
        if send == "group_properties" and not given.get("group_type"):
            yield "", "needs `group_type`: the kind of group, and the column with its name, such as company"
        elif send != "group_properties" and given.get("group_type"):
            yield "group_type", "goes with `send: group_properties`"
        if send != "events" and given.get("event_type"):
            yield "event_type", "goes with `send: events`"
        if send == "events":
            for key in ("set_once", "empty_values"):
                if given.get(key):
                    yield key, "goes with properties: an event has the values of its row"
        yield from super().misfits(given)
