"""What MySQL says, in words that help; for reasons that a test server cannot be brought to give."""

from __future__ import annotations

import errno
import ssl
from datetime import timedelta

import pytest

from reverse_etl.errors import QueryError, SourceUnavailableError
from reverse_etl.sources.mysql.errors import Messages
from reverse_etl.sources.mysql.wire import Refused

FACTS = {"host": "db", "port": "3306", "user": "reader", "database": "shop", "password": "the value of ${P}"}
MESSAGES = Messages("database shop (mysql)", FACTS, timedelta(hours=1))


@pytest.mark.parametrize(
    ("refused", "said", "fix"),
    [
        (Refused(1049, "Unknown database 'shop'"), "there is no database shop", "`database`"),
        (Refused(1045, "Access denied for user 'reader'@'h' (using password: YES)"), "password was refused", "${P}"),
        (Refused(1226, "User 'reader' has exceeded"), "used up what the server grants", "limits"),
        (Refused(1862, "Your password has expired."), "the password of user reader has expired", "environment"),
        (Refused(3118, "Access denied for user 'reader'@'h'. Account is locked."), "user reader is locked", "UNLOCK"),
        (Refused(3159, "Connections using insecure transport are prohibited"), "no unencrypted connection", "tls"),
        (Refused(2003, "Can't connect", ssl.SSLError(1, "wrong version")), "no encrypted connection", "TLS versions"),
        (Refused(2003, "Can't connect", TimeoutError()), "db port 3306 does not answer", "firewalls"),
        (
            Refused(2003, "Can't connect", OSError(errno.EHOSTUNREACH, "No route to host")),
            "no route to host",
            "network",
        ),
        (Refused(2013, "Lost connection (timed out)"), "db port 3306 does not answer", "firewalls"),
        (Refused(1234, "Something\n new: {x}."), "shop (mysql): Something new: (x).", "error 1234"),
    ],
)
def test_reasons_for_no_login(refused: Refused, said: str, fix: str) -> None:
    """One sentence, and what to do next."""
    error = MESSAGES.login(refused)

    assert isinstance(error, SourceUnavailableError)
    assert said in error.message
    assert fix in error.hint


@pytest.mark.parametrize(
    ("refused", "sql", "said"),
    [
        (Refused(3024, "Query execution was interrupted"), "", "did not end within query_timeout (1h)"),
        (Refused(1792, "Cannot execute statement"), "", "the session only reads"),
        (Refused(1044, "Access denied for user 'r'@'%' to database 'x'"), "", "reader may not use database x"),
        (Refused(1142, "INSERT command denied to user 'r'@'h' for table 't'"), "", "may not insert table t"),
        (Refused(1142, "denied in another language"), "", "the server stopped the query: error (1142)"),
        (Refused(1064, "a syntax error in another language"), "SELEC", "a syntax error in another language"),
        (Refused(1054, "Unknown column 'x'"), "", "the server stopped the query: error (1054)"),
        (Refused(1292, "Truncated incorrect INTEGER value: 'secret'"), "SELECT 1", "does not fit its type (1292)"),
    ],
)
def test_reasons_for_no_rows(refused: Refused, sql: str, said: str) -> None:
    """The server's own text only of mistakes in the query, and only while it is prepared."""
    error = MESSAGES.refused(refused, sql=sql)

    assert isinstance(error, QueryError)
    assert said in error.message
    assert "secret" not in error.message
    assert error.hint


@pytest.mark.parametrize("code", [0, 1053, 1927, 2006, 2013])
def test_codes_of_a_lost_connection(code: int) -> None:
    """The driver's and the server's."""
    assert "connection was lost" in MESSAGES.refused(Refused(code, "")).message


def test_a_row_that_is_none_is_no_lost_connection() -> None:
    """A run again would meet it again."""
    error = MESSAGES.refused(Refused(2027, "a row has not the columns of the result"))

    assert isinstance(error, QueryError)
    assert "a row cannot be read" in error.message
    assert "2027" in error.message
    assert "report it with the server's version" in error.hint
    assert "lost" not in error.message
    assert "again" not in error.hint
