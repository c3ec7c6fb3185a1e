"""The servers that the engines' tests need."""

from __future__ import annotations

from reverse_etl_tests.servers.bigquery import bigquery
from reverse_etl_tests.servers.mariadb import mariadb
from reverse_etl_tests.servers.postgres import postgres
from reverse_etl_tests.servers.redshift import redshift
from reverse_etl_tests.servers.snowflake import snowflake
from reverse_etl_tests.servers.sshd import ssh_server
from reverse_etl_tests.servers.tds import sqlserver

__all__ = ["bigquery", "mariadb", "postgres", "redshift", "snowflake", "sqlserver", "ssh_server"]
