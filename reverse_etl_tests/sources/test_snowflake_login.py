"""Snowflake: who logs in, what the settings may be, what errors say, and what the documentation shows."""

from __future__ import annotations

import re
import select
import socket
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from snowflake.connector import errors as driver

from reverse_etl.changeset.columns import require_columns
from reverse_etl.changeset.query import render
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.inline import parse_database, parse_sync
from reverse_etl.config.loader import load_project
from reverse_etl.errors import ConfigError, ConfigProblemsError, QueryError, SourceError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources.snowflake import Config
from reverse_etl.sources.snowflake.errors import Messages
from reverse_etl.sources.snowflake.login import endpoint_of
from reverse_etl_tests.dialects import DIALECTS as SPOKEN
from reverse_etl_tests.servers.snowflake import (
    KEY_VARIABLE,
    PASSPHRASE_VARIABLE,
    PASSWORD_VARIABLE,
    TOKEN_VARIABLE,
    SnowflakeServer,
)
from reverse_etl_tests.sources.test_snowflake import rows, settings_of

PAGE = Path(__file__).parents[2] / "docs" / "databases" / "snowflake.md"
LOGIN = {"type": "snowflake", "account": "acme-shop", "user": "SYNC"}


@pytest.mark.parametrize(
    "login",
    [
        {"password": Secret(f"${{{PASSWORD_VARIABLE}}}")},
        {"private_key": Secret(f"${{{KEY_VARIABLE}}}")},
        {"private_key_file": "file", "private_key_passphrase": Secret(f"${{{PASSPHRASE_VARIABLE}}}")},
        {"oauth_token": Secret(f"${{{TOKEN_VARIABLE}}}")},
    ],
)
def test_each_way_to_log_in_works(snowflake: SnowflakeServer, login: dict[str, Any]) -> None:
    """The service checks the password, the key's signature, or the token."""
    if "private_key_file" in login:
        login = login | {"private_key_file": snowflake.key_file}
    with connect(settings_of(snowflake, **({"password": None} | login))) as session:
        assert rows(session, "SELECT CURRENT_ROLE() AS role") == [{"ROLE": "SYNC_READER"}]


