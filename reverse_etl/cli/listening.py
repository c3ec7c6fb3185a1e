"""``--listen`` of commands that serve something: a host and a port."""

from __future__ import annotations

import typer


def host_and_port(listen: str, *, like: str) -> tuple[str, int]:
    """What ``HOST:PORT`` names; ``like`` is a good one. Raises BadParameter where it is none."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise typer.BadParameter(f"is a host and a port, such as {like}.", param_hint="--listen")
    return host, int(port)
