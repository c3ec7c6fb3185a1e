"""ClickHouse's HTTP interface in front of its engine, which is chdb's: the program that ``clickhouse`` starts.

    python -m reverse_etl_tests.servers._clickhouse_http FOLDER PASSWORD [PORT PLAIN_PORT]

Listens on a port with TLS and one without, and prints both. One statement at a time. What is asked for by ``/_test``
goes wrong with the next statements; ``/_test/requests`` gives what was run; ``/_test/profile`` sets what users begin
with.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import sys
import threading
import zlib
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from chdb import session

OWNER: Final = "default"
"""Owns the tables, and has no password; everybody else has the server's."""
_NOT_SETTINGS: Final = {
    *("query", "database", "session_id", "default_format", "user", "password", "query_id", "compress", "role"),
    *("wait_end_of_query", "buffer_size", "client_protocol_version", "enable_http_compression"),
    *("send_progress_in_http_headers", "http_headers_progress_interval_ms"),
    *("cancel_http_readonly_queries_on_client_close",),
}
"""Parameters of a request that are no settings of the engine; and what is about answers alone."""
_INSERT: Final = re.compile(r"\s*insert\s+into\s+(?P<into>.+?)\s+format\s+(?P<format>\w+)\s*$", re.I | re.S)
_READS: Final = re.compile(r"\s*(?:select|with|show|describe|exists|explain)\b", re.I)
_CODE: Final = re.compile(r"Code: (\d+)")
_NOT_FOUND: Final = {"60", "81"}
_DENIED: Final = {"194", "516"}


class Refused(Exception):  # noqa: N818 - it is an answer
    """What the server refuses, as it words it."""


class Engine:
    """The engine, by one thread at a time, and the faults that tests ask for.

    Attributes:
        faults: Each with ``match``, a regular expression for statements, and ``times``; and what goes wrong: ``raise``,
            a code; ``lose``, the answer ``before`` or ``after`` the statement; ``instead``, a statement to run;
            ``hang``, seconds without an answer.
        profile: Settings of everybody but the owner, where a request has no others.
    """

    def __init__(self, folder: Path, password: str) -> None:
        self._folder = folder
        self._session = session.Session(str(folder / "data"))
        self._lock = threading.Lock()
        self._applied: dict[str, str] = {}
        self.password = password
        self.faults: list[dict[str, Any]] = []
        self.profile: dict[str, str] = {}
        self.requests: list[dict[str, Any]] = []

    def fault(self, statement: str) -> dict[str, Any]:
        """What is to go wrong with a statement; empty for nothing."""
        with self._lock:
            for fault in self.faults:
                if fault["times"] > 0 and re.search(fault["match"], statement, re.I | re.S):
                    fault["times"] -= 1
                    return fault
        return {}

    def run(self, request: Request, code: int | None = None) -> bytes:
        """Runs a statement with its data, its settings and its tables. Raises Refused, with a code if one is given."""
        if code is not None:
            raise Refused(f"Code: {code}. DB::Exception: planted secret. (PLANTED)")
        with self._lock:
            made: list[str] = []
            try:
                self._apply(request.parameters if request.owner else self.profile | request.parameters)
                for name, data in request.tables.items():
                    structure = request.parameters[f"{name}_structure"]
                    self._query(f"CREATE TEMPORARY TABLE {name} ({structure}) ENGINE = Memory")
                    made.append(name)
                    self._fill(name, request.parameters[f"{name}_format"], data)
                return self._run(request)
            finally:
                for name in made:
                    self._query(f"DROP TEMPORARY TABLE {name}")

    def _apply(self, parameters: dict[str, str]) -> None:
        """What a request sets; only what differs from the last one's takes time."""
        wanted = {
            name: f"SET {name} = '{value}'"
            for name, value in parameters.items()
            if name not in _NOT_SETTINGS and not name.endswith(("_structure", "_format", "_types"))
        }
        wanted["database"] = f"USE `{parameters.get('database', 'default')}`"
        for name in self._applied.keys() - wanted.keys():
            self._query(f"SET {name} = DEFAULT")
        for name in [name for name, statement in wanted.items() if self._applied.get(name) != statement]:
            self._applied.pop(name, None)
            self._query(wanted[name])
        self._applied = wanted

    def _run(self, request: Request) -> bytes:
        insert = _INSERT.match(request.statement)
        if insert is not None and request.data:
            return self._fill(insert["into"], insert["format"], request.data)
        return self._query(request.statement, request.parameters.get("default_format", "TabSeparated"))

    def _fill(self, into: str, kind: str, data: bytes) -> bytes:
        path = self._folder / "body"
        path.write_bytes(data)
        return self._query(f"INSERT INTO {into} FROM INFILE '{path}' FORMAT {kind}")

    def _query(self, statement: str, kind: str = "TabSeparated") -> bytes:
        try:
            result = self._session.query(statement, kind)
        except Exception as error:
            raise Refused(str(error)) from None
        return bytes(result.bytes() or b"") if result else b""


