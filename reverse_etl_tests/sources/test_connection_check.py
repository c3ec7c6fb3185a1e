"""``test-connection``, step by step."""

from __future__ import annotations

import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.errors import UnsetVariableError
from reverse_etl.report import Step
from reverse_etl.sources import _tls, sqlite
from reverse_etl.sources._connection_check import steps
from reverse_etl_tests.servers.postgres import PASSWORD, PostgresServer
from reverse_etl_tests.sources.test_postgres import settings_of

NETWORK = ["address", "port", "TLS"]


def names(found: list[Step]) -> list[str]:
    """What was tried, in order."""
    return [step.name for step in found]


def test_a_file_is_found_opened_and_read(tmp_path: Path) -> None:
    """Every step, with what was found."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")

    found = list(steps(sqlite.Config(name="shop", path=path)))

    assert names(found) == ["file", "open", "server", "read-only", "query", "driver"]
    assert all(step.ok and step.detail for step in found)
    assert found[-1].detail == f"sqlite3 {sqlite3.sqlite_version}"


def test_the_first_failing_step_is_the_last(tmp_path: Path) -> None:
    """A missing file is not opened; one that is no database is not asked."""
    missing = list(steps(sqlite.Config(name="shop", path=tmp_path / "none.db")))
    (tmp_path / "letter.db").write_text("Dear reader, " * 100)
    letter = list(steps(sqlite.Config(name="shop", path=tmp_path / "letter.db")))

    assert (names(missing), missing[-1].ok) == (["file"], False)
    assert (names(letter), letter[-1].ok) == (["file", "open"], False)
    assert "is not a SQLite database" in letter[-1].detail
    assert missing[-1].hint
    assert letter[-1].hint


def test_a_server_is_found_verified_and_read(postgres: PostgresServer) -> None:
    """Every step; TLS says by whom the certificate is."""
    found = list(steps(settings_of(postgres)))

    assert names(found) == [*NETWORK, "log in", "server", "read-only", "clock", "open transactions", "query", "driver"]
    assert all(step.ok for step in found)
    said = {step.name: step.detail for step in found}
    assert said["TLS"] == "the certificate for localhost is by Throw-away authority"
    assert said["log in"] == "user reader, database shop"
    assert said["server"].startswith("PostgreSQL 1")
    assert said["driver"].startswith("psycopg 3")
    assert PASSWORD not in str(found)


@pytest.mark.parametrize(
    ("changed", "tried", "said", "fix"),
    [
        ({"host": EnvText("no.such.host.invalid")}, NETWORK[:1], "There is no host", "`host`"),
        ({"port": 1}, NETWORK[:2], "refuses connections", "`port`"),
        ({"ca_file": None}, NETWORK, "certificate is refused", "`ca_file`"),
        ({"host": EnvText("127.0.0.1")}, NETWORK, "certificate is refused", "`host`"),
        ({"ca_file": Path("/no/such/file.pem")}, NETWORK, "No such file", "`ca_file`"),
        ({"database": EnvText("shopp")}, [*NETWORK, "log in"], "there is no database shopp", "`database`"),
    ],
)
def test_a_server_that_cannot_be_used_says_what_to_do(
    postgres: PostgresServer, changed: dict[str, Any], tried: list[str], said: str, fix: str
) -> None:
    """Each failure ends the steps and carries its fix."""
    found = list(steps(settings_of(postgres, **changed)))

    assert names(found) == tried
    assert [step.ok for step in found] == [True] * (len(tried) - 1) + [False]
    assert said in found[-1].detail
    assert fix in found[-1].hint


def test_weaker_encryption_is_mentioned(postgres: PostgresServer) -> None:
    """Both weaker settings work and draw a hint."""
    for tls in ("require", "disable"):
        found = list(steps(settings_of(postgres, tls=tls, ca_file=None)))
        (step,) = [step for step in found if step.name == "TLS"]
        assert (step.ok, f"tls: {tls}" in step.detail, "verify-full" in step.hint) == (True, True, True)
        assert all(step.ok for step in found)


def test_a_unix_socket_needs_no_network(postgres: PostgresServer) -> None:
    """A folder as host is a socket's."""
    config = settings_of(postgres, host=EnvText(str(postgres.folder)), user=EnvText("postgres"), password=None)

    assert names(list(steps(config)))[:2] == ["address", "log in"]


def test_a_server_without_tls_has_its_own_words(postgres: PostgresServer) -> None:
    """One that answers N to the request for TLS, as PostgreSQL with ssl = off does."""
    with _answering(b"N") as port:
        found = list(steps(settings_of(postgres, port=port)))

    assert names(found) == NETWORK
    assert "does not speak TLS" in found[-1].detail
    assert "tls: disable" in found[-1].hint


def test_a_missing_variable_is_a_mistake_in_the_configuration(postgres: PostgresServer) -> None:
    """Not of the server: it is raised, so that the command ends as it does for every such mistake."""
    with pytest.raises(UnsetVariableError, match="NO_SUCH_VARIABLE"):
        list(steps(settings_of(postgres, password=Secret("${NO_SUCH_VARIABLE}"))))


def test_an_issuer_without_a_common_name_is_called_by_its_organisation() -> None:
    """Authorities name themselves in either way."""
    authority = trustme.CA(organization_name="Some authority")
    with (
        authority.cert_pem.tempfile() as ca_file,
        _speaking_tls(authority) as port,
        socket.create_connection(("127.0.0.1", port), 5) as plain,
    ):
        assert _tls.issuer(plain, "localhost", Path(ca_file)) == "Some authority"


@contextmanager
def _answering(answer: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@contextmanager
def _speaking_tls(authority: trustme.CA) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()
