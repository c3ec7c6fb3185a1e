"""Moto's S3 server on a port of its own: real requests of s3fs, a bucket that everybody may use."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

BUCKET = "company"


@dataclass(frozen=True, slots=True)
class RunningS3:
    """The server.

    Attributes:
        endpoint: Its URL.
    """

    endpoint: str

    def env(self, folder: str) -> dict[str, str]:
        """What a process needs to share a folder of the bucket."""
        return {
            "REVERSE_ETL_STORAGE_URL": f"s3://{BUCKET}/{folder}",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextmanager
def running_s3() -> Iterator[RunningS3]:
    """A server with an empty bucket, until the block ends."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
        )
        client.create_bucket(Bucket=BUCKET)
        yield RunningS3(endpoint)
    finally:
        server.stop()
