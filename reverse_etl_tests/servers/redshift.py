"""A stand-in for Redshift: the private PostgreSQL behind a front that makes it greet, count and refuse like Redshift.

The real redshift-connector logs in to it with MD5 passwords, over TLS. The front strips what a start-up says to
Redshift alone, reports version 8.0.2, and turns down statements that Redshift does not know. Behind it, the database
``warehouse`` has SUPER, VARBYTE, ``GETDATE()`` and ``JSON_PARSE()``. It runs as a process of its own
(``python -m reverse_etl_tests.servers.redshift PORT CERTIFICATE KEY``) that ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import struct
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from reverse_etl_tests.servers.postgres import PostgresServer

DATABASE = "warehouse"
USER = "customerio_reader"
IAM_USER = "IAM:customerio_reader"
SINGLE_NODE = "single_node"
"""For this user the front is a cluster of one node, which hands out at most 1,000 rows at once."""
ENCRYPTED_ONLY = "cautious_reader"
"""This user is only let in encrypted."""
PASSWORD = "planted-password-c41d"
PASSWORD_VARIABLE = "TEST_REDSHIFT_READER_PASSWORD"
VERSION = "1.0.73348"

_USERS = (USER, IAM_USER, SINGLE_NODE, ENCRYPTED_ONLY)
_HBA = "".join(f'host all "{user}" 127.0.0.1/32 md5\n' for user in _USERS)
_SSL_REQUEST, _CANCEL_REQUEST = 80877103, 80877102
_KNOWN_AT_START = {b"user", b"database", b"application_name"}
_UNKNOWN_TO_REDSHIFT = re.compile(
    rb"TO\s+STDOUT|intervalstyle|bytea_output|clock_timestamp|savepoint|to_json|no\s+scroll|transaction_read_only",
    re.IGNORECASE,
)
_TEXT = re.compile(rb"'(?:[^']|'')*'")
_FETCH = re.compile(rb"FETCH FORWARD (\d+) ")

_SCHEMA = rf"""
CREATE FUNCTION getdate() RETURNS timestamp LANGUAGE sql AS
  $$ SELECT date_trunc('second', clock_timestamp() AT TIME ZONE current_setting('TimeZone')) $$;
CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql AS
  $$ SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift {VERSION}' $$;
