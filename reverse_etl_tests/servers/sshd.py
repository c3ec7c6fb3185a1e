"""A private SSH server for tests: loopback only, own keys, own port; lets one key in and forwards ports."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from reverse_etl.config.connections import SshTunnelConfig
from reverse_etl.config.environment import EnvText
from reverse_etl_tests.servers.dagster_ui import free_port

PROGRAM = Path("/usr/sbin/sshd")
INSTALL = "the SSH server's program is missing: apt-get install openssh-server"
PASSPHRASE = "planted-passphrase-5d2f"
PRIVILEGE_SEPARATION = Path("/run/sshd")

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding local
"""


@dataclass(frozen=True, slots=True)
class SshServer:
    """A running server.

    Attributes:
        port: On 127.0.0.1.
        user: Who may log in.
        key_file: The key that is let in.
        protected_key_file: The same, under ``PASSPHRASE``.
        stranger_key_file: A key that is not.
        known_hosts: Holds the server's key.
    """

    port: int
    user: str
    key_file: Path
    protected_key_file: Path
    stranger_key_file: Path
    known_hosts: Path


def tunnel(ssh: SshServer, **changes: Any) -> SshTunnelConfig:
    """The way through the server."""
    keys: dict[str, Any] = {"host": EnvText("127.0.0.1"), "port": ssh.port, "user": EnvText(ssh.user)}
    keys |= {"key_file": ssh.key_file, "known_hosts": ssh.known_hosts}
    return SshTunnelConfig(**(keys | changes))


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """One server for this worker's tests; skips where there is no program."""
    if not PROGRAM.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@contextmanager
def running_sshd(folder: Path) -> Iterator[SshServer]:
    """Starts a server whose files lie in a folder."""
    keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("host_key", "user_key", "stranger_key")}
    for name, key in keys.items():
        (folder / name).touch(mode=0o600)
        key.write_private_key(folder / name)
    (folder / "protected_key").touch(mode=0o600)
    keys["user_key"].write_private_key(folder / "protected_key", passphrase=PASSPHRASE)
    keys["user_key"].write_public_key(folder / "authorized_keys")
    port = free_port()
    public = keys["host_key"].export_public_key().decode().strip()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    (folder / "config").write_text(_CONFIG.format(port=port, folder=folder))
    if os.getuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    log = folder / "log"
    command = [str(PROGRAM), "-D", "-f", str(folder / "config"), "-E", str(log)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        _wait_until_ready(port, process, log)
        yield SshServer(
            port=port,
            user=getpass.getuser(),
            key_file=folder / "user_key",
            protected_key_file=folder / "protected_key",
            stranger_key_file=folder / "stranger_key",
            known_hosts=folder / "known_hosts",
        )
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    pause = threading.Event()
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            if probe.recv(4) == b"SSH-":
                return
        pause.wait(0.02)
    raise RuntimeError(log.read_text()[-2000:] if log.exists() else "sshd did not start")
