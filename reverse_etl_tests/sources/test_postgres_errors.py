"""What libpq says while logging in, in words that help; for reasons that a test server cannot bring about."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from reverse_etl.sources.postgres.errors import Messages, condition

FACTS = {"host": "db", "port": "5432", "user": "reader", "database": "shop", "password": "the value of ${P}"}
MESSAGES = Messages("database shop (postgres)", FACTS, timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "said", "fix"),
    [
        ('FATAL:  role "reader" is not permitted to log in', "user reader may not log in", "LOGIN"),
        ('FATAL:  role "reader" does not exist', "there is no user reader", "`user`"),
        ('FATAL:  permission denied for database "shop"', "may not use database shop", "GRANT CONNECT"),
        ("FATAL:  sorry, too many clients already", "no connection left", "limit"),
        ("FATAL:  the database system is starting up", "starting, stopping or recovering", "minute"),
        ("server does not support SSL, but SSL was required", "does not speak TLS", "tls: disable"),
        ("connection timeout expired", "db port 5432 does not answer", "firewalls"),
        (
            """Multiple connection attempts failed. All failures were:
- host: 'db', hostaddr: '::1': Connection refused
- host: 'db', hostaddr: '127.0.0.1': FATAL:  password authentication failed for user "reader\"""",
            "the password of user reader was refused",
            "${P}",
        ),
    ],
)
def test_reasons_for_no_login(text: str, said: str, fix: str) -> None:
    """The most telling reason, where several addresses failed."""
    error = MESSAGES.login(psycopg.OperationalError(text))

    assert said in error.message
    assert fix in error.hint


def test_an_unknown_reason_is_passed_on_in_one_line() -> None:
    """A server in another language, say: its words are better than none."""
    error = MESSAGES.login(psycopg.OperationalError("connection failed: FATAL:\n  Passwort-Authentifizierung"))

    assert error.message == "database shop (postgres): no connection: FATAL: Passwort-Authentifizierung."


def test_conditions_have_names() -> None:
    """Of SQLSTATEs that PostgreSQL defines; extensions define others."""
    assert condition("22012") == "division by zero"
    assert condition("ZZ999") == "error"