class Request:
    """One request, as the interface takes it.

    Attributes:
        owner: Whether it is the owner's.
        statement: SQL.
        data: What is behind it, or instead of it in the body.
        tables: External ones, by name.
    """

    def __init__(self, parameters: dict[str, str], body: bytes, kind: str, *, owner: bool) -> None:
        self.parameters, self.owner = parameters, owner
        self.tables: dict[str, bytes] = {}
        self.statement, self.data = parameters.get("query", ""), body
        if kind.startswith("multipart/form-data"):
            self.data = b""
            fields = _fields(body, kind.partition("boundary=")[2].strip('"').encode())
            self.statement = fields.pop("query", self.statement.encode()).decode()
            self.tables = fields
        elif not self.statement:
            head, line, rest = body.partition(b"\n")
            if line and _INSERT.match(head.decode(errors="replace")):
                self.statement, self.data = head.decode(), rest
            else:
                self.statement, self.data = body.decode(), b""


def _fields(body: bytes, boundary: bytes) -> dict[str, bytes]:
    fields = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)
        assert name is not None
        fields[name[1].decode()] = content.removesuffix(b"\r\n")
    return fields


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine: Engine
    context: ssl.SSLContext | None = None

    def setup(self) -> None:
        """The handshake is this connection's alone."""
        if self.context is not None:
            self.request = self.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """A statement in the address."""
        self._answer(b"")

    def do_POST(self) -> None:
        """A statement in the body, or its data."""
        self._answer(self._body())

    def _answer(self, body: bytes) -> None:
        url = urlsplit(self.path)
        parameters = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path.startswith("/_test"):
            self._test(url.path, body)
            return
        user, password = self._credentials(parameters)
        if user != OWNER and password != self.engine.password:
            self._refuse(f"Code: 516. DB::Exception: {user}: Authentication failed. (AUTHENTICATION_FAILED)")
            return
        request = Request(parameters, body, self.headers.get("Content-Type", ""), owner=user == OWNER)
        fault = self.engine.fault(request.statement) if user != OWNER else {}
        if user != OWNER:
            self.engine.requests.append({"statement": request.statement, "parameters": parameters})
        request.statement = fault.get("instead", request.statement)
        if "hang" in fault:
            self.connection.settimeout(fault["hang"])
            with suppress(OSError):
                self.connection.recv(1)
        if fault.get("lose") == "before" or "hang" in fault:
            self._hang_up()
            return
        try:
            data = self.engine.run(request, fault.get("raise"))
        except Refused as refused:
            self._refuse(str(refused))
            return
        if fault.get("lose") == "after":
            self._hang_up()
            return
        self._send(200, data, {"X-ClickHouse-Format": parameters.get("default_format", "TabSeparated")})

    def _test(self, path: str, body: bytes) -> None:
        if path == "/_test/requests":
            found, self.engine.requests = self.engine.requests, []
            self._send(200, json.dumps(found).encode(), {})
        elif path == "/_test/profile":
            self.engine.profile = json.loads(body)
            self._send(200, b"", {})
        else:
            self.engine.faults = json.loads(body)
            self._send(200, b"", {})

    def _credentials(self, parameters: dict[str, str]) -> tuple[str, str]:
        kind, _, text = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            user, _, password = base64.b64decode(text).decode().partition(":")
            return user, password
        user = self.headers.get("X-ClickHouse-User") or parameters.get("user", OWNER)
        return user, self.headers.get("X-ClickHouse-Key") or parameters.get("password", "")

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            pieces = []
            while length := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(length))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(pieces)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        how = self.headers.get("Content-Encoding", "")
        assert how in ("", "gzip"), how
        return zlib.decompress(body, 31) if how else body

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _refuse(self, text: str) -> None:
        found = _CODE.search(text)
        code = found[1] if found else "1001"
        status = 404 if code in _NOT_FOUND else 403 if code in _DENIED else 500
        self._send(status, text.encode(), {"X-ClickHouse-Exception-Code": code})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        always = {"X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Summary": "{}", "Content-Length": str(len(data))}
        for name, value in (always | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Handshakes that fail, and clients that hang up, are what tests are about."""


def main() -> None:
    """Serves until this program's parent is gone."""
    folder, password = Path(sys.argv[1]), sys.argv[2]
    Handler.engine = Engine(folder, password)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    secure = type("SecureHandler", (Handler,), {"context": context})
    port, plain_port = map(int, sys.argv[3:5] or (0, 0))
    servers = [_Server(("127.0.0.1", port), secure), _Server(("127.0.0.1", plain_port), Handler)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(*(server.server_address[1] for server in servers), flush=True)  # noqa: T201 - that is what it is for
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
