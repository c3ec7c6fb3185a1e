"""ClickHouse for tests: its engine (chdb) behind its HTTP interface, with TLS, in a process of its own.

The fixture ``clickhouse`` is one for each pytest worker. With ``TEST_CLICKHOUSE_DESTINATION_URL``, as
``https://owner:password@host:8443``, it is that server instead, and tests that make something go wrong are skipped.

What the stand-in takes and the real one refuses: every right, whoever asks; more than one writer's parts at a time; a
statement of any length. It has neither replicas nor a balancer in front, ends no statement for its time or memory, and
knows no ``system.processes`` but the statement that asks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

URL_VARIABLE = "TEST_CLICKHOUSE_DESTINATION_URL"
PASSWORD = "Planted-password-5d1e"
PASSWORD_VARIABLE = "TEST_CLICKHOUSE_PASSWORD"


@dataclass(frozen=True, slots=True)
class ClickhouseServer:
    """A running server.

    Attributes:
        port: With TLS.
        plain_port: Without; 0 where there is none.
        folder: Holds ``ca.pem``, the authority that issued the certificate; None for a server of the outside.
        host: The name that the certificate is for.
        owner: Who makes tables, and its password.
        pid: Its process; 0 where it is none of ours.
        processes: That process, and those that came after ``crash``.
    """

    port: int
    plain_port: int
    folder: Path | None
    host: str = "localhost"
    owner: tuple[str, str] = ("default", "")
    pid: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def crash(self) -> None:
        """Ends it without warning, and starts it again with its data, on the same ports."""
        assert self.folder is not None
        _end(self.processes[-1])
        self.processes.append(_started(self.folder, self.port, self.plain_port)[0])

    @property
    def ca_file(self) -> Path | None:
        """The authority; None for those that the system trusts."""
        return self.folder / "ca.pem" if self.folder is not None else None

    def go_wrong(self, match: str, times: int = 1, **what: Any) -> None:
        """Has the next statements that match fail: ``raise=252``, ``lose="before"`` and so on."""
        self.go_wrong_with({"match": match, "times": times, **what})

    def go_wrong_with(self, *faults: dict[str, Any]) -> None:
        """The same, of several faults (``_clickhouse_http.Engine``)."""
        self._tell("/_test", faults)

    def recover(self) -> None:
        """Nothing goes wrong any more, users begin with no settings, and nothing was asked."""
        self._tell("/_test", [])
        self._tell("/_test/profile", {})
        self.requests()

    def begin_with(self, **settings: str) -> None:
        """Has the sessions of all but the owner begin with settings, as by a profile of their users."""
        self._tell("/_test/profile", settings)

    def requests(self) -> list[dict[str, Any]]:
        """What others than the owner had run since: ``statement`` and ``parameters``."""
        found: list[dict[str, Any]] = json.loads(self._tell("/_test/requests", None))
        return found

    def _tell(self, path: str, what: object) -> bytes:
        if not self.plain_port:
            pytest.skip("a server of the outside does as it likes")
        url = f"http://127.0.0.1:{self.plain_port}{path}"
        with urllib.request.urlopen(url, data=json.dumps(what).encode()) as answer:
            return bytes(answer.read())


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[ClickhouseServer]:
    """A server for this worker's tests, with ``PASSWORD_VARIABLE`` set."""
    with pytest.MonkeyPatch.context() as patch, clickhouse_server() as server:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        yield server


@contextmanager
def clickhouse_server() -> Iterator[ClickhouseServer]:
    """Starts one and stops it again; takes about half a second."""
    if url := os.environ.get(URL_VARIABLE):
        found = urlsplit(url)
        owner = (found.username or "default", found.password or "")
        yield ClickhouseServer(found.port or 8443, 0, None, found.hostname or "localhost", owner)
        return
    folder = Path(tempfile.mkdtemp(prefix="ch-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))  # noqa: S108
    try:
        _write_certificates(folder)
        process, ports = _started(folder)
        server = ClickhouseServer(*ports, folder, pid=process.pid, processes=[process])
        try:
            yield server
        finally:
            _end(server.processes[-1])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path, *ports: int) -> tuple[subprocess.Popen[bytes], list[int]]:
    """The program on ports, or on free ones; and these."""
    program = [sys.executable, "-m", "reverse_etl_tests.servers._clickhouse_http", str(folder), PASSWORD]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*program, *map(str, ports)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=_ROOT
        )
    assert process.stdout is not None
    told = process.stdout.readline().split()
    if len(told) != 2:
        _end(process)
        raise RuntimeError((folder / "log").read_text()[-2000:])
    return process, [*map(int, told)]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


_ROOT = Path(__file__).parents[2]


def _write_certificates(folder: Path) -> None:
    authority = trustme.CA(organization_name="Throw-away authority")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
