"""SQL Server through Microsoft's ODBC Driver 18, where it is installed: the same suite, and what differs."""

from __future__ import annotations

import importlib.util
import os
import platform
from datetime import timedelta
from pathlib import Path

import pyodbc
import pytest
import trustme

from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.environment import EnvText
from reverse_etl.errors import QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources._connection_check import steps
from reverse_etl.sources.sqlserver.errors import Messages
from reverse_etl_tests.servers._tds_tokens import HALF_PAIR
from reverse_etl_tests.servers.tds import TdsServer
from reverse_etl_tests.sources.test_sqlserver import TestSqlServer as SqlServerSuite
from reverse_etl_tests.sources.test_sqlserver import filled as filled
from reverse_etl_tests.sources.test_sqlserver import (
    half_a_pair_spoils_its_own_row,
    hangs_up_while_computing,
    rows,
    settings_of,
)


def microsofts_driver() -> str:
    """Microsoft's ODBC Driver 18: as entered in odbcinst.ini, or as its package on PyPI has it; empty without it."""
    name = "ODBC Driver 18 for SQL Server"
    if name in pyodbc.drivers():
        return name
    package = importlib.util.find_spec("mssql_python_odbc")
    folder = Path(package.origin).parent / "libs/linux/debian_ubuntu" if package and package.origin else Path("/none")
    return next(map(str, folder.glob(f"{platform.machine()}/lib/libmsodbcsql-18*")), "")


DRIVER = microsofts_driver()

pytestmark = [
    pytest.mark.thorough,  # FreeTDS runs the same suite in `make test`
    pytest.mark.skipif(not DRIVER, reason="no Microsoft ODBC Driver 18: pip install mssql-python-odbc"),
]


class TestMicrosoftsDriver(SqlServerSuite):
    """The suite on the counterpart, over TLS."""

    @pytest.fixture
    def database(self, filled: TdsServer) -> DatabaseConfig:
        """The counterpart, reached through that driver."""
        return settings_of(filled, driver=DRIVER)

    @pytest.fixture
    def unavailable(self, filled: TdsServer, tmp_path: Path) -> list[tuple[DatabaseConfig, str]]:
        """What each driver finds out in its own way."""
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        return [
            (settings_of(filled, driver=DRIVER, user=EnvText("nobody")), "the login of user nobody was refused"),
            (settings_of(filled, driver=DRIVER, database=EnvText("shopp")), "there is no database shopp"),
            (settings_of(filled, driver=DRIVER, ca_file=other), "not by an authority that this machine trusts"),
            (settings_of(filled, driver=DRIVER, ca_file=None), "not by an authority that this machine trusts"),
        ]


del SqlServerSuite


def test_only_the_authority_of_the_file_is_trusted(filled: TdsServer, tmp_path: Path) -> None:
    """One connection after the other, each with its own file, and the environment as it was afterwards."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    before = dict(os.environ)
    for _ in range(2):
        with connect(settings_of(filled, driver=DRIVER)) as session:
            assert rows(session, "SELECT 1 AS one") == [{"one": 1}]
        with pytest.raises(SourceUnavailableError), connect(settings_of(filled, driver=DRIVER, ca_file=other)):
            pass
    assert before == dict(os.environ)


def test_a_server_that_hangs_up_is_noticed(filled: TdsServer) -> None:
    """While a query computes."""
    hangs_up_while_computing(filled, settings_of(filled, driver=DRIVER))


@pytest.mark.parametrize("kind", ["NVARCHAR(10)", "NVARCHAR(MAX)", "NCHAR(8)", "XML", "SQL_VARIANT"])
def test_half_a_surrogate_pair_spoils_its_own_row_only(filled: TdsServer, kind: str) -> None:
    """In every type of two-byte text, and in SQL_VARIANT, which this driver reads."""
    half_a_pair_spoils_its_own_row(settings_of(filled, driver=DRIVER), kind)


def test_half_a_surrogate_pair_in_a_columns_name_is_an_error(filled: TdsServer) -> None:
    """Nothing could be sent under that name; FreeTDS makes a question mark of it."""
    filled.admin(f'CREATE OR REPLACE TABLE halved (id BIGINT, "{HALF_PAIR}" BIGINT)')
    with connect(settings_of(filled, driver=DRIVER)) as session:
        with pytest.raises(QueryError, match="name of a column is not valid UTF-16"):
            rows(session, "SELECT * FROM halved")
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize(("value", "found"), [("N'é'", ["é", "é"]), ("-5", [-5, -5])])
def test_a_variant_holds_text_or_a_number(filled: TdsServer, value: str, found: list[object]) -> None:
    """Each value in its own type."""
    query = f"SELECT CAST(v AS SQL_VARIANT) AS v FROM (SELECT {value} AS v UNION ALL SELECT {value}) AS t"
    with connect(settings_of(filled, driver=DRIVER)) as session:
        assert [row["v"] for row in rows(session, query)] == found


def test_a_type_that_pyodbc_does_not_read_is_named_with_the_cast(filled: TdsServer) -> None:
    """Such as GEOGRAPHY; the connection is not lost."""
    messages = Messages("database shop (sqlserver)", {}, timedelta(minutes=1))
    error = pyodbc.ProgrammingError("ODBC SQL type -151 is not yet supported.  column-index=1  type=-151", "HY106")
    refused = messages.refused(error)
    assert not messages.is_loss(error)
    assert "a type that pyodbc does not read" in refused.message
    assert "CAST(column AS NVARCHAR(4000))" in refused.hint


def test_the_connection_check_names_the_driver(filled: TdsServer) -> None:
    """With its version."""
    found = {step.name: step.detail for step in steps(settings_of(filled, driver=DRIVER))}
    assert "ODBC driver libmsodbcsql-18" in found["driver"]
