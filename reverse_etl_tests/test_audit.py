"""The audit of the locked packages, with a service that knows a vulnerability, none, or does not answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reverse_etl_tests import audit
from reverse_etl_tests.servers.dagster_ui import free_port

pytestmark = pytest.mark.thorough
RANGE = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}
PACKAGE = {"name": "planted", "ecosystem": "PyPI"}
MENDED = {"id": "PYSEC-2030-1", "summary": "Planted.", "affected": [{"package": PACKAGE, "ranges": [RANGE]}]}


class Osv(BaseHTTPRequestHandler):
    """Answers as osv.dev does (https://google.github.io/osv.dev/post-v1-query/): ``planted`` has a vulnerability."""

    def do_POST(self) -> None:
        """A query of one package."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"vulns": [MENDED]} if "planted" == asked["package"]["name"] else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def osv() -> Iterator[tuple[str, ...]]:
    """The options of pip-audit that ask it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield ("--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query")
    server.shutdown()
    server.server_close()


def lock(folder: Path, *names: str) -> Path:
    """A lock file."""
    path = folder / "requirements.lock"
    path.write_text("".join(f"{name}==1.0 --hash=sha256:{'0' * 64}\n" for name in names))
    return path


def test_a_vulnerability_fails_and_is_named(
    tmp_path: Path, osv: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the version that mends it, also where an offline machine would pass."""
    monkeypatch.setattr(audit, "LOCK", lock(tmp_path, "planted", "sound"))
    assert 1 == audit.main(*osv, audit.OFFLINE)
    assert "planted 1.0: PYSEC-2030-1, mended in 1.1" in capsys.readouterr().out


def test_packages_without_one_pass(tmp_path: Path, osv: tuple[str, ...]) -> None:
    """They are counted."""
    assert (1, []) == audit.audit(lock(tmp_path, "sound"), *osv)


def test_no_answer_is_no_pass_unless_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says that nothing was audited."""
    monkeypatch.setattr(audit, "LOCK", lock(tmp_path, "sound"))
    nowhere = ("--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{free_port()}/", "--timeout", "1")
    assert 1 == audit.main(*nowhere)
    assert 0 == audit.main(*nowhere, audit.OFFLINE)
    assert 2 == capsys.readouterr().out.count("Not audited: ")
