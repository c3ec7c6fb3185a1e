"""One account: its object types, records, lists and associations, and what its app may do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from starlette.responses import Response

from reverse_etl.sandbox.base import Clock
from reverse_etl.sandbox.hubspot.associations import Associations
from reverse_etl.sandbox.hubspot.limits import Limits, Most
from reverse_etl.sandbox.hubspot.lists import Lists
from reverse_etl.sandbox.hubspot.objects import Objects
from reverse_etl.sandbox.hubspot.problems import refusal
from reverse_etl.sandbox.hubspot.schema import account_types
from reverse_etl.sandbox.hubspot.values import iso

_SCOPES = (
    *(
        f"crm.objects.{name}.{verb}"
        for name in ("contacts", "companies", "deals", "custom")
        for verb in ("read", "write")
    ),
    *(
        f"crm.schemas.{name}.{verb}"
        for name in ("contacts", "companies", "deals", "custom")
        for verb in ("read", "write")
    ),
    *("crm.lists.read", "crm.lists.write", "tickets", "oauth"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """One HubSpot account and its private app.

    Where HubSpot's documentation is silent the reading is a switch.

    Attributes:
        missing_scopes: Scopes that the app was not granted, separated by commas.
        calls_in_ten_seconds: 100 (Free, Starter), 190 (Professional, Enterprise) or 250; 0 switches the limit off.
        calls_a_day: Of the account; 0 switches the limit off.
        searches_a_second: 0 switches the limit off.
        search_lag_s: Seconds until a search finds what was written.
        values_not_text: Numbers and booleans among the values are refused with the request, or made texts.
        email_upsert: What an upsert by e-mail address does to the properties that it does not name: documented is
            only that partial upserts are not supported.
    """

    access_token: str = "sandbox"  # noqa: S105 - not a secret
    portal_id: int = 1_460_001
    missing_scopes: str = ""
    calls_in_ten_seconds: int = 190
    calls_a_day: int = 625_000
    searches_a_second: int = 5
    search_lag_s: float = 5.0
    values_not_text: Literal["refuse", "convert"] = "refuse"
    email_upsert: Literal["update", "clear"] = "update"


class Account:
    """Everything that an account holds. One thread only: the server's event loop.

    ``settings`` are asked for at each use: a test may change them.
    """

    def __init__(self, settings: Callable[[], Settings], clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.limits = Limits(clock)
        self.clear()

    @property
    def settings(self) -> Settings:
        """What is set now."""
        return self._settings()

    def clear(self) -> None:
        """Makes it a new account."""
        self.types = [Objects(kind) for kind in account_types(self.settings.portal_id)]
        self._by_name = {
            name: objects
            for objects in self.types
            for name in (objects.kind.id, objects.kind.name, objects.kind.singular.lower(), *objects.kind.others)
        }
        self._made = 0
        self.limits.clear()
        self.associations = Associations()
        self.lists = Lists()

    def __iter__(self) -> Iterator[Objects]:
        return iter(self.types)

    def objects(self, name: str) -> Objects | None:
        """The records of a type, by its name or id."""
        return self._by_name.get(name.lower())

    def new_id(self) -> str:
        """An id that no record has had."""
        self._made += 1
        return str(151_000_000 + self._made)

    def now(self) -> str:
        """The time as answers have it."""
        return iso(datetime.fromtimestamp(self._clock.now(), UTC))

    def now_s(self) -> float:
        """Unix seconds."""
        return self._clock.now()

    def searchable_from(self) -> float:
        """When a search finds what is written now."""
        return self._clock.now() + self.settings.search_lag_s

    def most_calls(self) -> Most:
        """The limits that hold now."""
        settings = self.settings
        return Most(settings.calls_in_ten_seconds, settings.calls_a_day, settings.searches_a_second)

    def scopes(self) -> list[str]:
        """What the app was granted."""
        missing = {each.strip() for each in self.settings.missing_scopes.split(",")}
        return [scope for scope in _SCOPES if scope not in missing]

    def refuse_without(self, scope: str) -> Response | None:
        """The refusal of a call whose scope the app was not granted."""
        if scope in self.scopes():
            return None
        message = "This app hasn't been granted all required scopes to make this call."
        needed = {
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": [scope]},
        }
        return refusal(
            403, "MISSING_SCOPES", message, errors=[needed], links={"scopes": "https://developers.hubspot.com/scopes"}
        )
