"""The Snowflake counterpart as a program: fakesnow's server, and around it what the service also does.

fakesnow answers the SQL, unpatched. Here are logins, roles, result chunks, long queries that are asked for again,
cancellation, time limits and Snowflake's own error codes. Started by ``snowflake.snowflake_server``.
"""

from __future__ import annotations

import asyncio
import ctypes
import gzip
import json
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import fakesnow.server as fakesnow
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reverse_etl_tests.servers._snowflake_answers import (
    WRITTEN,
    Session,
    as_snowflake,
    failure,
    granted,
    keys_of,
    listed_keys,
    refused,
    unenforced,
)
from reverse_etl_tests.servers._snowflake_login import ACCOUNT, Accounts, User, refusal
from reverse_etl_tests.servers._snowflake_results import Chunks

HOLD_S: Final = 0.3
"""How long a query's request is kept open before the driver is asked to come again; 45 s at the real service."""

_WAIT: Final = re.compile(r"SYSTEM\$WAIT\(([\d.]+)\)", re.IGNORECASE)
_GRANTS_OF: Final = re.compile(r'SHOW GRANTS TO ROLE "?(\w+)"?', re.IGNORECASE)
_KEYS_OF: Final = re.compile(r'SHOW (?P<kind>PRIMARY|UNIQUE) KEYS IN TABLE "CRM"\."PUBLIC"\."(?P<table>[^"]+)"')
_CHANGES: Final = re.compile(
    r"(\S+) CHANGES\(INFORMATION => DEFAULT\) AT\(TIMESTAMP => (\S+)\) END\(TIMESTAMP => (\S+)\)"
)
"""What changed in a table is in another one, ``<table>__changes``, with the time ``changed_at``: fakesnow has no
Time Travel.

Source: docs.snowflake.com/en/sql-reference/constructs/changes, read 2026-11.
"""

_CHOSEN: Final = re.compile(r"\bCURRENT_(ROLE|WAREHOUSE|USER)\(\)", re.IGNORECASE)
GONE: Final = ("390111", "Session no longer exists. New login required to access the service.")
_PR_SET_PDEATHSIG: Final = 1


@dataclass(slots=True)
class Query:
    """A statement that was asked for.

    Attributes:
        aborted: Set by the driver's abort request.
        answer: What it came to, once it has ended.
    """

    aborted: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Task[dict[str, Any]] | None = None


