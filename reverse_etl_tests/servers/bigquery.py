"""A stand-in for BigQuery's REST API and Google's login, on DuckDB: loopback, HTTPS, own certificate authority.

It does what the engine relies on: tokens only for a JWT that the account's key signed, jobs that run by themselves
and can be canceled, dry runs, results in pages of bounded size. ``Faults`` breaks it on purpose. The Storage Read
API is ``bigquery_storage``; SQL and values are ``_bigquery_sql``.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import secrets
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
import trustme
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from reverse_etl_tests.servers._bigquery_jobs import NO_DATASET, NO_JOBS, PROJECT, Faults, Jobs
from reverse_etl_tests.servers._bigquery_sql import RefusedError

__all__ = [
    "DATASET",
    "NO_DATASET",
    "NO_JOBS",
    "NO_STORAGE",
    "PROJECT",
    "READER",
    "BigqueryServer",
    "Faults",
    "bigquery",
]

DATASET = "shop"
READER = f"reader@{PROJECT}.iam.gserviceaccount.com"
NO_STORAGE = f"no-storage@{PROJECT}.iam.gserviceaccount.com"

_KEY_BITS = 1024
"""Google's have 2048: checking one at each login takes seven times as long, and a throw-away key guards nothing."""
_AUDIENCE = "https://oauth2.googleapis.com/token"
"""What the client says whatever its token_uri is."""
_DRIVE = "https://www.googleapis.com/auth/drive.readonly"


class BigqueryServer:
    """A running stand-in.

    Attributes:
        url: Of the REST API.
        ca_file: The authority that issued the certificate.
        jobs: What it was asked to run, and what goes wrong.
        database: What a dataset holds is a schema of it.
        requests: Method and path of every request, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self.jobs = Jobs()
        self.database = self.jobs.warehouse.database
        self.database.execute(f"CREATE SCHEMA {DATASET}")
        self.database.execute("CREATE SCHEMA elsewhere")
        self.requests: list[tuple[str, str]] = []
        self.scopes: set[str] = set()
        self.ca_file = folder / "ca.pem"
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        self._tokens: dict[str, str] = {}
        authority = trustme.CA(organization_name="Throw-away authority")
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.certificate = authority.issue_cert("localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate.configure_cert(context)
        self._http = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._http.server_address[1]
        self.url = f"https://localhost:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> BigqueryServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        for job in self.jobs.begun.values():
            job.cancel()
        self._http.shutdown()
        self._http.server_close()
        self.database.close()
        # pytest keeps the server itself until the end, when DuckDB complains of whatever is left.
        del self.jobs, self.database

    def key(self, account: str = READER, *, forged: bool = False) -> str:
        """A service account's key, as Google hands it out; a forged one signs with another private key."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS) if forged else self._key
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": account,
            "token_uri": f"{self.url}/token",
        }
        return json.dumps(key)

    def token(self, assertion: str) -> str:
        """An access token for a signed JWT. Source: developers.google.com/identity/protocols/oauth2/service-account."""
        claims = self.claims(assertion)
        if claims["aud"] != _AUDIENCE:
            raise RefusedError(400, "invalid_grant", "Invalid JWT: wrong audience.")
        self.scopes = set(claims["scope"].split())
        token = secrets.token_urlsafe(16)
        self._tokens[token] = claims["iss"]
        return token

    def claims(self, assertion: str) -> dict[str, Any]:
        """What a JWT of one of our accounts says; refused when it is not signed by its key or not valid now."""
        signed, _, signature = assertion.rpartition(".")
        try:
            self._key.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise RefusedError(400, "invalid_grant", "Invalid JWT Signature.") from None
        claims: dict[str, Any] = json.loads(_decoded(signed.partition(".")[2]))
        if not claims["iat"] <= time.time() + 60 or not time.time() < claims["exp"] <= claims["iat"] + 3600:
            raise RefusedError(400, "invalid_grant", "Invalid JWT: iat and exp.")
        return claims

    def account(self, authorization: str) -> str:
        """Whose token it is."""
        account = self._tokens.get(authorization.removeprefix("Bearer "))
        if account is None:
            raise RefusedError(401, "authError", "Request had invalid authentication credentials.")
        return account


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or does not like the certificate, is no news."""


def _handler(server: BigqueryServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
            """Nothing is printed."""

        def do_GET(self) -> None:
            """Answers."""
            self._answer({})

        def do_POST(self) -> None:
            """Answers."""
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
            self._answer(dict(parse_pairs(body.decode())) if form else json.loads(body or b"{}"))

        def _answer(self, body: dict[str, Any]) -> None:
            address = urlsplit(self.path)
            server.requests.append((self.command, address.path))
            try:
                for pattern, error in list(server.jobs.faults.refuse):
                    if re.search(pattern, address.path):
                        server.jobs.faults.refuse.remove((pattern, error))
                        raise error
                self._send(200, self._route(address.path, dict(parse_pairs(address.query)), body))
            except (ValueError, LookupError, AttributeError, TypeError, AssertionError, duckdb.Error) as defect:
                self._send(400, _error(RefusedError(400, "standInFailed", repr(defect)), address.path))
            except RefusedError as error:
                self._send(400 if error.status == 499 else error.status, _error(error, address.path))

        def _route(self, path: str, asked: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
            if path == "/token":
                token = server.token(body["assertion"])
                return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
            jobs = server.jobs
            account = server.account(self.headers.get("Authorization", ""))
            project, kind, *rest = path.removeprefix("/bigquery/v2/projects/").split("/")
            routes: dict[tuple[str, str, int], Callable[[], dict[str, Any]]] = {
                ("POST", "jobs", 0): lambda: jobs.insert(project, account, body, drive=_DRIVE in server.scopes),
                ("GET", "jobs", 1): lambda: jobs.resource(jobs.job(rest[0])),
                ("POST", "jobs", 2): lambda: jobs.cancel(jobs.job(rest[0])),
                ("GET", "queries", 1): lambda: jobs.results(jobs.job(rest[0]), asked),
                ("GET", "datasets", 1): lambda: jobs.dataset(account, rest[0]),
            }
            return routes[(self.command, kind, len(rest))]()

        def _send(self, status: int, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if server.jobs.faults.cut and "rows" in answer:
                server.jobs.faults.cut -= 1
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return
            self.wfile.write(content)

    return Handler


def parse_pairs(text: str) -> Iterator[tuple[str, str]]:
    """The first value of each key of a query string or form."""
    return ((key, values[0]) for key, values in parse_qs(text).items())


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _error(error: RefusedError, path: str) -> dict[str, Any]:
    if path == "/token":
        return {"error": error.reason, "error_description": error.message}
    details = {"reason": error.reason, "message": error.message, "domain": "global"}
    return {"error": {"code": error.status, "message": error.message, "errors": [details]}}


@contextmanager
def bigquery_server() -> Iterator[BigqueryServer]:
    """Starts the stand-in, with empty datasets ``shop`` and ``elsewhere``, and stops it again."""
    with tempfile.TemporaryDirectory(prefix="bq-") as folder, BigqueryServer(Path(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def bigquery() -> Iterator[BigqueryServer]:
    """A stand-in for this worker's tests."""
    with bigquery_server() as server:
        yield server
