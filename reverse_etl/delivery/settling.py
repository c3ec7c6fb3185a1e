"""Answers entered into the ledger: which rows of what was sent are delivered, refused or left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from reverse_etl.changeset.row_keys import Keys
from reverse_etl.destinations.base import Accepted, KeptBack, RequestRefused
from reverse_etl.errors import DestinationRefusedError
from reverse_etl.ledger.ledger import Ledger
from reverse_etl.report import Cause, Outcome

GRACE_S: Final = 7.0
"""Seconds that what is being sent has for its answers when the run is canceled."""

MOST_REFUSED_IN_A_ROW: Final = 1_000
"""This many requests refused whole, one after the other, are no longer about the rows."""

Progress = Callable[[int, int, int], None]
"""Called with the numbers of rows settled, failed among them, and in all, an earlier attempt's included."""

_Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


class Settling:
    """Enters the answers of one delivery into its ledger, and reports how far it is.

    Args:
        ledger: Where outcomes are entered.
        name: What messages call the destination.
        stage: At which rows fail that it refuses: its kind.
        progress: Called after each settled request.
    """

    def __init__(self, ledger: Ledger, name: str, stage: str, progress: Progress | None) -> None:
        self._ledger = ledger
        self._name = name
        self._stage = stage
        self._progress = progress
        self._refused_in_a_row = 0

    def report(self) -> None:
        """Reports how far the delivery is."""
        if self._progress is not None:
            ledger = self._ledger
            self._progress(ledger.delivered + ledger.excluded + ledger.failed, ledger.failed, ledger.total)

    def accept(self, numbers: Sequence[int], keys: Sequence[int], answer: Accepted) -> None:
        """Enters an answer about rows (``changeset.row_keys`` has keys), except those that are ``again``."""
        self._refused_in_a_row = 0
        places = [refusal.place for refusal in answer.refusals]
        refused = _at(places, numbers), _at(places, keys)
        reasons = [refusal.why for refusal in answer.refusals]
        causes = {why: Cause(self._stage, why) for why in set(reasons)}
        if len(causes) == 1:
            self._ledger.fail(*refused, Outcome.REFUSED, *causes.values())
        else:
            self._ledger.fail_each(*refused, Outcome.REFUSED, [*map(causes.__getitem__, reasons)])
        left_out = [each.place for each in answer.excluded]
        whys = [Cause("delivery", each.why) for each in answer.excluded]
        self._ledger.exclude(_at(left_out, numbers), _at(left_out, keys), whys)
        apart = {*places, *left_out, *(each.place for each in answer.again)}
        if apart:
            accepted = [at for at in range(len(numbers)) if at not in apart]
            numbers, keys = _at(accepted, numbers), _at(accepted, keys)
        self._ledger.deliver(numbers, keys)

    def refuse(self, numbers: Sequence[int], keys: Sequence[int], answer: RequestRefused) -> None:
        """Enters a request of one row that was refused; one of several rows is only counted.

        Raises:
            DestinationRefusedError: It is the last of ``MOST_REFUSED_IN_A_ROW``.
        """
        self._refused_in_a_row += 1
        if self._refused_in_a_row >= MOST_REFUSED_IN_A_ROW:
            reason = answer.why.reason
            raise DestinationRefusedError(
                f"{self._name} refused {MOST_REFUSED_IN_A_ROW:,} requests in a row whole (reason: {reason}).",
                hint="Look at the failed rows: what they have in common is what the destination does not take.",
            )
        if len(numbers) == 1:
            self._ledger.fail(numbers, keys, Outcome.REFUSED, Cause(self._stage, answer.why))

    def keep_back(
        self, numbers: np.ndarray[tuple[int], np.dtype[np.int64]], keys: Keys, kept: Iterable[KeptBack]
    ) -> _Mask:
        """Enters rows that are not sent, each by its first reason; gives which ones they are."""
        kept_back = np.zeros(len(numbers), dtype=np.bool_)
        for each in kept:
            here = np.isin(numbers, each.rows.to_numpy()) & ~kept_back
            kept_back |= here
            rows = numbers[here].tolist(), keys[here].tolist()
            if each.outcome is Outcome.EXCLUDED:
                self._ledger.exclude(*rows, [Cause("delivery", each.why)])
            else:
                self._ledger.fail(*rows, each.outcome, Cause("delivery", each.why))
        return kept_back


def _at(places: Sequence[int], values: Sequence[int]) -> list[int]:
    return [values[place] for place in places]
