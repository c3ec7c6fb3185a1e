"""The way to a server: through an SSH tunnel that is opened once, or straight there."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Generic, TypeVar

from reverse_etl.destinations._sql.config import TableServer
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError, SourceError
from reverse_etl.sources._ssh import tunnel

_Config = TypeVar("_Config", bound=TableServer)


class Tunnelled(Generic[_Config]):
    """Where to connect to; ``close`` ends the tunnel."""

    def __init__(self, config: _Config) -> None:
        self._config = config
        self._way = ExitStack()
        self._server: _Config | None = None

    def server(self) -> _Config:
        """The server's settings, with the port of the tunnel where there is to be one.

        Raises:
            DestinationUnavailableError: The SSH tunnel does not lead there.
            DestinationRefusedError: There is no file ``ca_file``.
            UnsetVariableError: A value comes from an environment variable that is not set.
        """
        if self._server is None:
            self._server = self._opened()
        if self._server.ca_file is not None and not self._server.ca_file.is_file():
            raise DestinationRefusedError(
                f"{self._config.label}: there is no file {self._server.ca_file}.",
                hint="Check `ca_file`, a PEM file with the authority.",
            )
        return self._server

    def close(self) -> None:
        """Ends the tunnel."""
        self._way.close()

    def _opened(self) -> _Config:
        ssh = self._config.ssh_tunnel
        if ssh is None:
            return self._config
        host, port = self._config.place
        try:
            local = self._way.enter_context(tunnel(ssh, host=host, port=port, where=self._config.label))
        except SourceError as error:
            raise DestinationUnavailableError(error.message, hint=error.hint) from None
        return self._config.model_copy(update={"tunnel_port": local})
