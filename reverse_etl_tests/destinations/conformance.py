"""The suite that every destination is put through: what ``destinations.base`` promises, on a real connection."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, cast

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import with_row_numbers
from reverse_etl.destinations.base import Accepted, Answer, Destination, InDoubt, TryAgain
from reverse_etl.destinations.request_powers import SendsOnce
from reverse_etl.errors import UnauthorizedError
from reverse_etl_tests.destinations.scripted import HANG_UP, Said, scripted_server


class DestinationConformance(ABC):
    """Subclass it in ``<destination>/test_conformance.py`` and name what differs.

    Attributes:
        accepted: What the destination's server answers when it takes a whole request.
        secret: A credential that must never be seen in a message.
        most_items: Items of one request.
    """

    accepted: ClassVar[Said]
    secret: ClassVar[str]
    most_items: ClassVar[int] = 1_000

    @abstractmethod
    def open(self, url: str) -> AbstractAsyncContextManager[Destination]:
        """The destination whose server is at ``url``."""

    @abstractmethod
    def rows(self) -> pa.RecordBatch:
        """At least two rows that it takes, without row numbers."""

    def test_each_row_becomes_one_item_and_has_one_identifier(self) -> None:
        """Items and identifiers are as long as the batch, the same every time, and within the limits."""
        batch = self._batch()

        async def check() -> None:
            async with self.open("http://127.0.0.1:9") as destination:
                items = destination.items(batch, "rows")
                assert [bytes] * batch.num_rows == [type(item) for item in items]
                assert items == destination.items(batch, "rows")
                assert items[1:] == destination.items(batch.slice(1), "rows")
                assert max(map(len, items)) <= destination.limits.max_item_bytes
                identifiers = destination.identifiers(batch, "rows")
                assert (batch.num_rows, 0) == (len(identifiers), identifiers.null_count)
                assert [] == destination.items(batch.slice(0, 0), "rows")

        asyncio.run(check())

    def test_a_request_that_is_taken_is_accepted(self) -> None:
        """Success without a list of refusals accepts every item, and one request carries them all."""
        assert Accepted() == self._answer(self.accepted)

    @pytest.mark.parametrize(
        "said", [Said(503, b""), Said(429, b""), Said(500, b"<html>"), HANG_UP, Said(200, b"<html>"), Said(200, b"{")]
    )
    def test_no_lasting_answer_is_tried_again(self, said: Said | None) -> None:
        """Overload, faults, broken connections and unreadable bodies never count as accepted."""
        assert isinstance(self._answer(said), TryAgain)

    def test_a_rate_limit_says_how_long_to_wait(self) -> None:
        """``Retry-After`` is passed on, and the answer is distinguished from other trouble."""
        answer = self._answer(Said(429, b"", {"retry-after": "7"}))
        assert isinstance(answer, TryAgain)
        assert (7.0, True) == (answer.after_s, answer.slow_down)

    def test_refused_credentials_raise_without_showing_them(self) -> None:
        """401 is an error, and its text holds no credential."""
        with pytest.raises(UnauthorizedError) as raised:
            self._answer(Said(401, b""))
        assert self.secret not in str(raised.value)

    def _batch(self) -> pa.RecordBatch:
        return next(with_row_numbers([self.rows()]))

    def _answer(self, said: Said | None) -> Answer:
        async def send() -> Answer:
            async with scripted_server(lambda _: said) as server, self.open(server.url) as destination:
                answer = await self._sent(destination)
                assert 1 == len(server.requests)
                return answer

        return asyncio.run(send())

    async def _sent(self, destination: Destination) -> Answer:
        return await destination.send(destination.items(self._batch(), "rows")[: self.most_items])


class SendsOnceConformance(DestinationConformance):
    """The same for a destination whose requests are not to be repeated (``request_powers.SendsOnce``), of one item."""

    @pytest.mark.parametrize(
        "said", [Said(503, b""), Said(500, b"<html>"), Said(408, b""), HANG_UP, Said(200, b"<html>"), Said(200, b"{")]
    )
    def test_no_lasting_answer_is_tried_again(self, said: Said | None) -> None:
        """What may have been applied is in doubt, and so never sent again by itself."""
        assert isinstance(self._answer(said), InDoubt)

    def test_a_rate_limit_was_not_applied(self) -> None:
        """With or without a time to wait."""
        assert isinstance(self._answer(Said(429, b"")), TryAgain)

    def test_what_never_left_was_not_applied(self) -> None:
        """A connection that is refused, once the server was there, is tried again."""

        async def check() -> None:
            async with scripted_server(lambda _: self.accepted) as server:
                destination = await (opening := self.open(server.url)).__aenter__()
                await self._sent(destination)
            try:
                assert isinstance(await self._sent(destination), TryAgain)
            finally:
                await opening.__aexit__(None, None, None)

        asyncio.run(check())

    async def _sent(self, destination: Destination) -> Answer:
        assert isinstance(destination, SendsOnce)
        assert destination.once
        return cast("Answer", await destination.send_once(destination.items(self._batch().slice(0, 1), "rows")))
