"""What Redshift refuses and the stand-in cannot bring about; how a limit is written into a query."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reverse_etl.errors import SourceUnavailableError
from reverse_etl.sources.redshift.errors import Messages, Refusal
from reverse_etl.sources.redshift.session import RedshiftSession, limited
from reverse_etl_tests.sources.conformance import PLANTED

FACTS = {"user": "reader", "database": "shop", "password": "the value of ${X}"}
MESSAGES = Messages("database shop (redshift)", FACTS, timedelta(hours=1))


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        ("XX000", "exceeded the maximum size allowed for the total set of cursor data: 8000MB.", "cursors (8000MB)"),
        ("57P01", "terminating connection due to administrator command", "connection was lost"),
        ("42501", "permission denied for language plpythonu", "to let reader use it"),
        ("0A000", f"Specified types or functions not supported: {PLANTED}", "feature not supported"),
        ("99999", PLANTED, "error (99999)"),
    ],
)
def test_what_only_a_cluster_refuses_is_an_error(code: str, text: str, said: str) -> None:
    """Each with a hint, and without the server's text where that could hold a value."""
    error = MESSAGES.refused(Refusal({"C": code, "M": text}))

    assert said in str(error)
    assert error.hint
    assert PLANTED not in str(error)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('user "reader" does not exist', "there is no user reader"),
        ('connection limit "500" exceeded for non-bootstrap users', "no connection left"),
        ("the database system is starting up", "Try again in a minute"),
        ('permission denied for database "shop"', 'GRANT USAGE ON DATABASE "shop"'),
        ("something\nelse.", "no connection: something else. "),
    ],
)
def test_a_refused_login_is_an_error(text: str, said: str) -> None:
    """What the stand-in cannot bring about."""
    assert said in str(MESSAGES.login(Refusal({"C": "28000", "M": text})))


@pytest.mark.parametrize(
    ("query", "limited_query"),
    [
        ("SELECT 1 AS a -- one", "SELECT 1 AS a -- one\nLIMIT 7"),
        (
            "WITH t AS (SELECT 1 AS a LIMIT 3) SELECT a FROM t",
            "WITH t AS (SELECT 1 AS a LIMIT 3) SELECT a FROM t\nLIMIT 7",
        ),
        ("SELECT 1 AS a UNION ALL SELECT 2", "SELECT 1 AS a UNION ALL SELECT 2\nLIMIT 7"),
        ("SELECT 1 AS a LIMIT 9", "SELECT 1 AS a LIMIT 9"),
        ("SELECT TOP 9 a FROM t", "SELECT TOP 9 a FROM t"),
        ("SELECT 1 AS a OFFSET 2", "SELECT 1 AS a OFFSET 2"),
        ("SELECT ((( AS a", "SELECT ((( AS a"),
        ("VALUES (1)", "VALUES (1)"),
    ],
)
def test_a_limit_goes_to_the_end_of_the_query(query: str, limited_query: str) -> None:
    """Unless there is one, or the query cannot be read."""
    assert limited(query, 7) == limited_query


class Refusing:
    """In a wire's place: every setting is refused, with one SQLSTATE."""

    def __init__(self, code: str, *, only: str = "") -> None:
        self._refusal = Refusal({"C": code})
        self._only = only

    def start(self) -> None:
        """Nothing to start."""

    def settle(self) -> None:
        """Nothing to settle."""

    def run(self, sql: str) -> None:
        """Refuses."""
        if self._only in sql:
            raise self._refusal


@pytest.mark.parametrize(("code", "only"), [("42501", "timezone"), ("42501", "identifier"), ("42704", "datestyle")])
def test_a_server_that_refuses_settings_is_not_used(code: str, only: str) -> None:
    """Date-times would be read wrongly, or names be spelled otherwise."""
    wire: Any = Refusing(code, only=only)

    with pytest.raises(SourceUnavailableError, match=rf"refuses a session's settings \({code}\)"):
        RedshiftSession(wire, MESSAGES, timezone="UTC")


def test_a_cluster_too_old_for_a_setting_is_used_without_it() -> None:
    """It spells names in lower case, as it always did."""
    wire: Any = Refusing("42704", only="identifier")

    assert RedshiftSession(wire, MESSAGES, timezone="UTC")
