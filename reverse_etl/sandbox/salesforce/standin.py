"""The stand-in for Salesforce: the addresses of its calls, its sessions and what it can do wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from reverse_etl.sandbox.base import JSON, Answer, Record, Standin, own_fault
from reverse_etl.sandbox.salesforce import locks
from reverse_etl.sandbox.salesforce.calls import Call, Calls, Responder
from reverse_etl.sandbox.salesforce.composite import rows_of
from reverse_etl.sandbox.salesforce.jobs import Jobs
from reverse_etl.sandbox.salesforce.org import Org, Settings
from reverse_etl.sandbox.salesforce.problems import RequestError, not_found
from reverse_etl.sandbox.salesforce.sign_in import SignIn
from reverse_etl.sandbox.salesforce.writing import write

OLDEST, NEWEST = 46, 68
_VERSION: Final = re.compile(r"v(\d\d)\.0")
_DATA: Final = "/services/data/{version}"
_WORDED: Final = {
    401: ("INVALID_SESSION_ID", "Session expired or invalid"),
    403: ("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
    404: ("NOT_FOUND", "The requested resource does not exist"),
    500: ("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    503: ("SERVER_UNAVAILABLE", "The server is temporarily unavailable."),
}
_FAULTS_OF_A_REQUEST: Final = ("day_limit", "concurrent_limit", "session_expired", "not_expiry", "api_disabled")


class Salesforce(Standin):
    """An org with one app that signs in."""

    NAME = "salesforce"
    TITLE = "Salesforce"
    PORT = 8712
    SETTINGS = Settings
    OWN_FAULTS: ClassVar[Mapping[str, str]] = {
        **locks.OWN_FAULTS,
        "missing_results": "written, and every second result of a collection is missing",
        "job_fails": "closing the job: it fails later, applied_rows of it (half) written and the rest unprocessed",
        "job_miscounts": "closing the job: its counters leave rows out, its results do not",
        "day_limit": "403 REQUEST_LIMIT_EXCEEDED, from now on until the limit is raised",
        "concurrent_limit": "403 REQUEST_LIMIT_EXCEEDED although the day has calls left",
        "session_expired": "401: this session has ended, a new token is taken",
        "not_expiry": "401 that no new token helps against",
        "api_disabled": "403: the edition has no API",
    }

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._org = Org(lambda: self.settings, self.clock)
        self._sign_in = SignIn(self._org)
        self._jobs = Jobs(self._org)
        self._in_flight = locks.InFlight()
        self._calls = calls = Calls(self._org, self._jobs, self._sign_in)
        one = "/sobjects/{object}/{value}"
        by_key = "/sobjects/{object}/{field}/{value}"
        job = "/jobs/ingest/{job}"
        self.routes = [
            Route("/services/oauth2/token", self._token, methods=["POST"]),
            Route("/services/oauth2/userinfo", self._endpoint(calls.identity), methods=["GET", "POST"]),
            Route("/id/{org}/{user}", self._endpoint(calls.identity)),
            Route("/services/data", self._endpoint(calls.versions)),
            Route("/services/data/", self._endpoint(calls.versions)),
            self._route("GET", "/limits", calls.limits),
            self._route("GET", "/sobjects", calls.objects),
            self._route("GET", "/sobjects/{object}/describe", calls.describe),
            self._route("POST", "/sobjects/{object}", calls.create),
            *(self._route(method, one, call) for method, call in calls.single.items()),
            *(self._route(method, by_key, call) for method, call in calls.single.items()),
            self._route("POST", "/composite/sobjects", calls.collection),
            self._route("PATCH", "/composite/sobjects", calls.collection),
            self._route("DELETE", "/composite/sobjects", calls.delete_collection),
            self._route("PATCH", "/composite/sobjects/{object}/{field}", calls.collection),
            self._route("GET", "/query", calls.query),
            self._route("GET", "/query/{locator}", calls.query_more),
            self._route("POST", "/jobs/ingest", calls.create_job),
            self._route("GET", "/jobs/ingest", calls.list_jobs),
            self._route("GET", job, calls.job),
            self._route("PATCH", job, calls.close_job),
            self._route("DELETE", job, calls.delete_job),
            self._route("PUT", f"{job}/batches", calls.upload),
            self._route("GET", f"{job}/{{which}}", calls.job_results),
            self._route("GET", f"{job}/{{which}}/", calls.job_results),
        ]

    def refused(self, scope: Scope) -> Answer | None:
        """The answer to a token that is none, or has ended."""
        if scope["path"] == "/services/oauth2/token" or self._sign_in.is_valid(_token_of(scope)):
            return None
        return self.worded(401, scope["path"], {})

    def worded(self, status: int, path: str, details: Mapping[str, Any]) -> Answer:  # noqa: ARG002 - worded alike at all
        """An error as Salesforce words it; ``details`` may have another code and message."""
        code, message = _WORDED.get(status, ("UNKNOWN_EXCEPTION", "answered by a sandbox fault"))
        error = RequestError(status, details.get("code", code), details.get("message", message))
        return Answer(status, [*JSON, *self._limit_header()], bytes(error.answer().body))

    def records(self) -> Mapping[str, Iterable[Record]]:
        """Records by object, deleted ones included, and jobs."""
        held = {table.sobject.name: table.records() for table in self._org if table.sobject.writable}
        return {**held, "jobs": (job.as_json() for job in self._jobs.by_id.values())}

    def counts(self) -> Mapping[str, Any]:
        """Live records by object, jobs, calls and sessions."""
        held = {table.sobject.name: len(table) for table in self._org if table.sobject.writable}
        used = {"calls_used": self._org.calls_used(), "tokens_issued": self._sign_in.count}
        return {**held, "jobs": len(self._jobs.by_id), **used}

    def put(self, kind: str, record: Record) -> Record:
        """A record of an object, as a collection's record has it.

        Raises:
            ValueError: It would be refused.
        """
        try:
            table = self._org.table(kind, writes=True)
        except RequestError as error:
            raise ValueError(error.message) from None
        outcome = write(table, "insert", rows_of(self._org, table, [record]), None, self._org.now())
        if outcome.errors[0] is not None:
            raise ValueError(outcome.errors[0].message)
        return table.record(outcome.places[0])

    def forget(self) -> None:
        """A new org without sessions."""
        self._org.clear()
        self._jobs.clear()
        self._sign_in.clear()

    def _route(self, method: str, path: str, call: Call) -> Route:
        return Route(_DATA + path, self._endpoint(call), methods=[method])

    async def _token(self, request: Request) -> Response:
        return self._sign_in.token(await request.body(), str(request.base_url).rstrip("/"))

    def _endpoint(self, call: Call) -> Responder:
        async def endpoint(request: Request) -> Response:
            try:
                if "version" in request.path_params:
                    version = _VERSION.fullmatch(request.path_params["version"])
                    if version is None or not OLDEST <= int(version[1]) <= NEWEST:
                        raise not_found()
                self._refuse_by_fault(request)
                self._org.count_call()
                body = await request.body()
                if self.settings.work_s:
                    await self._work(request, body)
                response = call(request, body)
            except RequestError as error:
                response = error.answer()
            response.headers["sforce-limit-info"] = self._org.limit_info()
            return response

        return endpoint

    async def _work(self, request: Request, body: bytes) -> None:
        """Takes the time that a call takes, the parents of its records locked meanwhile."""
        parents = self._calls.parents(request, body)
        request.scope["sandbox.locked"] = self._in_flight.hold(parents)
        try:
            await asyncio.sleep(self.settings.work_s)
        finally:
            self._in_flight.release(parents)

    def _refuse_by_fault(self, request: Request) -> None:
        """Refuses a request as a fault wants it.

        Raises:
            RequestError: There is such a fault.
        """
        fault = own_fault(request, *_FAULTS_OF_A_REQUEST)
        match None if fault is None else fault.own:
            case "session_expired":
                self._sign_in.revoke(_token_of(request.scope))
                raise RequestError(401, *_WORDED[401])
            case "not_expiry":
                raise RequestError(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API")
            case "concurrent_limit":
                raise RequestError(403, *_WORDED[403])
            case "api_disabled":
                raise RequestError(403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner")
            case "day_limit":
                self._org.use_up()

    def _limit_header(self) -> list[tuple[bytes, bytes]]:
        return [(b"sforce-limit-info", self._org.limit_info().encode())]


def _token_of(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, token = given.decode("latin-1").partition(" ")
    return token if scheme in ("Bearer", "OAuth") else ""


STANDIN = Salesforce
