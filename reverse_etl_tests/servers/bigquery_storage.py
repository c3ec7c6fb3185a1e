"""A stand-in for BigQuery's Storage Read API, beside the REST one: gRPC over TLS, one stream, Arrow batches.

It needs google-cloud-bigquery-storage for its messages, so it is imported where it is used.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc  # type: ignore[import-untyped,unused-ignore]
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types  # type: ignore[import-not-found,import-untyped,unused-ignore]

from reverse_etl_tests.servers._bigquery_jobs import Job
from reverse_etl_tests.servers._bigquery_sql import RefusedError, natural
from reverse_etl_tests.servers.bigquery import NO_STORAGE, BigqueryServer

SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"


@dataclass(slots=True)
class StorageServer:
    """A running stand-in.

    Attributes:
        url: As ``storage_endpoint`` takes it.
        sessions: Tables that read sessions were made for.
        batches: How many were sent.
        stopped: Set when a client left before the end.
        silent: While set, no batch after the first is sent.
        broken: While set, streams end with an error after the first batch.
    """

    rest: BigqueryServer
    url: str = ""
    sessions: list[str] = field(default_factory=list)
    batches: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    silent: threading.Event = field(default_factory=threading.Event)
    broken: threading.Event = field(default_factory=threading.Event)

    def create(self, request: Any, context: grpc.ServicerContext) -> Any:
        """CreateReadSession."""
        self._authorize(context)
        assert request.read_session.data_format == types.DataFormat.ARROW
        assert request.max_stream_count == 1
        job = self._job(request.read_session.table)
        self.sessions.append(request.read_session.table)
        schema = next(natural(_one_row(job), job.analyzed.fields)).schema.serialize().to_pybytes()
        streams = [types.ReadStream(name=f"{job.id}/streams/0")] if job.rows else []
        return types.ReadSession(name=job.id, arrow_schema={"serialized_schema": schema}, streams=streams)

    def read(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """ReadRows."""
        self._authorize(context)
        job = self.rest.jobs.begun[request.read_stream.partition("/")[0]]
        context.add_callback(self.stopped.set)
        assert job.rows is not None
        for number, batch in enumerate(natural(job.rows, job.analyzed.fields)):
            while number and self.silent.is_set() and context.is_active():
                threading.Event().wait(0.01)
            if number and self.broken.is_set():
                context.abort(grpc.StatusCode.INTERNAL, "the stream broke")
            content = batch.serialize().to_pybytes()
            self.batches += 1
            yield types.ReadRowsResponse(
                row_count=batch.num_rows, arrow_record_batch={"serialized_record_batch": content}
            )

    def _authorize(self, context: grpc.ServicerContext) -> None:
        """A token of our own, or a JWT that the account signed itself: clients of gRPC need no token."""
        token = dict(context.invocation_metadata())["authorization"].removeprefix("Bearer ")
        try:
            account = self.rest.claims(token)["iss"] if token.count(".") == 2 else self.rest.account(token)
        except RefusedError as error:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, error.message)
        if account == NO_STORAGE:
            message = "request failed: the user does not have 'bigquery.readsessions.create' permission"
            context.abort(grpc.StatusCode.PERMISSION_DENIED, message)

    def _job(self, table: str) -> Job:
        return self.rest.jobs.begun[table.rpartition("/anon_")[2]]


def _one_row(job: Job) -> pa.Table:
    """Any row, for the schema."""
    assert job.rows is not None
    return job.rows.slice(0, 1)


@contextmanager
def storage_server(rest: BigqueryServer) -> Iterator[StorageServer]:
    """Starts the stand-in and stops it again."""
    server = StorageServer(rest)
    handlers = {
        "CreateReadSession": grpc.unary_unary_rpc_method_handler(
            server.create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
        ),
        "ReadRows": grpc.unary_stream_rpc_method_handler(
            server.read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
        ),
    }
    running = grpc.server(futures.ThreadPoolExecutor(4))
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    key = rest.certificate.private_key_pem.bytes()
    chain = b"".join(part.bytes() for part in rest.certificate.cert_chain_pems)
    port = running.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    running.start()
    server.url = f"https://localhost:{port}"
    try:
        yield server
    finally:
        running.stop(None).wait()