CREATE FUNCTION json_parse(text) RETURNS super LANGUAGE sql AS $$ SELECT $1::super $$;
CREATE FUNCTION from_hex(text) RETURNS varbyte LANGUAGE sql AS $$ SELECT $1::varbyte $$;
CREATE FUNCTION refuse_fetch(size int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN RAISE 'Fetch size % exceeds the limit of 1000 for a single node configuration. Reduce the client '
  'fetch/cache size or upgrade to a multi node installation.', size; END $$;
"""


@dataclass(frozen=True, slots=True)
class RedshiftServer:
    """A running stand-in.

    Attributes:
        port: On 127.0.0.1.
        ca_file: The authority that issued the certificate, which is for ``host``.
        behind: The PostgreSQL that answers.
        host: The only name that its certificate is for.
    """

    port: int
    ca_file: Path
    behind: PostgresServer
    host: str = "localhost"


@pytest.fixture(scope="session")
def redshift(postgres: PostgresServer) -> Iterator[RedshiftServer]:
    """A stand-in for this worker's tests, with ``PASSWORD_VARIABLE`` set."""
    with pytest.MonkeyPatch.context() as patch, redshift_server(postgres) as server:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        yield server


@contextmanager
def redshift_server(postgres: PostgresServer) -> Iterator[RedshiftServer]:
    """Makes the database and its users and starts the front; takes less than a second."""
    _fill(postgres)
    arguments = [str(postgres.port), str(postgres.folder / "server.pem"), str(postgres.folder / "server.key")]
    front = subprocess.Popen(
        [sys.executable, "-m", __name__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert front.stdin is not None
    assert front.stdout is not None
    with front:
        try:
            yield RedshiftServer(int(front.stdout.readline()), postgres.ca_file, postgres)
        finally:
            front.stdin.close()
            try:
                front.wait(5)
            except subprocess.TimeoutExpired:
                front.kill()


def _fill(postgres: PostgresServer) -> None:
    with (postgres.folder / "data" / "pg_hba.conf").open("a") as rules:
        rules.write(_HBA)
    with postgres.admin("postgres") as admin:
        admin.execute(f"CREATE DATABASE {DATABASE}")
        admin.execute("SET password_encryption = 'md5'")
        for user in _USERS:
            admin.execute(f"""CREATE ROLE "{user}" LOGIN PASSWORD '{PASSWORD}'""")
        admin.execute("SELECT pg_reload_conf()")
    with postgres.admin(DATABASE) as admin:
        admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        admin.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC")
        _create_type(admin, "super", 4000)
        _create_type(admin, "varbyte", 6551)
        admin.execute(_SCHEMA)


def _create_type(admin: psycopg.Connection[Any], name: str, oid: int) -> None:
    """A type with Redshift's number, stored and said as text; CREATE TYPE would choose a number of its own."""
    of_a_type = "attrelid = 'pg_type'::regclass AND attnum > 0"
    columns = [row[0] for row in admin.execute(f"SELECT attname FROM pg_attribute WHERE {of_a_type} ORDER BY attnum")]
    changed = {"oid": str(oid), "typname": f"'{name}'", "typarray": "0", "typnamespace": "'public'::regnamespace"}
    values = ", ".join(changed.get(column, column) for column in columns)
    admin.execute("SET allow_system_table_mods = on")
    admin.execute(f"INSERT INTO pg_type ({', '.join(columns)}) SELECT {values} FROM pg_type WHERE typname = 'text'")


async def _serve(postgres_port: int, certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(partial(_meet, postgres_port, context), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - read by the fixture
    async with server:
        await asyncio.to_thread(sys.stdin.read)


async def _meet(postgres_port: int, context: ssl.SSLContext, reader: StreamReader, writer: StreamWriter) -> None:
    try:
        code, body = await _first_message(reader)
        encrypted = code == _SSL_REQUEST
        if encrypted:
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(context)
            code, body = await _first_message(reader)
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", postgres_port)
        try:
            if code == _CANCEL_REQUEST:
                behind_writer.write(_start(code, body))
                await behind_reader.read()
            else:
                await _session(body, encrypted, (reader, writer), (behind_reader, behind_writer))
        finally:
            behind_writer.close()
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def _session(
    start_up: bytes,
    encrypted: bool,
    client: tuple[StreamReader, StreamWriter],
    behind: tuple[StreamReader, StreamWriter],
) -> None:
    parts = start_up.split(b"\0")
    said = dict(zip(parts[::2], parts[1::2], strict=False))
    user = said[b"user"].decode()
    if user == ENCRYPTED_ONLY and not encrypted:
        text = f'no pg_hba.conf entry for host "::1", user "{user}", database "{DATABASE}", SSL off'
        client[1].write(_message(b"E", f"SFATAL\0C28000\0M{text}\0\0".encode()))
        await client[1].drain()
        return
    known = b"".join(name + b"\0" + value + b"\0" for name, value in said.items() if name in _KNOWN_AT_START)
    behind[1].write(_start(196608, known + b"\0"))
    requests = asyncio.create_task(_pass_requests(client[0], behind[1], single_node=user == SINGLE_NODE))
    try:
        await _greet(behind[0], client[1])
        while data := await behind[0].read(1 << 18):
            client[1].write(data)
            await client[1].drain()
    finally:
        requests.cancel()


async def _greet(behind: StreamReader, client: StreamWriter) -> None:
    """Passes on what comes up to the first prompt, and says what Redshift says with it."""
    kind = b""
    while kind not in (b"Z", b"E"):
        kind, body = await _next_message(behind)
        if kind == b"S" and body.startswith(b"server_version\0"):
            body = b"server_version\x008.0.2\0"
        if kind == b"Z":
            client.write(_message(b"S", b"server_protocol_version\x000\0"))
        client.write(_message(kind, body))
    await client.drain()


async def _pass_requests(client: StreamReader, behind: StreamWriter, *, single_node: bool) -> None:
    try:
        while True:
            kind, body = await _next_message(client)
            if kind == b"P":
                name, statement, rest = body.split(b"\0", 2)
                body = b"\0".join((name, _as_redshift(statement, single_node), rest))
            behind.write(_message(kind, body))
            await behind.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        behind.close()


def _as_redshift(statement: bytes, single_node: bool) -> bytes:
    """The statement, or one that fails where Redshift would refuse it."""
    fetch = _FETCH.match(statement)
    if fetch and single_node and int(fetch[1]) > 1000:
        return b"SELECT refuse_fetch(%d)" % int(fetch[1])
    without_texts = _TEXT.sub(b"", statement)
    return b"SELECT redshift_does_not_know_this()" if _UNKNOWN_TO_REDSHIFT.search(without_texts) else statement


async def _first_message(reader: StreamReader) -> tuple[int, bytes]:
    length, code = struct.unpack("!ii", await reader.readexactly(8))
    return code, await reader.readexactly(length - 8)


async def _next_message(reader: StreamReader) -> tuple[bytes, bytes]:
    kind, length = struct.unpack("!ci", await reader.readexactly(5))
    return kind, await reader.readexactly(length - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _start(code: int, body: bytes) -> bytes:
    return struct.pack("!ii", len(body) + 8, code) + body


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
