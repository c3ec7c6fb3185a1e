"""Where rows come from: one module per database engine, each a plugin named like its ``type``.

What an engine gives is in ``base``. What is read, and when, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

from reverse_etl.plugins import load

if TYPE_CHECKING:
    from reverse_etl.config.connections import DatabaseConfig
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.sources.base import Engine, Server, Session


@contextmanager
def connect(config: DatabaseConfig, *, name: str | None = None) -> Iterator[Session]:
    """Opens a read-only session of a database; closed when the context is left.

    Args:
        config: The connection, as the ``Config`` of its engine.
        name: How messages call the connection; its own name when None.

    Raises:
        SourceUnavailableError: The database cannot be reached, verified or logged in to.
        UnsetVariableError: A value comes from an environment variable that is not set.
        MissingDriverError: The engine's driver is not installed.

    A query of the block that names an unknown table or column is refused with the name that was probably meant.
    """
    from reverse_etl.errors import QueryError, ReverseEtlError

    name = name or config.name
    try:
        with _opened(config, name) as session:
            yield session
    except QueryError as error:
        from reverse_etl.sources._nearest import suggest, suggests

        if suggests(error):
            with suppress(ReverseEtlError), _opened(config, name) as session:
                suggest(error, config, engine(config.type), session)
        raise


@contextmanager
def _opened(config: DatabaseConfig, name: str) -> Iterator[Session]:
    from reverse_etl.config.connections import ServerConfig

    of = engine(config.type)
    free_at_once()
    if not isinstance(config, ServerConfig) or config.ssh_tunnel is None:
        with of.connect(config, name=name) as session:
            yield session
        return
    from reverse_etl.sources._ssh import tunnel

    host, port = config.host.resolve(), config.port or cast("Server", of).DEFAULT_PORT
    with (
        tunnel(config.ssh_tunnel, host=host, port=port, where=f"database {name}") as local_port,
        of.connect(config.model_copy(update={"tunnel_port": local_port}), name=name) as session,
    ):
        yield session


def engine(name: str) -> Engine:
    """The engine of a ``type``, one of ``plugins.names``."""
    return cast("Engine", load(__name__, name))


def dialect(config: DatabaseConfig) -> Dialect:
    """How a database takes a query."""
    return engine(config.type).DIALECT


def free_at_once() -> None:
    """Has Arrow allocate as everybody does: its own allocators keep 30 to 70 MB that a streamed result has freed."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
