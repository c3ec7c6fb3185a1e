"""A table behind an SSH server: the same delivery, the same TLS; and each way in which the tunnel can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from reverse_etl import plugins
from reverse_etl.config.environment import Secret
from reverse_etl.errors import DestinationUnavailableError
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.tables import SqlServer, delivered
from reverse_etl_tests.servers.sshd import PASSPHRASE, SshServer, tunnel


class SqlTunnels:
    """Subclass it beside each suite, with the fixture ``ssh_server``.

    Attributes:
        steps: Those of ``test-connection`` behind a tunnel.
    """

    steps: ClassVar[list[str]]

    def test_rows_arrive_through_the_tunnel(
        self, server: SqlServer, ssh_server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With a key under a passphrase; the certificate is verified against the server's own name."""
        monkeypatch.setenv("TEST_KEY_PASSPHRASE", PASSPHRASE)
        protected = {"key_file": ssh_server.protected_key_file, "key_passphrase": Secret("${TEST_KEY_PASSPHRASE}")}
        server.run(TABLE)
        self.require_tls(server)
        settings = {"ssh_tunnel": tunnel(ssh_server, **protected)}
        delivery = delivered(server, tmp_path, PEOPLE, settings=settings)
        assert [1, 2, 3] == delivery.numbers(Outcome.DELIVERED)
        assert [(3,)] == server.fetch("SELECT count(*) FROM customers")

    def test_the_connection_is_tested_through_it(self, server: SqlServer, ssh_server: SshServer) -> None:
        """Up to the last step; address and port are the SSH server's to know."""
        kind = plugins.load("reverse_etl.destinations", server.kind)
        done = list(kind.steps(server.config(ssh_tunnel=tunnel(ssh_server))))
        assert all(step.ok for step in done), done
        assert self.steps == [step.name for step in done]
        stranger = tunnel(ssh_server, key_file=ssh_server.stranger_key_file)
        (refused,) = kind.steps(server.config(ssh_tunnel=stranger))
        assert (False, True) == (refused.ok, bool(refused.hint))

    def test_each_failure_has_its_sentence(self, server: SqlServer, ssh_server: SshServer, tmp_path: Path) -> None:
        """A stranger's key, no key, an unknown server, or none: nothing is written, and each says what to do."""
        server.run(TABLE)
        stranger = tmp_path / "known_hosts"
        stranger.write_text(ssh_server.known_hosts.read_text().replace(f":{ssh_server.port}", ":1"))
        failures: dict[str, dict[str, Any]] = {
            "known_hosts does not have": {"known_hosts": stranger},
            "does not let .* in": {"key_file": ssh_server.stranger_key_file},
            "there is no key file": {"key_file": tmp_path / "no_key"},
            "does not answer": {"port": 1, "known_hosts": ssh_server.known_hosts},
        }
        for number, (words, changes) in enumerate(failures.items()):
            settings = {"ssh_tunnel": tunnel(ssh_server, **changes)}
            with pytest.raises(DestinationUnavailableError, match=f"destination crm: .*{words}") as refused:
                delivered(server, tmp_path / str(number), PEOPLE, settings=settings)
            assert refused.value.hint
        assert [(0,)] == server.fetch("SELECT count(*) FROM customers")

    def require_tls(self, server: SqlServer) -> None:
        """Has the server take no row of this user without TLS."""
        raise NotImplementedError
