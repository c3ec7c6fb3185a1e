"""Services in trouble: rows are delivered to a stand-in through faults drawn at random, and both sides must agree.

Subclass ``ServiceFaults`` beside a destination's other tests. A scenario delivers some rows through a few faults that
every service has or one of its own; then, where the run ended early, through none.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, ClassVar, Final

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl.delivery.deliver import deliver
from reverse_etl.destinations.base import Destination
from reverse_etl.errors import DestinationError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.servers.saas import RunningStandin, Saas

ROWS: Final = 23
_IN_A_TEST: Final = 20

Fault = dict[str, Any]
"""What ``do`` of a rule says (``reverse_etl.sandbox.faults``)."""

COMMON: Final[tuple[Fault, ...]] = (
    {"status": 429},
    {"status": 429, "retry_after": 2},
    {"status": 408},
    {"status": 500},
    {"status": 500, "apply": True},
    {"status": 502, "body": "<html>Bad gateway</html>"},
    {"status": 503, "retry_after": 1},
    {"status": 504, "apply": True},
    {"drop": "before"},
    {"drop": "during_request"},
    {"drop": "before_apply"},
    {"drop": "after_apply"},
    {"drop": "during_answer"},
    {"truncate_body": True},
    {"not_json": True},
    {"status": 200, "endless": "bomb", "apply": True},
)  # fmt: skip
"""What any service can do wrong: a request is applied or not, and its answer is lost, cut or of another kind."""


LOSSY: Final = tuple(
    fault
    for fault in COMMON
    if fault.get("apply")
    or fault.get("drop") in ("after_apply", "during_answer")
    or {*fault} & {"truncate_body", "not_json"}
)
"""Those after which a request was applied without an answer."""


class ServiceFaults(ABC):
    """What a service that is stood in for must come through.

    Attributes:
        name: The stand-in's.
        path: Where its faults happen: what the rows are sent to.
        own: What only this service does wrong.
        lossy: Those of them after which a request was applied, and not said to be.
        ends: Those after which a run may end early; the next one delivers the rest. They last, or happen ``times``.
        refusals: Reasons for which rows may be refused with the service's own faults; these rows are not there.
        once: Whether a request that is sent twice is applied twice: then rows may be refused as in doubt.
        scenarios: How many there are of the class; a service has 150 in all, or more.
    """

    name: ClassVar[str]
    path: ClassVar[str]
    own: ClassVar[tuple[Fault, ...]] = ()
    lossy: ClassVar[tuple[Fault, ...]] = ()
    ends: ClassVar[tuple[Fault, ...]] = ()
    refusals: ClassVar[frozenset[str]] = frozenset()
    once: ClassVar[bool] = False
    scenarios: ClassVar[int] = 80

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Some scenarios make a test."""
        if "first" in metafunc.fixturenames:
            metafunc.parametrize("first", range(0, self.scenarios, _IN_A_TEST))

    @abstractmethod
    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """The destination, with requests of at most five rows, two or more of them in flight."""

    @abstractmethod
    def rows(self, count: int) -> pa.RecordBatch:
        """Rows with different keys and values, without row numbers."""

    @abstractmethod
    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Each key with its value, as often as the service has it."""

    @abstractmethod
    def wanted(self, batch: pa.RecordBatch) -> list[tuple[str, Any]]:
        """The same of each row, in order."""

    def set_up(self, standin: RunningStandin) -> None:  # noqa: B027 - most need nothing
        """What must be there before."""

    @pytest.mark.thorough
    def test_no_fault_loses_or_doubles_a_row(self, saas: Saas, tmp_path: Path, first: int) -> None:
        """What is called delivered is there, once, and what is not is said; the stand-in has nothing else."""
        standin = saas(self.name)
        for seed in range(first, first + _IN_A_TEST):
            standin.forget()
            self._scenario(standin, tmp_path / str(seed), seed)

    def test_without_faults_every_row_arrives(self, saas: Saas, tmp_path: Path) -> None:
        """Each is delivered, and the service has it once."""
        standin = saas(self.name)
        self.set_up(standin)
        parts, batch = self._parts(tmp_path)
        self._deliver(standin, parts)
        assert [Outcome.DELIVERED] * ROWS == parts.outcomes(ROWS).tolist()
        assert Counter(self.wanted(batch)) == self.held(standin)

    def _scenario(self, standin: RunningStandin, folder: Path, seed: int) -> None:
        chance = random.Random(f"{type(self).__name__} {seed}")  # noqa: S311 - not for secrets
        self.set_up(standin)
        parts, batch = self._parts(folder)
        chosen = self._chosen(chance)
        may_end = any(fault in self.ends for fault in chosen)
        standin.faults(*(self._rule(chance, fault) for fault in chosen))
        with suppress(DestinationError if may_end else ()):
            self._deliver(standin, parts)
        self._agrees(standin, parts, batch, chosen, ended=False)
        standin.clear_faults()
        self._deliver(standin, parts)
        self._agrees(standin, parts, batch, chosen, ended=True)

    def _agrees(
        self, standin: RunningStandin, parts: Parts, batch: pa.RecordBatch, chosen: list[Fault], *, ended: bool
    ) -> None:
        """Checks that service and ledger say the same of every row."""
        held, outcomes = self.held(standin), parts.outcomes(ROWS).tolist()
        wanted = self.wanted(batch)
        delivered = {row for row, outcome in zip(wanted, outcomes, strict=True) if outcome == Outcome.DELIVERED}
        assert delivered <= {*held}, f"called delivered and not there, with {chosen}"
        assert {*held} <= {*wanted}, f"there and not in the rows, with {chosen}"
        assert 1 == max(held.values(), default=1), f"there twice, with {chosen}"
        reasons = {row.row_number: row.why.reason for row in parts.failed()}
        refused = {number: reasons[number] for number, each in enumerate(outcomes, 1) if each == Outcome.REFUSED}
        allowed = self.refusals | ({"in_doubt"} if self.once else set())
        assert {*refused.values()} <= allowed, f"refused for {refused}, with {chosen}"
        absent = {wanted[number - 1] for number, reason in refused.items() if reason != "in_doubt"}
        # What was applied while its answer was lost, and refused when it was sent again, is there.
        assert not absent & {*held} or any(fault in LOSSY or fault in self.lossy for fault in chosen), (
            f"refused and there, with {chosen}"
        )
        if ended:
            assert ROWS == len(delivered) + len(refused), f"{outcomes} with {chosen}"

    def _chosen(self, chance: random.Random) -> list[Fault]:
        pool = [*COMMON, *self.own * 3, *self.ends * 2]
        return [chance.choice(pool) for _ in range(chance.randint(1, 3))]

    def _rule(self, chance: random.Random, fault: Fault) -> dict[str, Any]:
        do = {key: value for key, value in fault.items() if key != "times"}
        return {
            "match": {"path": self.path},
            "skip": chance.randint(0, 3),
            "times": fault.get("times") or chance.choice((1, 1, 2, 4)),
            "always": fault in self.ends and "times" not in fault,
            "do": do,
        }

    def _parts(self, folder: Path) -> tuple[Parts, pa.RecordBatch]:
        batch = self.rows(ROWS)
        parts = Parts(folder / "run" / "rows", "rows")
        parts.write(with_row_numbers([batch.slice(0, 11), batch.slice(11)]))
        return parts, batch

    def _deliver(self, standin: RunningStandin, parts: Parts) -> None:
        """As one process does it, with what an earlier one has left."""
        time = FastClock()

        async def run() -> None:
            clock = time.clock()
            async with self.open(standin.url, clock) as destination:
                patience = Patience(RetryPolicy(), name=destination.name, clock=clock)
                await destination.prepare()
                await deliver(parts, parts.outcomes(ROWS), destination, patience=patience, clock=clock)

        asyncio.run(run())
