"""What is run: so many rows of so many columns, from which engine, to a sink of which latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TABLE: Final = "people"
QUERY: Final = f"SELECT * FROM {TABLE}"
_NARROW: Final = 10


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table.

    Attributes:
        rows: In the table, all of which are read and sent.
        columns: The identifier is one of them.
        engine: ``postgres`` or ``mysql`` (MariaDB).
        latency_ms: What the sink waits before each answer.
        most_runs: Where it takes long, fewer runs are enough.
        stages: Whether its stages are measured alone too.
    """

    rows: int
    columns: int = _NARROW
    engine: str = "postgres"
    latency_ms: int = 0
    most_runs: int = 9
    stages: bool = False

    @property
    def label(self) -> str:
        """As a reader sees it."""
        database = {"postgres": "PostgreSQL", "mysql": "MariaDB"}[self.engine]
        return f"{self.rows:,} × {self.columns}, {database}, {self.latency_ms} ms"


CASES: Final = {
    "100k": Case(100_000, stages=True),
    "250k": Case(250_000),
    "500k": Case(500_000),
    "750k": Case(750_000),
    "1m": Case(1_000_000, stages=True),
    "1m-150ms": Case(1_000_000, latency_ms=150, most_runs=2),
    "1m-mariadb": Case(1_000_000, engine="mysql", stages=True),
    "5m": Case(5_000_000, most_runs=1),
    "1m-wide": Case(1_000_000, columns=100, most_runs=1),
}

PEERS: Final = {
    "20k": (Case(20_000), 100),
    "20k-150ms": (Case(20_000, latency_ms=150, most_runs=1), 100),
    "100k": (Case(100_000), 1_500),
    "100k-150ms": (Case(100_000, latency_ms=150, most_runs=1), 1_500),
    "1m": (Case(1_000_000, most_runs=1), 1_500),
}
"""What is compared with drt, and how many rows it puts into a request: its own 100, and about 475 kB of these rows."""

_FIRST: Final = {
    "postgres": """
SELECT 'c' || g AS id, 'user' || g || '@example.com' AS email, 'First' || (g % 5000) AS first_name,
       'Last' || (g % 9000) AS last_name, (g % 90)::int AS age, ((g % 100000) / 100.0)::numeric(12,2) AS balance,
       g * 0.0012345::float8 AS score, g % 2 = 0 AS active, to_timestamp(1700000000 + g) AS created_at,
       CASE WHEN g % 3 = 0 THEN NULL ELSE 'city ' || g % 100 END AS city""",
    "mysql": """
SELECT CONCAT('c', g) AS id, CONCAT('user', g, '@example.com') AS email, CONCAT('First', g % 5000) AS first_name,
       CONCAT('Last', g % 9000) AS last_name, CAST(g % 90 AS INT) AS age,
       CAST((g % 100000) / 100 AS DECIMAL(12, 2)) AS balance, g * 0.0012345e0 AS score, g % 2 = 0 AS active,
       TIMESTAMP '2023-11-14 22:13:20' + INTERVAL g SECOND AS created_at,
       IF(g % 3 = 0, NULL, CONCAT('city ', g % 100)) AS city""",
}
_MORE: Final = {
    "postgres": ("(g % {n})::int", "'plan ' || g % {n}", "g / {n}.0::float8", "g % {n} = 0"),
    "mysql": ("CAST(g % {n} AS INT)", "CONCAT('plan ', g % {n})", "g / {n}e0", "g % {n} = 0"),
}
_FROM: Final = {
    "postgres": "generate_series(1, {rows}) AS s(g)",
    "mysql": "(SELECT seq AS g FROM seq_1_to_{rows}) AS s",
}


def table(case: Case) -> str:
    """The statement that makes the case's table: an id, an address, names, numbers, times, and more of their likes."""
    kinds = _MORE[case.engine]
    more = [
        f"{kinds[number % len(kinds)].format(n=number + 2)} AS extra_{number}"
        for number in range(case.columns - _NARROW)
    ]
    columns = ", ".join([_FIRST[case.engine], *more])
    return f"CREATE TABLE {TABLE} AS {columns} FROM {_FROM[case.engine].format(rows=case.rows)}"


def asked(names: str) -> dict[str, Case]:
    """The cases of a comma-separated list; all where it is empty. Raises SystemExit for a name that there is not."""
    wanted = [name for name in names.split(",") if name] or [*CASES]
    unknown = [name for name in wanted if name not in CASES]
    if unknown:
        raise SystemExit(f"there is no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    return {name: CASES[name] for name in wanted}
