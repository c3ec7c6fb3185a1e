"""The section of a sync to Amplitude that says what its rows are: properties of users or groups, events, or members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from reverse_etl.config.gone import GoneMax, GoneMaxRows, MayBeGone
from reverse_etl.config.intervals import IntervalOrZero
from reverse_etl.config.model import Misfit, YamlModel

_Name = Annotated[str, Field(min_length=1, max_length=1_024)]

EVENT_TYPE = "event_type"
EVENT_ID = "event_id"
OCCURRED_AT = "occurred_at"


class Cohort(YamlModel):
    """A cohort whose members are the rows.

    Attributes:
        id: Of one that exists.
        name: Of one that is found, or made if ``owner`` and ``app_id`` are given.
        owner: The e-mail address of a user of Amplitude to whom a new cohort belongs.
        app_id: The project's number, for a new cohort.
    """

    id: _Name | None = Field(default=None, description="Of a cohort that exists.")
    name: _Name | None = Field(default=None, description="Of a cohort that exists, or else is made.")
    owner: _Name | None = Field(default=None, description="The e-mail address of a new cohort's owner.")
    app_id: int | None = Field(default=None, ge=1, description="The project's number, for a new cohort.")

    @property
    def called(self) -> str:
        """For messages."""
        return f"cohort {self.id}" if self.id is not None else f"cohort `{self.name}`"

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """It has an id, or a name; who makes one says whose it is."""
        if ("id" in given) == ("name" in given):
            yield "", "needs `id` or `name`, and not both"
        new = [key for key in ("owner", "app_id") if key in given]
        for key in new if "id" in given else ():
            yield key, "goes with `name`: a cohort with an id exists"
        if len(new) == 1 and "id" not in given:
            yield new[0], "goes with the other of `owner` and `app_id`: a new cohort needs both"
        yield from super().misfits(given)


class Amplitude(MayBeGone):
    """Rows are users' properties, groups' properties, events, or members of a cohort.

    Attributes:
        send: What a row is.
        identify_by: The column that names the user, in Amplitude's words.
        event_type: Of every event; None where the query has a column ``event_type``.
        group_type: Of every group, such as ``company``; its names are in a column of that name.
        set_once: Properties that are set only where there is none yet.
        empty_values: NULL and '': left out, or the property is unset.
        cohort: Whose members rows are.
        gone: What becomes of members whose rows are gone.
        gone_wait: How long a member's row has to be missing.
    """

    send: Literal["user_properties", "group_properties", "events", "cohort"] = Field(
        default="user_properties",
        description="What a row is: properties of a user or of a group, an event, or a member of a cohort.",
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
    cohort: Cohort | None = Field(default=None, description="With send: cohort: the cohort whose members rows are.")
    gone: Literal["nothing", "remove"] = Field(
        default="nothing",
        description="Members whose rows the query no longer returns, or whose column deleted is true: take them out.",
    )
    gone_wait: IntervalOrZero = Field(
        default=timedelta(), description="How long a row must be missing before gone applies."
    )
    gone_max: GoneMax = 5.0
    gone_max_rows: GoneMaxRows = 1_000

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
        if send == "cohort":
            yield from _misfits_of_members(given)
        else:
            if given.get("cohort"):
                yield "cohort", "goes with `send: cohort`"
            if given.get("gone", "nothing") != "nothing":
                # Deleting a user is a privacy request, which is done in days and told to every admin.
                yield "gone", "goes with `send: cohort`: Amplitude forgets users and events by a privacy request alone"
        yield from super().misfits(given)


def _misfits_of_members(given: Mapping[str, Any]) -> Iterator[Misfit]:
    """A member is a user's id, and nothing else."""
    if not given.get("cohort"):
        yield "", "needs `cohort`: its `id`, or its `name`"
    if given.get("identify_by", "user_id") != "user_id":
        yield "identify_by", "of a cohort's member is user_id"
    for key in ("set_once", "empty_values"):
        if given.get(key):
            yield key, "goes with properties: a member has none"
