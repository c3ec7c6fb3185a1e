"""What ``test-connection`` does with a database as a destination, up to where its engine's driver is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reverse_etl.plugins import names
from reverse_etl.report import Step
from reverse_etl.sources import engine
from reverse_etl.sources._connection_check import network
from reverse_etl.sources.base import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from reverse_etl.destinations._sql.config import TableServer


def steps(config: TableServer, logged_in: Callable[[], list[Step]]) -> Iterator[Step]:
    """Connects step by step; the first step that fails is the last. Rights on a table are looked at by each run.

    Args:
        config: The destination; where there is a tunnel, address and port are the SSH server's to know.
        logged_in: The steps of the engine's own, with its driver.
    """
    if config.ssh_tunnel is None:
        host, port = config.place
        endpoint = Endpoint(host=host, port=port, tls=config.tls, ca_file=config.ca_file, login="")
        # An engine that is a source may have a handshake of its own.
        protocol = engine(config.type) if config.type in names("reverse_etl.sources") else None
        for step in network(endpoint, protocol):
            yield step
            if not step.ok:
                return
    yield from logged_in()
