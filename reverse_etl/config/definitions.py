"""What a name means: an entry of the dictionary, in ``dictionary.yaml`` or a sync. Who keeps to it: ``contracts``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from reverse_etl.config.model import Misfit, YamlModel
from reverse_etl.config.numbers import ExactNumber, exact
from reverse_etl.config.owners import Owner

Type = Literal["text", "integer", "number", "boolean", "date", "timestamp", "json"]
Mode = Literal["warn", "enforce"]

PARTS: Final = ("type", "description", "source")
"""What a name means; where one of them changes, the name means something else."""

_VALUES: Final[Mapping[str, tuple[type, ...]]] = {"text": (str,), "integer": (int,), "number": (int, Decimal)}


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("must be a day, such as 2026-01-05") from None


class Definition(YamlModel):
    """One attribute, and what it means.

    Attributes:
        type: None where the query's type is not checked.
        allowed_values: Everything it may be when it is not empty; empty for no limit.
        written_by: The syncs that are meant to write it, where that is more than one.
    """

    type: Type | None = Field(default=None, description="What its values are.")
    description: str = Field(default="", description="What it means, in a sentence.")
    source: str = Field(default="", description="Where it comes from, such as shop.customers.plan.")
    required: bool = Field(default=False, description="A row without a value is rejected; '' counts as no value.")
    allowed_values: tuple[Annotated[str | int | ExactNumber | bool, BeforeValidator(exact)], ...] = Field(
        default=(), description="All that it may be; a row with another value is rejected."
    )
    deprecated_by: str = Field(default="", description="The name to use instead.")
    owner: Owner | None = Field(default=None, description="Who answers for it: an e-mail address or team:name.")
    since: Annotated[str, AfterValidator(_day)] | None = Field(
        default=None, description="The day from which it is sent, such as 2026-01-05."
    )
    written_by: tuple[str, ...] = Field(default=(), description="The syncs that write it, where several do.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Allowed values are of the type, and there are some."""
        kind, values = given.get("type"), given.get("allowed_values")
        if isinstance(values, list) and not values:
            yield "allowed_values", "is empty: no value could be sent"
        if isinstance(values, list) and isinstance(kind, str) and kind in _VALUES:
            for index, value in enumerate(values):
                if isinstance(value, bool) or not isinstance(exact(value), _VALUES[kind]):
                    yield ("allowed_values", index), f"is no {kind}, which the type is"
        elif isinstance(values, list) and kind in ("boolean", "json"):
            yield "allowed_values", f"does not go with `type: {kind}`"
        yield from super().misfits(given)

    def digests(self) -> dict[str, str]:
        """A short hash of each part of its meaning."""
        return {part: digest(getattr(self, part) or "") for part in PARTS}


class EventDefinition(YamlModel):
    """One event, what it means, and its attributes."""

    description: str = Field(default="", description="When it happens, in a sentence.")
    source: str = Field(default="", description="Where it comes from, such as shop.orders.")
    deprecated_by: str = Field(default="", description="The event to use instead.")
    owner: Owner | None = Field(default=None, description="Who answers for it: an e-mail address or team:name.")
    since: Annotated[str, AfterValidator(_day)] | None = Field(default=None, description="The day of the first one.")
    attributes: dict[str, Definition] | None = Field(default=None, description="Its attributes, by name.")


class ObjectDefinition(YamlModel):
    """One object type, and its attributes."""

    description: str = Field(default="", description="What one of them is, in a sentence.")
    owner: Owner | None = Field(default=None, description="Who answers for it: an e-mail address or team:name.")
    attributes: dict[str, Definition] | None = Field(default=None, description="Its attributes, by name.")
    relationship_attributes: dict[str, Definition] | None = Field(
        default=None, description="The attributes of its relationships to people, by name."
    )


class DictionaryFile(YamlModel):
    """``dictionary.yaml``: what names mean in all syncs of people, objects and events."""

    MAPS: ClassVar[tuple[str, ...]] = ("attributes", "events", "objects")

    contract: Mode = Field(default="warn", description="warn reports, enforce stops a run before anything is sent.")
    attributes: dict[str, Definition] | None = Field(default=None, description="The attributes of people, by name.")
    events: dict[str, EventDefinition] | None = Field(default=None, description="Events, by name.")
    objects: dict[str, ObjectDefinition] | None = Field(default=None, description="Object types, by number.")


def digest(value: object) -> str:
    """A short hash of a text that stays the same from release to release."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]


def no_empty(entries: object) -> object:
    """A mapping with ``{}`` for each name that has nothing after it: a name alone is a definition, too."""
    if not isinstance(entries, Mapping):
        return entries
    return {name: {} if value is None else value for name, value in entries.items()}
