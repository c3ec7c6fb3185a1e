"""A private Snowflake for tests: fakesnow's server in a process of its own, with logins, roles and result chunks.

``snowflake_server()`` starts one; the fixture ``snowflake`` is one for each pytest worker. The user ``SYNC`` logs in
with a password, a registered key or an OAuth token and reads through the role ``SYNC_READER``.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from reverse_etl_tests.servers._snowflake_login import ACCOUNT, User

INSTALL = 'The Snowflake counterpart needs fakesnow: pip install "fakesnow[server]==0.12.1"'
USER = "SYNC"
PASSWORD = "planted-password-2b8d"
PASSPHRASE = "planted-passphrase-61fa"
TOKEN = "planted-oauth-token-77c0"
EXPIRED_TOKEN = "planted-oauth-token-0000"
OWNER = "OWNER"
WRITER = "WRITER"

PASSWORD_VARIABLE = "TEST_SNOWFLAKE_READER_PASSWORD"
KEY_VARIABLE = "TEST_SNOWFLAKE_READER_KEY"
PASSPHRASE_VARIABLE = "TEST_SNOWFLAKE_READER_PASSPHRASE"
TOKEN_VARIABLE = "TEST_SNOWFLAKE_READER_TOKEN"


@dataclass(frozen=True, slots=True)
class SnowflakeServer:
    """A running server.

    Attributes:
        port: Plain HTTP, on 127.0.0.1.
        tls_port: The same over TLS.
        pid: Its process.
        ca_file: The authority that issued the certificate.
        key_file: The user's private key, protected by ``PASSPHRASE``.
        open_key: The same key, PEM without protection.
        public_key: Its public half, as RSA_PUBLIC_KEY takes it.
        host: The only name that the certificate is for.
    """

    port: int
    tls_port: int
    pid: int
    ca_file: Path
    key_file: Path
    open_key: str
    public_key: str
    host: str = "localhost"

    @contextmanager
    def admin(self, database: str = "SHOP") -> Iterator[Any]:
        """A cursor of a database's owner."""
        import snowflake.connector

        with (
            snowflake.connector.connect(
                account=ACCOUNT,
                user=OWNER,
                password=PASSWORD,
                host="127.0.0.1",
                port=self.port,
                protocol="http",
                database=database,
                schema="PUBLIC",
                warehouse="SYNC_WH",
                platform_detection_timeout_seconds=0,
                session_parameters={"CLIENT_TELEMETRY_ENABLED": False},
            ) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def seen(self) -> dict[str, Any]:
        """What the service saw: ``logins``, ``statements``, ``aborted``, ``closed``, ``paths``, ``chunks``."""
        seen: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self.port}/_control").json()
        return seen

    def behave(self, **wanted: Any) -> None:
        """Forgets what was seen and behaves well, but for what is named; see ``Service.control``."""
        httpx.post(f"http://127.0.0.1:{self.port}/_control", json=wanted).raise_for_status()

    def answer(self, sql: str, table: pa.Table, kinds: list[dict[str, Any]], *, copies: int = 0) -> None:
        """Makes the service answer a statement with an Arrow table, exactly as it is.

        Args:
            sql: The statement.
            table: In Snowflake's shapes.
            kinds: What the service says of each column: ``name``, ``type``, maybe ``scale`` ...
            copies: How many parts with the same rows come besides.
        """
        out = pa.BufferOutputStream()
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
        empty = dict.fromkeys(("length", "byteLength", "precision", "scale", "collation"))
        canned = {
            "queryResultFormat": "arrow",
            "rowsetBase64": base64.b64encode(out.getvalue().to_pybytes()).decode(),
            "rowtype": [{"nullable": True} | empty | kind for kind in kinds],
            "total": table.num_rows,
            "copies": copies,
        }
        self.behave(canned={sql: canned})


@pytest.fixture(scope="session")
def snowflake() -> Iterator[SnowflakeServer]:
    """A server for this worker's tests, with the secrets in their variables; skips without fakesnow."""
    if find_spec("fakesnow") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
    with pytest.MonkeyPatch.context() as patch, snowflake_server() as server:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        patch.setenv(KEY_VARIABLE, server.open_key)
        patch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
        patch.setenv(TOKEN_VARIABLE, TOKEN)
        yield server


@contextmanager
def snowflake_server() -> Iterator[SnowflakeServer]:
    """Starts a server with an empty database ``SHOP`` and stops it again; takes about two seconds."""
    folder = Path(tempfile.mkdtemp(prefix="sf-"))
    key = rsa.generate_private_key(65_537, 2048)
    open_key = _pem(key, serialization.NoEncryption())
    (folder / "key.p8").write_text(_pem(key, serialization.BestAvailableEncryption(PASSPHRASE.encode())))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    authority = trustme.CA(organization_name="Throw-away authority")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    settings = {
        "users": {name: asdict(user) for name, user in _users(public.decode()).items()},
        "certificate": str(folder / "server.pem"),
        "key": str(folder / "server.pem"),
    }
    program = [sys.executable, "-m", "reverse_etl_tests.servers._snowflake_service"]
    log = folder / "log"
    try:
        with (
            log.open("wb") as errors,
            subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process,
        ):
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps(settings).encode() + b"\n")
                process.stdin.flush()
                ports = process.stdout.readline()
                if not ports:
                    raise RuntimeError(log.read_text()[-2000:])
                port, tls_port = json.loads(ports)
                registered = "".join(public.decode().splitlines()[1:-1])
                yield SnowflakeServer(
                    port, tls_port, process.pid, folder / "ca.pem", folder / "key.p8", open_key, registered
                )
            finally:
                process.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _users(public_key: str) -> dict[str, User]:
    roles = ("SYNC_READER", "SYNC_WRITER", "SYNC_HEIR", "SYNC_UNSEEN")
    return {
        USER: User(PASSWORD, public_key, {TOKEN: True, EXPIRED_TOKEN: False}, roles),
        OWNER: User(PASSWORD, roles=(OWNER,)),
        WRITER: User(PASSWORD, public_key, roles=("CRM_WRITER",)),
        "LOCKED": User(PASSWORD, refusal=("390102", "User temporarily locked. Try again later, or contact ...")),
        "DISABLED": User(PASSWORD, refusal=("390101", "User access disabled. Contact your local ...")),
        "ODD": User(PASSWORD, refusal=("390999", "Something new.")),
        "FENCED": User(
            PASSWORD,
            refusal=("390422", "Incoming request with IP/Token 203.0.113.7 is not allowed to access Snowflake."),
        ),
        "SECOND_FACTOR": User(
            PASSWORD,
            refusal=(
                "390197",
                "Multi-factor authentication is required for this account. Log in to Snowsight to enroll.",
            ),
        ),
    }


def _pem(key: rsa.RSAPrivateKey, protection: serialization.KeySerializationEncryption) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection).decode()