class Service:
    """The application. What it saw is in ``seen``; ``control`` changes how it behaves."""

    def __init__(self, users: dict[str, User]) -> None:
        self.accounts = Accounts(users)
        self.chunks = Chunks()
        self.sessions: dict[str, Session] = {}
        self.queries: dict[str, Query] = {}
        self.started: dict[str, Query] = {}
        self.canned: dict[str, dict[str, Any]] = {}
        self.wanted: dict[str, Any] = {}
        self.keys: dict[str, list[tuple[str, list[str]]]] = {}
        self.seen: dict[str, list[Any]] = {
            "logins": [],
            "statements": [],
            "aborted": [],
            "closed": [],
            "paths": [],
            "merged": [],
        }

    def routes(self) -> list[Route]:
        """What is answered, at which path."""
        return [
            Route("/session/v1/login-request", self.login, methods=["POST"]),
            Route("/session/token-request", self.renew, methods=["POST"]),
            Route("/session", self.session, methods=["POST"]),
            Route("/queries/v1/query-request", self.query, methods=["POST"]),
            Route("/queries/v1/abort-request", self.abort, methods=["POST"]),
            Route("/queries/{number}/result", self.result),
            Route("/queries/{started}/abort-request", self.abort_started, methods=["POST"]),
            Route("/monitoring/queries/{started}", self.status),
            Route("/chunks/{chunk}", self.chunk),
            Route("/fs_bucket/{path:path}", fakesnow.bucket_upload, methods=["PUT"]),
            Route("/_control", self.control, methods=["GET", "POST"]),
            Route("/{path:path}", self.unknown, methods=["GET", "POST"]),
        ]

    async def login(self, request: Request) -> Response:
        """Checks who it is; see ``_snowflake_login``."""
        body = await _body(request)
        data, names = body["data"], dict(request.query_params)
        self.seen["logins"].append(
            {key: value for key, value in data.items() if key not in ("PASSWORD", "TOKEN")} | {"names": names}
        )
        if self.wanted.get("silent_logins"):
            await asyncio.sleep(3600)
        if data["ACCOUNT_NAME"].upper() != ACCOUNT:
            return Response(status_code=404)
        refused = refusal(self.accounts, data, names)
        if refused is not None:
            return _failed(*refused)
        answer = await _fakesnow(fakesnow.login_request, request, body)
        parameters = data.get("SESSION_PARAMETERS", {})
        role = names.get("roleName", self.accounts.users[data["LOGIN_NAME"].upper()].roles[0]).upper()
        limit_s = self.wanted.get("limit_s") or float(parameters.get("STATEMENT_TIMEOUT_IN_SECONDS", 172_800))
        self.sessions[answer["data"]["token"]] = Session(
            role,
            names.get("warehouse", "").upper(),
            limit_s,
            user=data["LOGIN_NAME"].upper(),
            database=names.get("databaseName", "").upper(),
            schema=names.get("schemaName", "").upper(),
        )
        told = {"TIMEZONE": parameters.get("TIMEZONE", "America/Los_Angeles"), "CLIENT_TELEMETRY_ENABLED": True}
        told |= {name: value for name, value in parameters.items() if name in told}
        answer["data"]["parameters"] += [{"name": name, "value": value} for name, value in told.items()]
        answer["data"] |= {"masterToken": "master", "validityInSeconds": 3600, "masterValidityInSeconds": 14_400}
        return JSONResponse(answer)

    async def renew(self, request: Request) -> Response:
        """A session that the driver says has expired goes on."""
        body = await _body(request)
        data = {"sessionToken": body["oldSessionToken"], "masterToken": "master", "masterValidityInSeconds": 14_400}
        return JSONResponse({"success": True, "data": data})

    async def session(self, request: Request) -> Response:
        """Ends a session."""
        token = fakesnow.to_token(request)
        self.seen["closed"].append(token[:6])
        self.chunks.forget(token)
        self.sessions.pop(token, None)
        return await fakesnow.session(request)

    async def query(self, request: Request) -> Response:
        """Runs a statement; a driver that asks again for the same one gets the same answer."""
        if self.wanted.get("silent"):
            await asyncio.sleep(3600)
        if self.wanted.pop("expired", False):
            return _failed("390112", "Your session has expired. Please login again.")
        if fakesnow.to_token(request) not in self.sessions:
            return _failed(*GONE)
        body = await _body(request)
        self.seen["statements"].append(body["sqlText"])
        number = request.query_params["requestId"]
        query = self.queries.setdefault(number, Query())
        if query.answer is None:
            query.answer = asyncio.create_task(self._run(query, request, body))
        if self._lost(body["sqlText"]):
            await query.answer
            return _failed(*GONE)
        if body.get("asyncExec"):
            started = str(uuid4())
            self.started[started] = query
            await asyncio.sleep(self.wanted.get("started_late_s", 0))
            later = {"queryId": started, "getResultUrl": f"/queries/{number}/result", "queryAbortsAfterSecs": 300}
            return JSONResponse({"success": True, "code": "333334", "message": "Started.", "data": later})
        return await self._answered(number, query)

    async def status(self, request: Request) -> Response:
        """What has become of a query that was started without waiting for its answer, in whichever session."""
        if self._lost("status"):
            return _failed(*GONE)
        started = request.path_params["started"]
        query = self.started[started]
        assert query.answer is not None
        await asyncio.wait({query.answer}, timeout=HOLD_S)
        about = {"id": started, "status": "RUNNING"}
        if query.answer.done():
            answer = query.answer.result()
            about["status"] = "SUCCESS" if answer["success"] else "FAILED_WITH_ERROR"
            about |= {} if answer["success"] else {"errorCode": answer["code"], "errorMessage": answer["message"]}
        return JSONResponse({"success": True, "data": {"queries": [about]}})

    async def abort_started(self, request: Request) -> Response:
        """Ends such a query."""
        self.started[request.path_params["started"]].aborted.set()
        return JSONResponse({"success": True, "data": None})

    def _lost(self, sql: str) -> bool:
        """Whether the answer to a statement is to be lost, and its session with it."""
        lost = self.wanted.get("lost") or {}
        for word in [word for word, times in lost.items() if times and word in sql]:
            lost[word] -= 1
            return True
        return False

    async def result(self, request: Request) -> Response:
        """The answer of a query that took longer."""
        number = request.path_params["number"]
        return await self._answered(number, self.queries[number])

    async def abort(self, request: Request) -> Response:
        """Ends a query, by the id of its request."""
        body = await _body(request)
        number = body["requestId"]
        self.seen["aborted"].append(body["sqlText"])
        if number in self.queries:
            self.queries[number].aborted.set()
        return JSONResponse({"success": True, "data": None})

    async def chunk(self, request: Request) -> Response:
        """A part of a result; as at the real service, no token is needed but the right headers are."""
        if self.wanted.get("chunks_stalled"):
            await asyncio.sleep(3600)
        if self.chunks.refusals:
            self.chunks.refusals -= 1
            return Response(status_code=503)
        if request.headers.get("x-test-chunk") != "1":
            return Response(status_code=403)
        body = await asyncio.to_thread(self.chunks.read, request.path_params["chunk"])
        return Response(body, media_type="application/octet-stream", headers={"content-encoding": "gzip"})

    async def control(self, request: Request) -> Response:
        """For the tests: tells what the service saw; a POST forgets that and says how the service behaves from now on.

        By name: ``silent``, ``silent_logins``, ``chunks_stalled`` never answer; ``chunk_refusals`` and
        ``short_chunks`` answer badly, the latter so many times; ``expired`` refuses the next statement; ``limit_s`` is
        the time limit of the next sessions; ``cancel`` ends what runs; ``canned`` holds answers by statement; ``lost``
        has the answers to so many statements with a word in them end the session, ``status`` for the question what
        became of one; ``failing`` has them fail with code and text, ``slow`` take so many seconds; those
        with a word of ``swallowed`` do nothing; ``started_late_s`` has the ids of those that are not waited for come
        late.
        """
        if request.method == "POST":
            self.wanted = await request.json()
            if self.wanted.get("forget_sessions"):
                self.sessions = {token: each for token, each in self.sessions.items() if each.role == "OWNER"}
            for saw in (*self.seen.values(), self.chunks.fetched):
                saw.clear()
            self.chunks.refusals = self.wanted.get("chunk_refusals", 0)
            self.chunks.short = self.wanted.get("short_chunks", 0)
            self.canned |= self.wanted.get("canned", {})
            for query in self.queries.values() if self.wanted.get("cancel") else ():
                query.aborted.set()
        return JSONResponse(self.seen | {"chunks": self.chunks.fetched, "sessions": len(self.sessions)})

    async def unknown(self, request: Request) -> Response:
        """Whatever else a driver asks for, such as telemetry, is noted."""
        self.seen["paths"].append(request.url.path)
        return Response(status_code=404)

    async def _answered(self, number: str, query: Query) -> Response:
        assert query.answer is not None
        done, _ = await asyncio.wait({query.answer}, timeout=HOLD_S)
        if done:
            return JSONResponse(query.answer.result())
        later = {"getResultUrl": f"/queries/{number}/result", "queryAbortsAfterSecs": 300}
        return JSONResponse({"success": True, "code": "333334", "message": "Query in progress.", "data": later})

    async def _run(self, query: Query, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        token = fakesnow.to_token(request)
        session = self.sessions[token]
        work = asyncio.create_task(self._execute(token, session, request, body))
        stop = asyncio.create_task(query.aborted.wait())
        done, _ = await asyncio.wait({work, stop}, timeout=session.limit_s, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if work in done:
            return work.result()
        work.cancel()
        if stop in done:
            return failure("000604", "SQL execution canceled", "57014")
        text = (
            f"Statement reached its statement or warehouse timeout of {session.limit_s:g} second(s) and was canceled."
        )
        return failure("000630", text, "57014")

    async def _execute(self, token: str, session: Session, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        sql = body["sqlText"]
        if sql.strip() in self.canned:
            data = {"queryId": "canned"} | self.canned[sql.strip()]
            if copies := data.pop("copies"):
                self.chunks.repeat(data, copies, _address(request), token)
            return {"success": True, "data": data}
        if grants := _GRANTS_OF.match(sql.strip()):
            return granted(self.accounts, session.role, grants[1].upper())
        if session.role == "OWNER" and self.accounts.administer(sql):
            sql = "SELECT 'Statement executed successfully.' AS \"status\""
        for word, (times, code, text) in (self.wanted.get("failing") or {}).items():
            if times and word in sql:
                self.wanted["failing"][word] = (times - 1, code, text)
                return failure(code, text, "57014")
        for word, seconds in (self.wanted.get("slow") or {}).items():
            await asyncio.sleep(seconds if word in sql else 0)
        if any(word in sql for word in self.wanted.get("swallowed") or ()):
            return {"success": True, "data": {"queryId": "swallowed", "rowset": [["0", "0"]], "total": 1}}
        if session.role == "OWNER" and session.database == WRITTEN:
            if (made := keys_of(sql)) is not None:
                self.keys[made[0]] = made[1]
            sql = unenforced(sql)
        refusal = refused(self.accounts, session, sql)
        if refusal is not None:
            return failure(*refusal)
        if keys := _KEYS_OF.fullmatch(sql.strip()):
            return listed_keys(keys["kind"], keys["table"], self.keys.get(keys["table"], []))
        for wait in _WAIT.finditer(sql):
            await asyncio.sleep(float(wait[1]))
            sql = sql.replace(wait[0], f"'waited {wait[1]} seconds'")
        sql = sql.replace("CURRENT_ACCOUNT()", "'COUNTERPART'")
        sql = _CHANGES.sub(r"\1__CHANGES WHERE CHANGED_AT > \2 AND CHANGED_AT <= \3", sql)
        sql = _CHOSEN.sub(lambda chosen: f"'{getattr(session, chosen[1].lower())}'", sql)
        answer = await _fakesnow(fakesnow.query_request, request, body | {"sqlText": sql})
        if not answer["success"]:
            return as_snowflake(answer)
        if sql.startswith("MERGE"):
            self.seen["merged"] += map(int, answer["data"]["rowset"][0])
        await asyncio.to_thread(self.chunks.split, answer["data"], _address(request), token)
        return answer


def _failed(code: str, text: str) -> JSONResponse:
    return JSONResponse(failure(code, text))


def _address(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


async def _body(request: Request) -> Any:
    raw = await request.body()
    return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)


async def _fakesnow(handler: Callable[[Request], Any], request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Fakesnow's answer to the request with another body."""
    raw = json.dumps(body).encode()
    kept = [(name, value) for name, value in request.scope["headers"] if name.lower() != b"content-encoding"]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    response = await handler(Request({**request.scope, "headers": kept}, receive))
    answer: dict[str, Any] = json.loads(response.body)
    return answer


async def _serve(settings: dict[str, Any]) -> None:
    users = {
        name: User(**(user | {"roles": tuple(user["roles"]), "refusal": user["refusal"] and tuple(user["refusal"])}))
        for name, user in settings["users"].items()
    }
    app = Starlette(routes=Service(users).routes())
    quiet: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "log_config": None, "timeout_graceful_shutdown": 1}
    servers = [
        uvicorn.Server(uvicorn.Config(app, **quiet)),
        uvicorn.Server(uvicorn.Config(app, **quiet, ssl_certfile=settings["certificate"], ssl_keyfile=settings["key"])),
    ]
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    while not all(server.started for server in servers):
        await asyncio.sleep(0.01)
    ports = [server.servers[0].sockets[0].getsockname()[1] for server in servers]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.gather(*tasks)


def main() -> None:
    """Serves on two free ports of 127.0.0.1, plain and with TLS; settings come on stdin, the ports go to stdout."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    asyncio.run(_serve(json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    main()
