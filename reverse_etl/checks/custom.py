"""``custom: {sql: "SELECT row_number FROM changeset WHERE …"}``: the rows that a query returns are failures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from reverse_etl.changeset.parts import Parts
from reverse_etl.checks._settings import rule_of
from reverse_etl.checks._sql import NUMBER, problem_of, returns_numbers, rows_of, whole_of
from reverse_etl.checks.base import AnyRule, ColumnFinding, Finding, Rule
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.intervals import Interval
from reverse_etl.counted import counted

if TYPE_CHECKING:
    import duckdb

_TIMEOUT: Final = timedelta(minutes=1)


def _one_question(sql: str) -> str:
    if problem := problem_of(sql):
        raise ValueError(problem)
    return sql


class Config(CheckConfig):
    """The check's keys."""

    SHORT: ClassVar[str] = "sql"

    check: str = "custom"
    sql: Annotated[str, AfterValidator(_one_question)] = Field(
        description="One SELECT of DuckDB over the table `changeset`, which has the query's columns and `row_number`; "
        "each row that it returns is a failure, as in a dbt test. With a column `row_number` these rows are at fault; "
        "without one the changeset is, also one without rows, and severity is warn or stop. Decimals are "
        "DECIMAL(38, 9), JSON is text."
    )
    name: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9_]{0,60})?$",
        description="What the check is called: custom_NAME.",
    )
    message: str = Field(
        default="",
        max_length=200,
        description="What is wrong with rows that it returns, a sentence for the people who correct them.",
    )
    timeout: Interval = Field(default=_TIMEOUT, description="How long it may take.")

    @classmethod
    def misfits(cls, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """Only rows with a number can be rejected."""
        sql = given.get("sql")
        if given.get("severity", "reject") == "reject" and isinstance(sql, str) and not returns_numbers(sql):
            yield (
                "sql",
                f"returns no column `{NUMBER}`, so that no row can be rejected: select it, or write `severity: stop` "
                "or `severity: warn`",
            )


def rules(config: Config) -> list[AnyRule]:
    """The rule that a sync asks for."""
    told = config.message.rstrip(".") or "a query of the sync's own returns nothing"
    by_row = returns_numbers(config.sql)
    rule = rule_of(config, f"{told[0].upper()}{told[1:]}.", config.name, of_the_whole=not by_row, needs_column=False)
    return [Custom(rule, config.sql, config.message, by_row, config.timeout.total_seconds())]


@dataclass(frozen=True, slots=True)
class Custom:
    """A query that returns what breaks the rule."""

    rule: Rule
    sql: str
    message: str
    by_row: bool
    timeout_s: float

    def findings_across(
        self,
        parts: Parts,
        database: duckdb.DuckDBPyConnection,  # noqa: ARG002
    ) -> Iterator[Finding | ColumnFinding]:
        """The rows that it returns; or how many it returns, where it does not say which they are.

        Raises:
            ConfigError: The SQL cannot be executed, takes too long, or returns other row numbers than there are.
        """
        ask = (self.sql, parts, self.rule.name, self.timeout_s)
        if self.by_row:
            for rows in rows_of(*ask):
                yield Finding(rows, "", self.message or f"returned by the SQL of check {self.rule.name}.")
        elif found := whole_of(*ask):
            told = f"{self.message.rstrip('.')}: the SQL" if self.message else "its SQL"
            yield ColumnFinding("", f"{told} returned {counted(found, 'row')}.")