def test_a_key_on_one_line_is_read(snowflake: SnowflakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some places that keep secrets take no line ends."""
    monkeypatch.setenv("ONE_LINE", snowflake.open_key.replace("\n", "\\n"))
    with connect(settings_of(snowflake, password=None, private_key=Secret("${ONE_LINE}"))) as session:
        assert rows(session, "SELECT 1 AS one") == [{"ONE": 1}]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "the key of user SYNC was refused"),
        (ed25519.Ed25519PrivateKey.generate(), "is not a private key that Snowflake takes"),
    ],
)
def test_another_key_is_refused(
    snowflake: SnowflakeServer, monkeypatch: pytest.MonkeyPatch, key: Any, said: str
) -> None:
    """By Snowflake where it is of a kind that it takes, here otherwise."""
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    monkeypatch.setenv("OTHER_KEY", pem.decode())

    with (
        pytest.raises(SourceUnavailableError, match=said) as refused,
        connect(settings_of(snowflake, password=None, private_key=Secret("${OTHER_KEY}"))),
    ):
        pass

    assert "${OTHER_KEY}" in refused.value.message + refused.value.hint
    assert pem.decode().splitlines()[1] not in str(refused.value)


def test_a_passphrase_too_many_is_an_error(snowflake: SnowflakeServer) -> None:
    """The key has none."""
    login = {"private_key": Secret(f"${{{KEY_VARIABLE}}}"), "private_key_passphrase": Secret(f"${{{TOKEN_VARIABLE}}}")}
    with (
        pytest.raises(SourceUnavailableError, match="has no passphrase"),
        connect(settings_of(snowflake, password=None, **login)),
    ):
        pass


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "needs one of password, private_key, private_key_file, oauth_token"),
        (
            {"password": "${P}", "oauth_token": "${T}"},
            "oauth_token: only one of password and oauth_token can be used",
        ),
        (
            {"password": "${P}", "private_key_passphrase": "${T}"},
            "private_key_passphrase: belongs to private_key or private_key_file",
        ),
        ({"password": "secret"}, "password: a secret is never written in a file"),
        (
            {"password": "${P}", "account": "https://acme-shop.snowflakecomputing.com"},
            "account: write only the account's part of the address",
        ),
        ({"password": "${P}", "protocol": "http"}, "protocol: must be https"),
        ({"password": "${P}", "protocol": "http", "host": "db.example.com"}, "protocol: must start with https://"),
        ({"password": "${P}", "schemaa": "X"}, "schemaa: unknown key; did you mean `schema`?"),
    ],
)
def test_settings_that_do_not_go_together_are_a_problem(keys: dict[str, Any], said: str) -> None:
    """At once, without a connection."""
    with pytest.raises(ConfigProblemsError) as refused:
        parse_database("warehouse", LOGIN | keys)

    assert said in str(refused.value)


def test_http_to_elsewhere_is_refused_when_the_variable_is_known(
    snowflake: SnowflakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the file could not tell."""
    monkeypatch.setenv("ELSEWHERE", "db.example.com")
    config = settings_of(snowflake, host=EnvText("${ELSEWHERE}"))

    with pytest.raises(ConfigError, match="protocol: must start with https://"), connect(config):
        pass


def test_the_address_follows_from_the_account() -> None:
    """Unless another one is named."""
    config = parse_database("warehouse", LOGIN | {"account": "xy12345.eu-central-1", "password": "${P}"})
    assert isinstance(config, Config)
    endpoint = endpoint_of(config)

    assert (endpoint.host, endpoint.port) == ("xy12345.eu-central-1.snowflakecomputing.com", 443)
    assert endpoint.login == "user SYNC, account xy12345.eu-central-1"
    assert endpoint.tls == "verify-full"


def test_a_column_in_capitals_is_shown_with_its_quotes(snowflake: SnowflakeServer) -> None:
    """What the result has, and the AS that mends it; before a run already where the text tells."""
    sync = {"database": "shop", "workspace": "main", "schedule": "manual", "people": {}}
    made = parse_sync("customers", sync | {"query": "SELECT * FROM planted"})
    with connect(settings_of(snowflake)) as session:
        (batch,) = session.stream("SELECT 7 AS id, 'pro' AS plan")

    with pytest.raises(ConfigError) as refused:
        require_columns(batch.schema.names, made, made.stream("rows"), dialect=SPOKEN["snowflake"])

    assert refused.value.hint == 'Column names are case-sensitive: name "ID" with AS "id".'


def messages() -> Messages:
    """Of a connection whose queries may take a minute."""
    names = ("account", "user", "host", "port", "role", "warehouse", "database", "schema", "secret", "method")
    return Messages("database shop (snowflake)", {name: f"<{name}>" for name in names}, timedelta(minutes=1))


@pytest.mark.parametrize(
    ("number", "text", "kind", "said", "hint"),
    [
        (904, "SQL compilation error: error line 3 at position 9\ninvalid identifier 'X'", QueryError,
         "invalid identifier 'X' (line 3)", "double quotes"),
        (1003, "SQL compilation error:\nsyntax error line 1 at position 7 unexpected 'FORM'.", QueryError,
         "syntax error unexpected 'FORM'", "Snowsight"),
        (2003, "SQL compilation error:\nObject 'A{B}' does not exist or not authorized.", QueryError,
         "Object 'A{B}' does not exist", "GRANT SELECT ON TABLE A{B} TO ROLE <role>"),
        (1789, "SQL compilation error: something rare", QueryError, "something rare", "tables and columns"),
        (90105, "Cannot perform SELECT. This session does not have a current database.", QueryError,
         "does not have a current database", "`database`"),
        (100038, "Numeric value 'planted' is not recognized", QueryError, "stopped the query (100038)", "Snowsight"),
        (608, "Warehouse cannot be resumed", QueryError, "warehouse <warehouse> cannot be resumed", "resource monitor"),
        (390114, "Authentication token has expired.", SourceUnavailableError, "connection was lost", "again"),
        (252013, "Incomplete result", SourceUnavailableError, "without all its rows", "again"),
        (250003, "Failed to execute request", SourceUnavailableError, "connection was lost", "again"),
    ],
)  # fmt: skip
def test_a_refusal_is_worded_by_its_number(
    number: int, text: str, kind: type[SourceError], said: str, hint: str
) -> None:
    """The service's own text only where it cannot quote a row."""
    found = messages().refused(driver.ProgrammingError(msg=text, errno=number), began=time.monotonic())

    assert (type(found), said in found.message, hint in found.hint) == (kind, True, True)
    assert "planted" not in str(found)


def test_what_takes_too_long_is_a_timeout() -> None:
    """Also where the connector only says that something broke off, at the end of the time."""
    long_ago = time.monotonic() - 60
    for error in (
        driver.ProgrammingError(msg="x", errno=604),
        driver.OperationalError(msg="x", errno=250003),
        OSError(),
    ):
        assert "did not end within query_timeout (1m)" in messages().refused(error, began=long_ago).message


def examples(language: str) -> list[str]:
    """The page's fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_connections_in_the_documentation_are_valid(tmp_path: Path) -> None:
    """Each block, as the file that it would be."""
    found: dict[str, DatabaseConfig] = {}
    for number, block in enumerate(examples("yaml")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "connections.yaml").write_text(block)
        found |= load_project(folder).databases

    assert {name: type(config) for name, config in found.items()} == dict.fromkeys(
        ("warehouse", "with_a_token", "private_link"), Config
    )


def test_the_sql_in_the_documentation_works(snowflake: SnowflakeServer) -> None:
    """The user that it makes logs in with the key, only reads, and the query selects what changed."""
    statements, query, _ = examples("sql")
    with snowflake.admin() as admin:
        admin.execute(
            "CREATE TABLE customers (id INT, email TEXT, plan TEXT, created_at DATE, updated_at TIMESTAMP_NTZ)"
        )
        for day in range(1, 5):
            admin.execute(
                f"INSERT INTO customers VALUES ({day}, 'a@example.com', 'pro', '2024-01-01', '2024-01-0{day}')"
            )
        for statement in statements.replace("MIIBIjANBgkqh...", snowflake.public_key).split(";\n"):
            if statement.strip():
                admin.execute(statement)

    names = {"user": "CUSTOMERIO_READER", "role": "CUSTOMERIO_READER", "warehouse": "CUSTOMERIO_WH"}
    login = {"password": None, "private_key": Secret(f"${{{KEY_VARIABLE}}}")}
    since = 1_704_240_000  # 2024-01-03T00:00:00Z
    with connect(settings_of(snowflake, **login, **{key: EnvText(name) for key, name in names.items()})) as session:
        assert session.read_only()
        found = pa.Table.from_batches(session.stream(render(query, since)))

    assert found.column_names == ["id", "email", "plan", "created_at"]
    assert sorted(found.column("id").to_pylist()) == [3, 4]


@pytest.mark.thorough
def test_a_server_that_answers_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connector waits for as long as something comes; the wait for a login has an end of its own."""
    monkeypatch.setenv(PASSWORD_VARIABLE, "any")
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_answer_without_end, args=(server,), daemon=True).start()
        here = {"host": "127.0.0.1", "port": server.getsockname()[1], "protocol": "http", "query_timeout": "1s"}
        config = parse_database("warehouse", LOGIN | here | {"password": f"${{{PASSWORD_VARIABLE}}}"})
        began = time.monotonic()
        with pytest.raises(SourceUnavailableError, match=r"127\.0\.0\.1 port \d+ does not answer"), connect(config):
            pass
    assert 30 > time.monotonic() - began


def _answer_without_end(server: socket.socket) -> None:
    with suppress(OSError), server.accept()[0] as client:
        client.recv(1 << 16)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            client.sendall(b" ")
            select.select([], [], [], 0.05)
