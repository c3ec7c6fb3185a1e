"""What a destination that takes requests may be able to do beyond ``base``; asked for by ``isinstance``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from reverse_etl.destinations.base import Accepted, Answer, InDoubt
    from reverse_etl.destinations.powers import Fate
    from reverse_etl.pacing.trouble import TryAgain


@runtime_checkable
class SendsOnce(Protocol):
    """A service that applies a request twice where it is sent twice, as one that posts messages does.

    Attributes:
        once: Whether this sync's requests are such; they are given to ``send_once`` then, none to ``send``.
    """

    once: bool

    async def send_once(self, items: Sequence[bytes]) -> Answer | InDoubt:
        """Sends one request, as ``Destination.send`` does; ``TryAgain`` means that nothing of it was applied."""
        ...

    async def fate(self, items: Sequence[bytes]) -> Fate | Accepted | TryAgain:
        """What became of a request in doubt, which an earlier process may have sent. Raises as ``Destination.send``.

        ``NOT_WRITTEN`` has it sent again; ``UNKNOWN`` leaves its rows as failed ones. Where some of its items were
        applied, an answer tells the others to be sent ``again``.
        """
        ...


@runtime_checkable
class PacesKeys(Protocol):
    """A service with a rate limit of what a request is about, such as a channel, beside its limit of all requests.

    Attributes:
        requests_per_second_per_key: Requests a second about one of them.
    """

    requests_per_second_per_key: float

    def pace_keys(self, items: Sequence[bytes]) -> Sequence[str]:
        """What a request with some items is about, each once; empty for nothing that has a limit."""
        ...
