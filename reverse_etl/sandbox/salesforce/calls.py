"""What each call does. The addresses of the calls are in ``standin``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer, own_fault
from reverse_etl.sandbox.exact_json import dumps, loads
from reverse_etl.sandbox.salesforce import composite, locks, single, soql
from reverse_etl.sandbox.salesforce.jobs import Jobs
from reverse_etl.sandbox.salesforce.org import Org
from reverse_etl.sandbox.salesforce.problems import RequestError
from reverse_etl.sandbox.salesforce.sign_in import SignIn
from reverse_etl.sandbox.salesforce.writing import Operation

Call = Callable[[Request, bytes], Response]
Responder = Callable[[Request], Awaitable[Response]]
_LONGEST_URL = 16_384
_COLLECTIONS: dict[str, Operation] = {"POST": "insert", "PATCH": "update"}
_WRITE_FAULTS = (*locks.OWN_FAULTS, "missing_results")


class Calls:
    """The calls on one org. Each takes the request and its body."""

    def __init__(self, org: Org, jobs: Jobs, sign_in: SignIn) -> None:
        self._org = org
        self._jobs = jobs
        self._sign_in = sign_in
        self._pages: dict[str, tuple[soql.Query, int]] = {}
        self.single: dict[str, Call] = {"GET": self._read, "PATCH": self._change, "DELETE": self._delete}

    def identity(self, request: Request, _body: bytes) -> Response:
        """Whose the token is."""
        return json_answer(200, self._sign_in.identity(str(request.base_url).rstrip("/")))

    def versions(self, _request: Request, _body: bytes) -> Response:
        """The versions that there are."""
        numbers = range(46, 69)
        return json_answer(
            200, [{"label": f"Release {n}", "url": f"/services/data/v{n}.0", "version": f"{n}.0"} for n in numbers]
        )

    def limits(self, _request: Request, _body: bytes) -> Response:
        """What is left of the day."""
        most = self._org.settings.calls_a_day
        daily = {"Max": most, "Remaining": max(0, most - self._org.calls_used())}
        batches = {"Max": 15_000, "Remaining": 15_000}
        return json_answer(200, {"DailyApiRequests": daily, "DailyBulkApiBatches": batches})

    def objects(self, request: Request, _body: bytes) -> Response:
        """All objects."""
        version = _version(request)
        told = [table.sobject.summary(version) for table in self._org]
        return json_answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": told})

    def describe(self, request: Request, _body: bytes) -> Response:
        """One object with its fields."""
        return json_answer(200, self._org.table(request.path_params["object"]).sobject.describe(_version(request)))

    def create(self, request: Request, body: bytes) -> Response:
        """A new record."""
        return single.create(
            self._org, request.path_params["object"], _object(body), own_fault(request, *_WRITE_FAULTS)
        )

    def collection(self, request: Request, body: bytes) -> Response:
        """Records made, or changed by their ids or by an external id."""
        asked = self._asked(request, body)
        request.scope["sandbox.items"] = len(asked.records)
        locked = request.scope.get("sandbox.locked", set())
        saves = "allowsave=true" in request.headers.get("sforce-duplicate-rule-header", "").lower().replace(" ", "")
        return composite.write_collection(
            self._org, asked, locked, own_fault(request, *_WRITE_FAULTS), saves_duplicates=saves
        )

    def delete_collection(self, request: Request, _body: bytes) -> Response:
        """Records deleted by their ids."""
        if len(str(request.url)) > _LONGEST_URL:
            raise RequestError(414, "URI_TOO_LONG", "The URI is too long")
        asked = request.query_params
        fault = own_fault(request, *_WRITE_FAULTS)
        return composite.delete_collection(self._org, asked.get("ids", ""), asked.get("allOrNone", "false"), fault)

    def query(self, request: Request, _body: bytes) -> Response:
        """The first page of a query."""
        if len(str(request.url)) > _LONGEST_URL:
            raise RequestError(414, "URI_TOO_LONG", "The URI is too long")
        return self._page(request, soql.parsed(request.query_params.get("q", "")), 0)

    def query_more(self, request: Request, _body: bytes) -> Response:
        """A further page."""
        held = self._pages.get(request.path_params["locator"])
        if held is None:
            raise RequestError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(request, *held)

    def create_job(self, request: Request, body: bytes) -> Response:
        """A new job."""
        return json_answer(200, self._jobs.create(_object(body), _version(request)).as_json())

    def list_jobs(self, _request: Request, _body: bytes) -> Response:
        """All jobs, without a step further."""
        told = [job.as_json() for job in self._jobs.by_id.values()]
        return json_answer(200, {"done": True, "nextRecordsUrl": None, "records": told})

    def job(self, request: Request, _body: bytes) -> Response:
        """A job, one step further."""
        return json_answer(200, self._jobs.poll(self._jobs.get(request.path_params["job"])).as_json())

    def close_job(self, request: Request, body: bytes) -> Response:
        """Closes or aborts a job."""
        job = self._jobs.get(request.path_params["job"])
        fault = own_fault(request, *locks.OWN_FAULTS, "job_fails", "job_miscounts")
        self._jobs.close(job, _object(body).get("state"), fault)
        return json_answer(200, job.as_json())

    def delete_job(self, request: Request, _body: bytes) -> Response:
        """Forgets a job."""
        self._jobs.delete(self._jobs.get(request.path_params["job"]))
        return Response(status_code=204)

    def upload(self, request: Request, body: bytes) -> Response:
        """Gives a job its CSV."""
        if not request.headers.get("content-type", "").startswith("text/csv"):
            raise RequestError(415, "UNSUPPORTED_MEDIA_TYPE", "The content type of a CSV is text/csv")
        self._jobs.upload(self._jobs.get(request.path_params["job"]), body)
        return Response(status_code=201)

    def job_results(self, request: Request, _body: bytes) -> Response:
        """One of the three results of a job."""
        found = self._jobs.results(self._jobs.get(request.path_params["job"]), request.path_params["which"])
        return Response(found, 200, {"content-type": "text/csv; charset=UTF-8"})

    def _read(self, request: Request, _body: bytes) -> Response:
        addressed = single.Addressed(self._org, _version(request), request.path_params, writes=False)
        return single.read(addressed, _version(request), request.query_params.get("fields"))

    def _change(self, request: Request, body: bytes) -> Response:
        addressed = single.Addressed(self._org, _version(request), request.path_params, writes=True)
        update_only = request.query_params.get("updateOnly", "").lower() == "true"
        fault = own_fault(request, *_WRITE_FAULTS)
        return single.change(self._org, addressed, _object(body), fault, update_only=update_only)

    def _delete(self, request: Request, _body: bytes) -> Response:
        addressed = single.Addressed(self._org, _version(request), request.path_params, writes=True)
        return single.delete(self._org, addressed, own_fault(request, *_WRITE_FAULTS))

    def parents(self, request: Request, body: bytes) -> set[str]:
        """The ids of the records that a collection refers to; none of another call, or where it will be refused."""
        if request.method not in _COLLECTIONS or "/composite/sobjects" not in request.url.path:
            return set()
        try:
            asked = self._asked(request, body)
            return locks.parents_of(asked.table, asked.rows(self._org))
        except RequestError:
            return set()

    def _asked(self, request: Request, body: bytes) -> composite.Collection:
        path = request.path_params
        upsert_by = (path["object"], path["field"]) if "field" in path else None
        operation = "upsert" if upsert_by else _COLLECTIONS[request.method]
        return composite.collection(self._org, operation, _object(body), upsert_by)

    def _page(self, request: Request, query: soql.Query, start: int) -> Response:
        table, places, show = soql.run(self._org, query)
        end = start + self._org.settings.query_page_rows
        base = f"/services/data/{request.path_params['version']}"
        name = table.sobject.name
        records: list[dict[str, Any]] = [
            {"attributes": {"type": name, "url": f"{base}/sobjects/{name}/{table.id_at(place)}"}, **show(place)}
            for place in places[start:end]
        ]
        told: dict[str, Any] = {"totalSize": len(places), "done": end >= len(places), "records": records}
        if end < len(places):
            locator = f"01gSb0000000{len(self._pages):03d}-{end}"
            self._pages[locator] = (query, end)
            told["nextRecordsUrl"] = f"{base}/query/{locator}"
        return Response(dumps(told), 200, {"content-type": "application/json;charset=UTF-8"})


def _version(request: Request) -> str:
    return str(request.path_params["version"]).removeprefix("v")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise RequestError(400, "JSON_PARSER_ERROR", "The body is no JSON object")
    return found
