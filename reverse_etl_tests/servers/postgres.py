"""A private PostgreSQL for tests: loopback only, own folder, own port, own certificate authority.

``postgres_server()`` starts one; the fixture ``postgres`` is one for each pytest worker. The user ``reader`` logs in
with a password and may only read the schema ``public``; ``admin`` is the superuser, through the Unix socket;
``watcher`` is a reader who sees which transactions are open.
"""

from __future__ import annotations

import glob
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

import psycopg
import pytest
import trustme

from reverse_etl_tests.servers.starting import started

INSTALL = "PostgreSQL's server programs are missing: apt-get install postgresql, or set PG_BIN to their folder"
NOBODY = 65534
DATABASE = "shop"
USER = "reader"
WATCHER = "watcher"
PASSWORD = "planted-password-7f3a"
PASSWORD_VARIABLE = "TEST_POSTGRES_READER_PASSWORD"

_HBA = """
local all postgres trust
local replication postgres trust
host all reader,watcher 127.0.0.1/32 scram-sha-256
hostssl all encrypted_only 127.0.0.1/32 scram-sha-256
hostssl shop page_reader 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server.

    Attributes:
        port: On 127.0.0.1.
        ca_file: The authority that issued the certificate.
        folder: Holds the Unix socket.
        host: The only name that its certificate is for.
    """

    port: int
    ca_file: Path
    folder: Path
    host: str = "localhost"

    @contextmanager
    def admin(self, database: str = DATABASE) -> Iterator[psycopg.Connection[Any]]:
        """A connection as superuser, in autocommit mode."""
        with self.session(database) as connection:
            yield connection

    def session(self, database: str = DATABASE) -> psycopg.Connection[Any]:
        """The same, to be closed by whoever asks for it."""
        return psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True)

    def catch_up(self, standby: PostgresServer) -> None:
        """Waits until a standby has replayed everything that is committed here."""
        with self.admin() as admin, standby.admin() as replica:
            (here,) = admin.execute("SELECT pg_current_wal_flush_lsn()").fetchone() or ("",)
            deadline = time.monotonic() + 20
            while not (replica.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [here]).fetchone() or [0])[0]:
                assert time.monotonic() < deadline, "the standby does not catch up"
                time.sleep(0.01)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for this worker's tests, with ``PASSWORD_VARIABLE`` set; skips where there are no binaries."""
    binaries = find_binaries()
    if binaries is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
    with pytest.MonkeyPatch.context() as patch, postgres_server(binaries) as server:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        yield server


@contextmanager
def standby_of(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A hot standby that streams from a server, with the same users; takes about a second."""
    binaries = find_binaries()
    assert binaries is not None, INSTALL
    folder = Path(tempfile.mkdtemp(prefix="pg-standby-"))
    as_nobody = _setpriv() if os.getuid() == 0 else []
    try:
        for name in ("ca.pem", "server.pem", "server.key"):
            shutil.copy2(primary.folder / name, folder / name)
        if os.getuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        source = f"host={primary.folder} port={primary.port} user=postgres"
        copy: list[Any] = [binaries / "pg_basebackup", "-d", source, "-D", folder / "data", "-R", "-X", "stream"]
        copy += ["--checkpoint=fast", "--no-sync"]
        subprocess.run([*as_nobody, *copy], check=True, capture_output=True, cwd=folder)
        with _running([*as_nobody, binaries / "postgres"], folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries() -> Path | None:
    """The folder with ``initdb`` and ``postgres``: PG_BIN, Debian's newest, or beside the one on PATH."""
    on_path = shutil.which("postgres")
    candidates = [
        os.environ.get("PG_BIN"),
        *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True),  # noqa: PTH207 - from the root
        os.path.dirname(os.path.realpath(on_path)) if on_path else None,  # noqa: PTH120
    ]
    return next((Path(folder) for folder in candidates if folder and (Path(folder) / "initdb").exists()), None)


@contextmanager
def postgres_server(binaries: Path) -> Iterator[PostgresServer]:
    """Starts a server with an empty database ``shop`` and stops it again; takes about a second."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        _write_certificates(folder)
        as_nobody = _setpriv() if os.getuid() == 0 else []
        if os.getuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        data = folder / "data"
        initdb: list[Any] = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]
        initdb += ["--locale=C", "-E", "UTF8"]
        subprocess.run([*as_nobody, *initdb], check=True, capture_output=True, cwd=folder)
        (data / "pg_hba.conf").write_text(_HBA)
        with _running([*as_nobody, binaries / "postgres"], folder) as server:
            _fill(server)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(program: list[Any], folder: Path) -> Iterator[PostgresServer]:
    port = _free_port()
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": 30,
        "max_prepared_transactions": 10,
        "wal_level": "logical",
        "max_replication_slots": 50,
        # Reading the log of a quiet server waits until the writer of the log comes by.
        "wal_writer_delay": "10ms",
        "password_encryption": "scram-sha-256",
        "ssl": "on",
        "ssl_cert_file": folder / "server.pem",
        "ssl_key_file": folder / "server.key",
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = folder / "log"
    with log.open("wb") as output:
        process = started([*program, "-D", folder / "data", *arguments], output=output, folder=folder)
        try:
            _wait_until_ready(process, folder / "data" / "postmaster.pid", log)
            yield PostgresServer(port, folder / "ca.pem", folder)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], pid_file: Path, log: Path) -> None:
    """The port opens before recovery ends; line 8 of postmaster.pid says when it has."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(log.read_text()[-2000:])
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        if len(lines) > 7 and lines[7].strip() == "ready":
            return
        time.sleep(0.02)
    raise TimeoutError(log.read_text()[-2000:])


def _fill(server: PostgresServer) -> None:
    with server.admin("postgres") as admin:
        admin.execute(f"CREATE DATABASE {DATABASE}")
        for user in (USER, WATCHER, "encrypted_only"):
            admin.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")
        admin.execute(f"GRANT {USER}, pg_read_all_stats TO {WATCHER}")
        admin.execute("CREATE ROLE sleeping NOLOGIN PASSWORD 'x'")
    with server.admin() as admin:
        admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        admin.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {USER}")


def _setpriv() -> list[str]:
    """PostgreSQL refuses to run as root; it also is to end when the tests are killed."""
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
