"""The sample of customer health scores: one table in DuckDB, the same on every machine, and what must come of it.

    customer_health   customer_no, company, email, score (0 to 100), band (green, yellow, red), band_since, updated_at

Times are Unix seconds. What must arrive is computed a second time, row by row, in plain Python.
"""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

CUSTOMERS: Final = 60
AT_RISK: Final = 3

_BANDS: Final = ((40.0, "red"), (70.0, "yellow"))
_TABLE: Final = """
    CREATE OR REPLACE TABLE customer_health (
        customer_no VARCHAR PRIMARY KEY, company VARCHAR, email VARCHAR, score DOUBLE, band VARCHAR,
        band_since BIGINT, updated_at BIGINT
    )
"""
_WORDS: Final = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Hazel", "Juniper", "Larch", "Maple")


@dataclass(slots=True)
class ExpectedHealth:
    """What the three services must hold.

    Attributes:
        accounts: Score by customer number.
        contacts: Score and tag, likewise.
        alerts: The texts of all messages, in no order.
    """

    accounts: dict[str, float]
    contacts: dict[str, tuple[float, str]]
    alerts: list[str] = field(default_factory=list)


def band_of(score: float) -> str:
    """The band of a score."""
    return next((band for below, band in _BANDS if score < below), "green")


def create_health(path: Path, at: int) -> None:
    """Makes the table, in place of one that is there; a few customers are at risk.

    Args:
        path: A DuckDB file, made where there is none.
        at: When their scores were last computed, Unix seconds.
    """
    chance = random.Random(7)  # noqa: S311 - a sample
    rows = []
    for number in range(1, CUSTOMERS + 1):
        score = float(chance.randint(45, 99) if number > AT_RISK else chance.randint(10, 39))
        company = f"{_WORDS[number % len(_WORDS)]} & Co {number}"
        email = f"team{number}@example.com"
        rows.append((f"C{number:04d}", company, email, score, band_of(score), at, at))
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(_opened(path)) as database:
        database.execute(_TABLE)
        database.executemany("INSERT INTO customer_health VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def change(path: Path, scores: dict[str, float], at: int) -> None:
    """Gives customers other scores; ``band_since`` moves where the band is another one.

    Args:
        path: A file that ``create_health`` made.
        scores: By customer number.
        at: When, Unix seconds.
    """
    with closing(_opened(path)) as database:
        for number, score in scores.items():
            database.execute(
                "UPDATE customer_health SET band_since = CASE WHEN band = ? THEN band_since ELSE ? END, band = ?, "
                "score = ?, updated_at = ? WHERE customer_no = ?",
                [band_of(score), at, band_of(score), score, at, number],
            )


def expected_health(path: Path) -> ExpectedHealth:
    """What must be in the services now; of alerts, those of customers who are at risk now."""
    with closing(_opened(path)) as database:
        rows: list[tuple[Any, ...]] = database.execute(
            "SELECT customer_no, company, score, band FROM customer_health ORDER BY customer_no"
        ).fetchall()
    return ExpectedHealth(
        {number: score for number, _, score, _ in rows},
        {number: (score, f"health_{band}") for number, _, score, band in rows},
        [alert(company, score) for _, company, score, band in rows if band == "red"],
    )


def scores_of(path: Path, *numbers: str) -> list[tuple[str, float]]:
    """Company and score of customers."""
    with closing(_opened(path)) as database:
        rows = database.execute("SELECT customer_no, company, score FROM customer_health ORDER BY 1").fetchall()
    return [(company, score) for number, company, score in rows if number in numbers]


def alert(company: str, score: float) -> str:
    """The text of a message, as Slack has it: ``&`` is escaped there."""
    written = f"{score:.1f}".removesuffix(".0")
    return f"*{company.replace('&', '&amp;')}* is at risk: score {written}"


def _opened(path: Path) -> Any:
    import duckdb

    return duckdb.connect(str(path))
