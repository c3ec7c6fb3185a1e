"""Redshift's ways to log in: what may be configured, and passwords lent by a stand-in for AWS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from reverse_etl.config.environment import EnvText
from reverse_etl.errors import SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources.redshift import Config
from reverse_etl.sources.redshift.engine import IamConfig
from reverse_etl_tests.servers.redshift import DATABASE, IAM_USER, PASSWORD, USER, RedshiftServer

_XML = "http://redshift.amazonaws.com/doc/2012-12-01/"

Answer = tuple[int, str]


class Aws:
    """What answers instead of AWS.

    Attributes:
        asked: One request each: its fields, or its target and JSON.
        answer: Status and body of the next answers.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer: Answer = (200, "")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    """The stand-in, which the AWS library finds by its usual variables; no other credentials are found."""
    stand_in = Aws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            fields = {name: values[0] for name, values in parse_qs(body).items()}
            target = self.headers.get("X-Amz-Target")
            signed = self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDTEST/")
            stand_in.asked.append(({"target": target, "json": body} if target else fields) | {"signed": str(signed)})
            status, answer = stand_in.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    variables = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "AKIDTEST",
        "AWS_SECRET_ACCESS_KEY": "planted-aws-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield stand_in
    server.shutdown()
    thread.join()
    server.server_close()


def lent(user: str, password: str) -> Answer:
    """GetClusterCredentials' answer."""
    inner = f"<DbUser>{user}</DbUser><DbPassword>{password}</DbPassword><Expiration>2030-01-01T00:00:00Z</Expiration>"
    result = f"<GetClusterCredentialsResult>{inner}</GetClusterCredentialsResult>"
    return 200, f'<GetClusterCredentialsResponse xmlns="{_XML}">{result}</GetClusterCredentialsResponse>'


def denied(code: str) -> Answer:
    """AWS's way to say no."""
    inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>planted</Message></Error>"
    return 400, f'<ErrorResponse xmlns="{_XML}">{inner}</ErrorResponse>'


def by_iam(server: RedshiftServer, iam: dict[str, str], **changed: Any) -> Config:
    """A connection whose password AWS lends."""
    settings: dict[str, Any] = {
        "name": "warehouse",
        "host": EnvText(server.host),
        "port": server.port,
        "database": EnvText(DATABASE),
        "ca_file": server.ca_file,
        "iam": iam,
    }
    return Config(**(settings | changed))


def test_a_cluster_lends_a_password_for_a_user(redshift: RedshiftServer, aws: Aws) -> None:
    """The user is called IAM:name then, and the request is signed and creates no user."""
    aws.answer = lent(IAM_USER, PASSWORD)
    config = by_iam(redshift, {"cluster_identifier": "analytics", "region": "eu-west-1"}, user=EnvText(USER))

    with connect(config) as session:
        (batch,) = session.stream("SELECT current_user::varchar AS u")

    assert batch.to_pylist() == [{"u": IAM_USER}]
    (asked,) = aws.asked
    assert asked.pop("signed") == "True"
    assert asked == {
        "Action": "GetClusterCredentials",
        "Version": "2012-12-01",
        "ClusterIdentifier": "analytics",
        "DbUser": USER,
        "DbName": DATABASE,
        "DurationSeconds": "900",
        "AutoCreate": "false",
    }


def test_a_workgroup_lends_a_user_and_a_password(redshift: RedshiftServer, aws: Aws) -> None:
    """Serverless: who we are to AWS decides which user that is."""
    aws.answer = (200, f'{{"dbUser": "{IAM_USER}", "dbPassword": "{PASSWORD}", "expiration": 1893456000}}')

    with connect(by_iam(redshift, {"workgroup": "reporting", "region": "eu-west-1"})) as session:
        assert next(session.stream("SELECT 1 AS one")).num_rows == 1

    (asked,) = aws.asked
    assert asked["target"] == "RedshiftServerless.GetCredentials"
    assert '"workgroupName": "reporting"' in asked["json"]


def test_a_lent_password_that_is_refused_is_an_error(redshift: RedshiftServer, aws: Aws) -> None:
    """By the user as AWS calls it, without the password."""
    aws.answer = lent(IAM_USER, "planted-lent-password")
    config = by_iam(redshift, {"cluster_identifier": "analytics", "region": "eu-west-1"}, user=EnvText(USER))

    with pytest.raises(SourceUnavailableError, match="of user IAM:customerio_reader was") as refused, connect(config):
        pass

    assert "planted" not in str(refused.value)


def _without_credentials(patch: pytest.MonkeyPatch) -> None:
    patch.delenv("AWS_ACCESS_KEY_ID")
    patch.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.mark.parametrize(
    ("iam", "answer", "change", "said", "fix"),
    [
        ({"region": "eu-west-1"}, denied("AccessDenied"), None, "AccessDenied", "redshift:GetClusterCredentials"),
        ({"region": "eu-west-1"}, denied("ClusterNotFound"), None, "ClusterNotFound", "name, region"),
        ({"region": "eu-west-1"}, (200, ""), _without_credentials, "no AWS credentials here", "iam.profile"),
        ({"region": "eu-west-1", "profile": "none"}, (200, ""), None, "no such profile", "iam.profile"),
        ({}, (200, ""), None, "no AWS region", "iam.region"),
        (
            {"region": "eu-west-1"},
            (200, ""),
            lambda patch: patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            "cannot be asked",
            "the way to AWS",
        ),
    ],
)
def test_why_aws_lends_nothing_is_reported(
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    iam: dict[str, str],
    answer: Answer,
    change: Callable[[pytest.MonkeyPatch], None] | None,
    said: str,
    fix: str,
) -> None:
    """Each reason with its fix; AWS's own text and the keys stay out of it."""
    aws.answer = answer
    if change is not None:
        change(monkeypatch)
    config = Config(
        name="warehouse",
        host=EnvText("127.0.0.1"),
        database=EnvText(DATABASE),
        user=EnvText(USER),
        iam=IamConfig.model_validate({"cluster_identifier": "analytics"} | iam),
    )

    with pytest.raises(SourceUnavailableError, match=said) as refused, connect(config):
        pass

    assert fix in refused.value.hint
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"user": "r"}, "exactly one of `password` and `iam`"),
        ({"user": "r", "password": "${X}", "iam": {"workgroup": "w"}}, "exactly one of `password` and `iam`"),
        ({"password": "${X}"}, "the database user to log in as"),
        ({"iam": {"cluster_identifier": "c"}}, "the database user to log in as"),
        ({"user": "r", "iam": {"workgroup": "w"}}, "leave it out"),
        ({"user": "r", "iam": {"region": "eu-west-1"}}, "exactly one of `cluster_identifier`"),
        ({"user": "r", "iam": {"cluster_identifier": "c", "workgroup": "w"}}, "exactly one of `cluster_identifier`"),
        ({"iam": {"workgroup": "w"}, "tls": "disable"}, "must not be disable with iam"),
    ],
)
def test_there_is_exactly_one_way_to_log_in(keys: dict[str, Any], said: str) -> None:
    """What does not go together is a problem by key, all of it at once."""
    with pytest.raises(ValidationError) as refused:
        Config.model_validate({"type": "redshift", "host": "h", "database": "d"} | keys)

    assert said in str(refused.value)
