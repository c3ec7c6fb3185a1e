"""One org: its objects and records, how many calls its day has left, and what can be set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from reverse_etl.sandbox.base import Clock
from reverse_etl.sandbox.salesforce.ids import id_with_suffix
from reverse_etl.sandbox.salesforce.org_objects import org_objects
from reverse_etl.sandbox.salesforce.problems import RecordError, RefusedValueError, RequestError
from reverse_etl.sandbox.salesforce.schema import Field
from reverse_etl.sandbox.salesforce.table import Table
from reverse_etl.sandbox.salesforce.values import iso

USER_ID = id_with_suffix("005Sb0000000001")
_HOURS_OF_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Settings:
    """One org, an app that may sign in, and its user.

    Where Salesforce's documentation is silent the reading is a switch, and the default is the reading that hides least.

    Attributes:
        refresh_token: Taken by the refresh-token flow.
        jwt_public_key: PEM of the key that signed assertions are checked with; without one the flow is refused.
        username: Of the user that assertions name.
        token_s: How long a token is taken.
        instance_url: In the answers of sign-in; empty is the address that was asked.
        calls_a_day: Of the whole org, in 24 hours that roll.
        calls_of_others: How many of them other programs have used.
        malformed: Whether an unknown field, or a value of another kind, fails its record or the whole request.
        may_hard_delete: Whether the user may delete for good.
        duplicate_field: A new record with a value of this field that another one has meets a duplicate rule; empty:
            there is no such rule.
        duplicate_action: What the rule does: ``alert`` lets a request that says so save the record, ``block`` none.
        work_s: How long a call takes. The parents of a collection's records are locked meanwhile.
        shuffle_results: Whether a job's results come in another order than its rows.
        polls_until_done: How many times a job is asked for before it has ended.
        bulk_batch_rows: Rows that a job writes at a time.
        query_page_rows: Most records in a page of a query.
    """

    client_id: str = "sandbox"
    client_secret: str = "sandbox"  # noqa: S105 - not a secret
    refresh_token: str = "sandbox"  # noqa: S105 - not a secret
    jwt_public_key: str = ""
    username: str = "integration@sandbox.example"
    token_s: float = 7200.0
    instance_url: str = ""
    org_id: str = "00DSb000000000FAAQ"
    is_sandbox: bool = True
    calls_a_day: int = 100_000
    calls_of_others: int = 0
    malformed: Literal["record", "request"] = "record"
    duplicate_field: str = ""
    may_hard_delete: bool = True
    duplicate_action: Literal["alert", "block"] = "alert"
    work_s: float = 0.0
    shuffle_results: bool = True
    polls_until_done: int = 2
    bulk_batch_rows: int = 10_000
    query_page_rows: int = 2000


class Org:
    """Everything that an org holds. One thread only: the server's event loop.

    ``settings`` are asked for at each use: a test may change them.
    """

    def __init__(self, settings: Callable[[], Settings], clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        """Makes it a new org."""
        self.tables = {sobject.name.lower(): Table(sobject) for sobject in org_objects()}
        self._calls: defaultdict[int, int] = defaultdict(int)

    @property
    def settings(self) -> Settings:
        """What is set now."""
        return self._settings()

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables.values())

    def now_s(self) -> float:
        """Unix seconds."""
        return self._clock.now()

    def now(self) -> str:
        """The time as answers have it."""
        return iso(datetime.fromtimestamp(self._clock.now(), UTC))

    def table(self, name: str, *, writes: bool = False) -> Table:
        """The records of an object.

        Raises:
            RequestError: There is no such object, or its records cannot be written.
        """
        found = self.tables.get(name.lower())
        if found is None or (writes and not found.sobject.writable):
            raise RequestError(404, "NOT_FOUND", "The requested resource does not exist")
        return found

    def count_call(self) -> None:
        """Counts a call of the API.

        Raises:
            RequestError: The day's calls are used up.
        """
        if self.calls_used() >= self.settings.calls_a_day:
            raise RequestError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self._calls[int(self._clock.now() // 3600)] += 1

    def use_up(self) -> None:
        """Uses up what is left of the day.

        Raises:
            RequestError: As each call does from now on.
        """
        self._calls[int(self._clock.now() // 3600)] += max(0, self.settings.calls_a_day - self.calls_used())
        self.count_call()

    def calls_used(self) -> int:
        """Calls in the last 24 hours, in steps of an hour."""
        since = int(self._clock.now() // 3600) - _HOURS_OF_A_DAY
        return self.settings.calls_of_others + sum(count for hour, count in self._calls.items() if hour > since)

    def limit_info(self) -> str:
        """``Sforce-Limit-Info``, with a second part that has another name."""
        used, most = self.calls_used(), self.settings.calls_a_day
        return f"api-usage={used}/{most}, per-app-api-usage={sum(self._calls.values())}/{most}(appName=sandbox)"

    def parent_id(self, reference: Field, text: str) -> str:
        """The id of a record that a reference field names by its id.

        Raises:
            RefusedValueError: There is none.
        """
        parents = self.table(reference.reference_to or "")
        try:
            place = parents.find_id(text)
        except ValueError:
            message = f"{reference.name}: id value of incorrect type: {text}"
            raise RefusedValueError(RecordError("MALFORMED_ID", message, (reference.name,))) from None
        if place is None:
            error = RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (reference.name,))
            raise RefusedValueError(error)
        return parents.id_at(place)

    def parent_key(self, reference: Field, name: str) -> Field | None:
        """The field of a parent that an external id is of; None where it is none."""
        found = self.table(reference.reference_to or "").sobject.field(name)
        return found if found is not None and (found.external_id or found.id_lookup) else None

    def parent_by_key(self, reference: Field, key: Field, value: Any) -> str:
        """The id of the record with an external id.

        Raises:
            RefusedValueError: There is none, or several have it.
        """
        parents = self.table(reference.reference_to or "")
        found = parents.find(key, value)
        if len(found) == 1:
            return parents.id_at(found[0])
        told = "not found" if not found else "is of more than one record"
        message = f"Foreign key external ID: {value} {told} for field {key.name} in entity {parents.sobject.name}"
        raise RefusedValueError(RecordError("INVALID_FIELD", message, (reference.name,)))
