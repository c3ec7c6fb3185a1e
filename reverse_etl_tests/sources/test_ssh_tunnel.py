"""A database behind an SSH server: the same session, the same TLS; and each way in which the tunnel can fail."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reverse_etl.config.connections import ServerConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.errors import SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources import postgres as engine
from reverse_etl.sources._connection_check import steps
from reverse_etl_tests.servers.mariadb import MariadbServer
from reverse_etl_tests.servers.postgres import DATABASE, PASSWORD_VARIABLE, USER, PostgresServer
from reverse_etl_tests.servers.redshift import RedshiftServer
from reverse_etl_tests.servers.sshd import PASSPHRASE, SshServer, tunnel
from reverse_etl_tests.servers.tds import TdsServer
from reverse_etl_tests.sources import test_mysql, test_postgres, test_redshift, test_sqlserver

pytestmark = pytest.mark.thorough


def behind(server: PostgresServer, ssh: SshServer, **changes: Any) -> ServerConfig:
    """The connection through the tunnel; the certificate is checked against the database's name."""
    return engine.Config(
        name="shop",
        host=EnvText(server.host),
        port=server.port,
        database=EnvText(DATABASE),
        user=EnvText(USER),
        password=Secret(f"${{{PASSWORD_VARIABLE}}}"),
        ca_file=server.ca_file,
        query_timeout=timedelta(seconds=30),
        ssh_tunnel=tunnel(ssh, **changes),
    )


def test_the_database_is_read_through_the_tunnel(postgres: PostgresServer, ssh_server: SshServer) -> None:
    """The server sees an encrypted connection, verified in full, and every row comes."""
    tls = "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"
    query = f"SELECT g AS id, {tls} AS tls FROM generate_series(1, 60000) g"
    with connect(behind(postgres, ssh_server)) as session:
        rows = [row for batch in session.stream(query) for row in batch.to_pylist()]
    assert len(rows) == 60_000
    assert rows[-1] == {"id": 60_000, "tls": True}


def test_a_protected_key_needs_its_passphrase(
    postgres: PostgresServer, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes from the environment, and is in no message."""
    monkeypatch.setenv("TEST_KEY_PASSPHRASE", PASSPHRASE)
    protected = {"key_file": ssh_server.protected_key_file, "key_passphrase": Secret("${TEST_KEY_PASSPHRASE}")}
    with connect(behind(postgres, ssh_server, **protected)) as session:
        assert session.server().startswith("PostgreSQL ")
    monkeypatch.setenv("TEST_KEY_PASSPHRASE", "planted-wrong")
    with pytest.raises(SourceUnavailableError) as refused, connect(behind(postgres, ssh_server, **protected)):
        pass
    assert "key_passphrase" in refused.value.hint
    assert "planted" not in str(refused.value)


def test_each_failure_has_its_sentence(postgres: PostgresServer, ssh_server: SshServer, tmp_path: Path) -> None:
    """An unknown server, a stranger's key, no key, no server there: each with what to do."""
    stranger = tmp_path / "known_hosts"
    stranger.write_text(ssh_server.known_hosts.read_text().replace(f":{ssh_server.port}", ":1"))
    failures: dict[str, dict[str, Any]] = {
        "known_hosts does not have": {"known_hosts": stranger},
        "there is no file": {"known_hosts": tmp_path / "nowhere"},
        "does not let .* in": {"key_file": ssh_server.stranger_key_file},
        "there is no key file": {"key_file": tmp_path / "no_key"},
        "cannot be read": {"key_file": ssh_server.known_hosts},
        "does not answer": {"port": 1, "known_hosts": ssh_server.known_hosts},
    }
    for said, changes in failures.items():
        config = behind(postgres, ssh_server, **changes)
        with pytest.raises(SourceUnavailableError, match=f"database shop: .*{said}") as refused, connect(config):
            pass
        assert refused.value.hint


def test_every_engine_with_a_host_goes_through_it(
    postgres: PostgresServer,
    mariadb: MariadbServer,
    redshift: RedshiftServer,
    sqlserver: TdsServer,
    ssh_server: SshServer,
) -> None:
    """The certificate is verified all the same, against the database's own name."""
    configs: list[ServerConfig] = [
        test_postgres.settings_of(postgres),
        test_mysql.settings_of(mariadb),
        test_redshift.settings_of(redshift),
        test_sqlserver.settings_of(sqlserver),
    ]
    for direct in configs:
        config = direct.model_copy(update={"ssh_tunnel": tunnel(ssh_server)})
        with connect(config) as session:
            assert [row for batch in session.stream("SELECT 1 AS one") for row in batch.to_pylist()] == [{"one": 1}]
        found = list(steps(config))
        names = ["SSH tunnel", "TLS", "log in", "server", "read-only", "clock", "open transactions", "query", "driver"]
        assert [(step.name, step.ok) for step in found] == [(name, True) for name in names], config.type
        assert found[1].detail == "the certificate for localhost is by Throw-away authority"


def test_the_step_that_fails_is_the_tunnel(postgres: PostgresServer, ssh_server: SshServer) -> None:
    """The SSH server refuses, or there is nothing where it leads: said, with the fix, and nothing else is tried."""
    refused = behind(postgres, ssh_server, key_file=ssh_server.stranger_key_file)
    nobody = behind(postgres, ssh_server).model_copy(update={"port": 1})

    for config, said, fix in ((refused, "does not let", "authorized_keys"), (nobody, "does not reach", "`port`")):
        (step,) = steps(config)
        assert (step.name, step.ok) == ("SSH tunnel", False)
        assert said in step.detail
        assert fix in step.hint
    with pytest.raises(SourceUnavailableError, match="does not reach localhost port 1"), connect(nobody):
        pass
