"""Faults on order: which requests go wrong, how, and how often. Only the rules; ``front`` makes them happen.

A rule is ``{"match": {"path": prefix, "method": "POST"}, "skip": 2, "times": 1, "do": {...}}``. The first rule that
matches a request, has let ``skip`` requests pass and has fires left decides; the others do not see that request.
With ``"every": 3`` it spoils each third of those that follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Strict):
    """Which requests a rule is about: a prefix of the path, and a method unless any will do."""

    path: str = "/"
    method: str | None = None


class RefuseItems(_Strict):
    """Items of a batch to refuse with an error of their own: every nth of each request, or those of these people.

    Attributes:
        every: Counted in each request from 1.
        ids: Values of ``id``, ``email``, ``cio_id`` or ``object_id``.
        whole: Refuse the whole request, without saying for which of its items, where one of them is to be refused.
        index: Whether the answer names the items as it should, names none, or some that the request did not have.
    """

    every: int | None = Field(default=None, ge=1)
    ids: frozenset[str] = frozenset()
    whole: bool = False
    index: Literal["given", "none", "beyond"] = "given"
    reason: str = "invalid"
    field: str = ""
    message: str = "refused by a sandbox fault"

    def refuses(self, place: int, item: Any) -> bool:
        """Whether the item at a place, from 0, is to be refused."""
        if self.every is not None and (place + 1) % self.every == 0:
            return True
        identifiers = item.get("identifiers") if isinstance(item, dict) else None
        return isinstance(identifiers, dict) and any(
            value in self.ids for value in identifiers.values() if isinstance(value, str)
        )


class Action(_Strict):
    """What goes wrong; ``delay_s`` may be combined with any one other.

    Attributes:
        status: Answer this status; the request is not applied unless ``apply`` is set.
        retry_after: Seconds, or an HTTP date, in a ``Retry-After`` header beside ``status``.
        body: Text answered beside ``status``.
        delay_s: Seconds to wait before the request is dealt with.
        drop: Close the connection: before the request is read, when a part of its body has arrived, when all of it
            has and nothing was applied, after it was applied and without an answer, or in the middle of the answer.
        truncate_body: Apply, and answer the first half of the body as if it were all.
        not_json: Apply, and answer 200 with a page of HTML.
        redirect: Answer a redirect to this address, followed by the request's own path.
        most_items: Answer 413 to a batch of more items than this, and any other as ever.
        endless: The answer has no end, beside ``status`` or to a request that was applied: its head or its body comes a
            byte at a time, its body is a flood, or a gzip bomb.
        crash: End this server with SIGKILL: before the request is read, or after it was applied.
        own: A fault that only this service has, by its name.
        details: What that fault asks for, such as the people it is about.
    """

    status: int | None = Field(default=None, ge=200, le=599)
    retry_after: int | str | None = None
    body: str = ""
    apply: bool = False
    delay_s: float = Field(default=0.0, ge=0.0)
    drop: Literal["before", "during_request", "before_apply", "after_apply", "during_answer"] | None = None
    truncate_body: bool = False
    not_json: bool = False
    redirect: str | None = None
    redirect_status: Literal[301, 302, 303, 307, 308] = 301
    refuse_items: RefuseItems | None = None
    most_items: int | None = Field(default=None, ge=0)
    endless: Literal["head", "body", "flood", "bomb"] | None = None
    crash: Literal["before", "after_apply"] | None = None
    own: str | None = None
    details: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_one_fault(self) -> Action:
        chosen = [self.status, self.drop, self.redirect, self.refuse_items, self.most_items, self.crash, self.own]
        chosen += [self.truncate_body or None, self.not_json or None, (self.status is None and self.endless) or None]
        count = sum(each is not None for each in chosen)
        if count > 1 or (count == 0 and not self.delay_s):
            raise ValueError(
                "one of status, drop, truncate_body, not_json, redirect, refuse_items, most_items, endless, crash, "
                "own, or delay_s, must be given"
            )
        return self


class FaultRule(_Strict):
    """One rule as ``POST /_sandbox/faults`` takes it.

    Attributes:
        skip: Matching requests to let pass first.
        every: After those, only each nth of them is spoilt.
        times: Requests to spoil; meaningless with ``always``.
    """

    match: Match = Match()
    skip: int = Field(default=0, ge=0)
    every: int = Field(default=1, ge=1)
    times: int = Field(default=1, ge=1)
    always: bool = False
    do: Action


_RULES = TypeAdapter(list[FaultRule])


class Faults:
    """The rules in force, in the order in which they were given.

    ``own`` are the names of the faults that only this service has.
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        self._own = tuple(own)
        self._rules: list[FaultRule] = []
        self._seen: list[int] = []
        self._fired: list[int] = []

    def add(self, rules: bytes) -> None:
        """Puts further rules in force, after those that are; an empty list ends all of them.

        Raises:
            ValueError: They are not a JSON list of rules; none of them is in force then.
        """
        found = _RULES.validate_json(rules)
        if not found:
            self.clear()
        for rule in found:
            if rule.do.own is not None and rule.do.own not in self._own:
                raise ValueError(f"{rule.do.own} is none of its own faults, which are {', '.join(self._own) or 'none'}")
        self._rules += found
        self._seen += [0] * len(found)
        self._fired += [0] * len(found)

    def clear(self) -> None:
        """Ends all rules."""
        self.__init__(self._own)  # type: ignore[misc]

    def active(self) -> int:
        """Rules that may yet fire."""
        return sum(rule.always or fired < rule.times for rule, fired in zip(self._rules, self._fired, strict=True))

    def take(self, method: str, path: str) -> Action | None:
        """What is to go wrong with a request; counts it."""
        for place, rule in enumerate(self._rules):
            if not path.startswith(rule.match.path) or rule.match.method not in (None, method):
                continue
            if not rule.always and self._fired[place] >= rule.times:
                continue
            self._seen[place] += 1
            after = self._seen[place] - rule.skip
            if after > 0 and after % rule.every == 0:
                self._fired[place] += 1
                return rule.do
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """The rules as they were given, each with the number of requests it has ``fired`` on."""
        return [
            {**rule.model_dump(mode="json", exclude_defaults=True), "fired": fired}
            for rule, fired in zip(self._rules, self._fired, strict=True)
        ]
