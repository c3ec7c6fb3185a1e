"""A private MariaDB for tests: loopback only, own folder, own port, own certificate authority.

``mariadb_server()`` starts one; the fixture ``mariadb`` is one for each pytest worker. The user ``reader`` logs in
with a password and may only read the database ``shop``; ``admin`` is root, through the Unix socket;
``watcher`` is a reader who sees which transactions are open.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql  # type: ignore[import-untyped]
import pytest
import trustme

from reverse_etl_tests.servers.starting import started

INSTALL = "MariaDB's server programs are missing: apt-get install mariadb-server, or set MARIADB_BIN to their folder"
NOBODY = 65534
DATABASE = "shop"
USER = "reader"
WATCHER = "watcher"
PASSWORD = "planted-password-5d1e"
PASSWORD_VARIABLE = "TEST_MARIADB_READER_PASSWORD"


@dataclass(slots=True)
class Daemon:
    """The server's program, started and stopped."""

    command: list[str]
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Starts it, waits until it answers, and gives its process."""
        log = self.folder / "log"
        with log.open("ab") as output:
            self.process = started(self.command, output=output, folder=self.folder)
        _wait_until_ready(self.process, self.port, log)
        return self.process.pid

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Ends it by a signal."""
        if self.process is None:
            return
        self.process.send_signal(by)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True)
class MariadbServer:
    """A running server.

    Attributes:
        port: On 127.0.0.1.
        pid: Its process.
        ca_file: The authority that issued the certificate.
        folder: Holds the Unix socket ``s``.
        host: The only name that its certificate is for.
        daemon: Its program, where it was started here.
    """

    port: int
    pid: int
    ca_file: Path
    folder: Path
    host: str = "localhost"
    daemon: Daemon | None = None

    @property
    def unix_socket(self) -> Path:
        """Where it also listens."""
        return self.folder / "s"

    @property
    def login(self) -> dict[str, Any]:
        """How PyMySQL gets there, as root."""
        return {"unix_socket": str(self.unix_socket), "user": "root", "ssl_disabled": True}

    def crash(self) -> None:
        """Is killed, and starts again."""
        assert self.daemon is not None
        self.daemon.stop(signal.SIGKILL)
        self.pid = self.daemon.start()

    @contextmanager
    def admin(self, database: str | None = DATABASE) -> Iterator[Any]:
        """A cursor of root, in autocommit mode."""
        with (
            pymysql.connect(
                unix_socket=str(self.unix_socket), user="root", database=database, autocommit=True, ssl_disabled=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """A server for this worker's tests, with ``PASSWORD_VARIABLE`` set; skips where there are no programs."""
    programs = find_programs()
    if programs is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
    with pytest.MonkeyPatch.context() as patch, mariadb_server(programs) as server:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        yield server


def find_programs() -> tuple[str, str] | None:
    """``mariadb-install-db`` and ``mariadbd``: in MARIADB_BIN, on PATH, or where Debian keeps daemons."""
    path = os.pathsep.join([os.environ.get("MARIADB_BIN", ""), os.environ.get("PATH", ""), "/usr/sbin"])
    install, daemon = (shutil.which(name, path=path) for name in ("mariadb-install-db", "mariadbd"))
    return (install, daemon) if install and daemon else None


@contextmanager
def mariadb_server(programs: tuple[str, str], *, version: str = "", log: bool = True) -> Iterator[MariadbServer]:
    """Starts a server with an empty database ``shop`` and stops it again; takes about a second.

    Args:
        programs: As ``find_programs`` gives them.
        version: What the server calls its version, where it is to be taken for MySQL.
        log: Whether it has a binary log.
    """
    folder = Path(tempfile.mkdtemp(prefix="my-"))
    install, daemon = programs
    try:
        _write_certificates(folder)
        as_nobody = _setpriv() if os.getuid() == 0 else []
        if os.getuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        data = f"--datadir={folder / 'data'}"
        # A server that starts deletes every temporary table in its folder, those of other servers too.
        own = f"--tmpdir={folder}"
        options = ["--no-defaults", data, own, "--auth-root-authentication-method=normal", "--skip-test-db"]
        installed = subprocess.run([*as_nobody, install, *options], capture_output=True, cwd=folder, check=False)
        if installed.returncode:
            raise RuntimeError(f"mariadb-install-db: {installed.stderr.decode(errors='replace')[-2000:]}")
        called = [f"--version={version}"] if version else []
        with _running([*as_nobody, daemon, "--no-defaults", data, own, *called], folder, log=log) as server:
            _fill(server)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(program: list[str], folder: Path, *, log: bool = True) -> Iterator[MariadbServer]:
    port = _free_port()
    settings = {
        "port": port,
        "bind-address": "127.0.0.1",
        "socket": folder / "s",
        "pid-file": folder / "pid",
        "skip-name-resolve": "ON",
        "ssl-ca": folder / "ca.pem",
        "ssl-cert": folder / "server.pem",
        "ssl-key": folder / "server.key",
        **({"log-bin": "log"} if log else {}),
        "binlog-format": "ROW",
        "binlog-row-metadata": "FULL",
        "log-bin-trust-function-creators": "ON",
        "innodb-flush-log-at-trx-commit": 0,
        "innodb-doublewrite": "OFF",
        "innodb-buffer-pool-size": "32M",
        "max-connections": 30,
    }
    daemon = Daemon([*program, *(f"--{name}={value}" for name, value in settings.items())], folder, port)
    try:
        yield MariadbServer(port, daemon.start(), folder / "ca.pem", folder, daemon=daemon)
    finally:
        daemon.stop()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """The server greets first, and only once it is ready."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(log.read_text()[-2000:])
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                if probe.recv(5):
                    return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(log.read_text()[-2000:])


def _fill(server: MariadbServer) -> None:
    with server.admin(None) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        for user, needs in ((USER, ""), ("encrypted_only", "REQUIRE SSL"), (WATCHER, ""), ("sleeping", "ACCOUNT LOCK")):
            admin.execute(f"CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}' {needs}")
            admin.execute(f"GRANT SELECT ON {DATABASE}.* TO {user}@'%'")
        admin.execute(f"GRANT PROCESS ON *.* TO {WATCHER}@'%'")


def _setpriv() -> list[str]:
    """MariaDB refuses to run as root; it also is to end when the tests are killed."""
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return ["setpriv", *user, "--pdeathsig", "KILL"]


def _write_certificates(folder: Path) -> None:
    authority = trustme.CA(organization_name="Throw-away authority")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "server.key").chmod(0o600)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
