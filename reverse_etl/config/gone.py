"""What becomes of what a query no longer returns: ``gone`` and its limits, in the section that says what a row is.

Nothing is done by default. What is done has a limit, which is compared before the first row is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import Field

from reverse_etl.config.limits import ALWAYS_ALLOWED
from reverse_etl.config.model import Misfit, YamlModel
from reverse_etl.config.percent import Percent

DELETED: Final = "deleted"
"""The column that says of a row that it is gone."""

_LIMITS: Final = ("gone_wait", "gone_max", "gone_max_rows", "gone_scope")

GONE_KEYS: Final = frozenset({"gone", *_LIMITS})
"""Keys that decide nothing about rows that are there."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What is done with what is gone, and how much of it at once.

    Attributes:
        action: A word of the destination's: ``delete``, ``suppress``, ``clear`` or ``set``.
        attributes: What ``set`` sets.
        wait_s: For how long a key has to be gone, seconds.
        max_percent: Of the keys that are known, the most that a run acts upon, in percent.
        max_rows: The most that a run acts upon, whatever share that is.
        keeps_unknown: Whether what may have been sent, and was never acknowledged, is left alone.
        of_table: Whether all rows of a table are compared with the query's, whoever wrote them, without a store.
    """

    action: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    wait_s: int = 0
    max_percent: float = 5.0
    max_rows: int = 1_000
    keeps_unknown: bool = False
    of_table: bool = False

    def most(self, known: int) -> int:
        """The most keys that a run acts upon, of ``known`` ones."""
        return min(max(ALWAYS_ALLOWED, int(known * self.max_percent / 100)), self.max_rows)


class SetWhenGone(YamlModel):
    """Attributes that are set for whoever is gone."""

    set: dict[Annotated[str, Field(min_length=1)], str | bool | int | Annotated[float, Field(allow_inf_nan=False)]] = (
        Field(min_length=1, description="Attributes and their values, as in {is_customer: false}.")
    )


GoneMax = Annotated[
    Percent,
    Field(description="A run in which more of the known rows are gone stops; 10 rows are always allowed."),
]
GoneMaxRows = Annotated[int, Field(ge=0, description="A run in which more rows are gone stops.")]


class MayBeGone(YamlModel):
    """A section with the keys ``gone``, ``gone_wait``, ``gone_max`` and ``gone_max_rows``, each with its own words."""

    @property
    def when_gone(self) -> Gone | None:
        """What is done; None for nothing."""
        given = vars(self)
        gone = given["gone"]
        if gone == "nothing":
            return None
        word, attributes = ("set", gone.set) if isinstance(gone, SetWhenGone) else (gone, {})
        wait_s = int(given["gone_wait"].total_seconds())
        of_table = given.get("gone_scope") == "table"
        return Gone(word, attributes, wait_s, given["gone_max"], given["gone_max_rows"], of_table=of_table)

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Limits go with what they limit; who is suppressed never comes back, so that is waited for."""
        gone = given.get("gone", "nothing")
        if gone == "nothing":
            for key in _LIMITS:
                if key in given:
                    yield key, "goes with `gone`, as in `gone: delete`"
        wait = given.get("gone_wait")
        if given.get("gone_scope") == "table" and given.get("gone_wait") is not None:
            yield "gone_wait", "goes with `gone_scope: own`: since when a row of the table is gone is not remembered"
        if gone == "suppress" and isinstance(wait, str) and wait.strip().startswith("0"):
            yield "gone_wait", "suppress cannot be undone: wait for some time, as in 24h, or write `gone: delete`"
        yield from super().misfits(given)
