"""What the checks of each run found: for gates, which compare with earlier runs, and for whoever looks at it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reverse_etl.report import Status
from reverse_etl.state.schema import CHECK_RESULT, RUN
from reverse_etl.warned import Warned

if TYPE_CHECKING:
    from reverse_etl.state.store import Store

_MOST: Final = 30
"""How many runs back a gate can look (``checks._past``)."""


@dataclass(frozen=True, slots=True)
class KeptResult:
    """What one check of one run found.

    Attributes:
        stream: The name of the stream.
        name: The check's.
        severity: ``warn``, ``exclude``, ``reject`` or ``stop``.
        outcome: ``passed``, ``broken``, ``accepted`` or ``not_judged``.
        rows_checked: Rows of the stream.
        rows_failed: Of these, rows with a finding.
        value: The number that a gate looked at; None for other checks, and where there was none.
        everything: Whether all rows were read, and not what changed; None where only a part was.
        message: The first finding's, and of a warning the first row numbers; empty for none.
    """

    stream: str
    name: str
    severity: str
    outcome: str
    rows_checked: int
    rows_failed: int
    value: float | None
    everything: bool | None
    message: str


def remember_results(store: Store, run_id: str, results: Iterable[KeptResult]) -> None:
    """Writes what the checks of a run in the history found, in place of what was written before. Raises StateError."""
    rows = [{"run_id": run_id, **asdict(result)} for result in results]
    with store.writing() as connection:
        connection.execute(sa.delete(CHECK_RESULT).where(CHECK_RESULT.c.run_id == run_id))
        if rows:
            connection.execute(sa.insert(CHECK_RESULT), rows)


def results_of_run(store: Store, run_id: str) -> list[KeptResult]:
    """What the checks of one run found, by stream and name. Raises StateError."""
    wanted = sa.select(CHECK_RESULT).where(CHECK_RESULT.c.run_id == run_id)
    with store.reading() as connection:
        found = connection.execute(wanted.order_by(CHECK_RESULT.c.stream, CHECK_RESULT.c.name))
        return [KeptResult(*row[1:]) for row in found]


def warnings_of(connection: sa.Connection, run_ids: Collection[str]) -> dict[str, tuple[Warned, ...]]:
    """By run, what its checks warned of, by stream and name; of a re-execution, also what the runs before it found.

    Args:
        connection: To the state database.
        run_ids: The runs.
    """
    if not run_ids:
        return {}
    before = RUN.alias("before")
    chain = sa.and_(before.c.root_run_id == RUN.c.root_run_id, before.c.started_at <= RUN.c.started_at)
    wanted = (
        sa.select(RUN.c.run_id.label("of_run"), CHECK_RESULT)
        .join(before, chain)
        .join(CHECK_RESULT, CHECK_RESULT.c.run_id == before.c.run_id)
        .where(RUN.c.run_id.in_(run_ids), CHECK_RESULT.c.severity == "warn", CHECK_RESULT.c.outcome == "broken")
        .order_by(before.c.started_at, CHECK_RESULT.c.stream, CHECK_RESULT.c.name)
    )
    found: dict[str, dict[tuple[str, str], Warned]] = {}
    for row in connection.execute(wanted):
        rows = row.rows_failed if row.value is None else 0
        warned = Warned(row.name, row.stream, rows, row.rows_checked, row.message)
        found.setdefault(row.of_run, {})[row.stream, row.name] = warned
    return {run_id: tuple(each.values()) for run_id, each in found.items()}


def past_values(
    store: Store, sync: str, names: Iterable[tuple[str, str]], *, everything: bool, except_root: str
) -> dict[tuple[str, str], Sequence[float]]:
    """The numbers of gates in the completed runs of a sync, the newest first; at most 30 of each.

    Args:
        store: The history.
        sync: The sync's name.
        names: Stream and name of each gate.
        everything: Of runs that read all rows, or of those that read what changed.
        except_root: The run whose changeset is judged: it is no past of its own.

    Raises:
        StateError: The history cannot be read.
    """
    ended = RUN.alias("ended")
    completed = sa.exists().where(ended.c.root_run_id == RUN.c.root_run_id, ended.c.status == Status.COMPLETED.value)
    found: dict[tuple[str, str], Sequence[float]] = {}
    with store.reading() as connection:
        for stream, name in names:
            wanted = (
                sa.select(CHECK_RESULT.c.value)
                .join(RUN, RUN.c.run_id == CHECK_RESULT.c.run_id)
                .where(
                    RUN.c.sync == sync,
                    RUN.c.root_run_id != except_root,
                    CHECK_RESULT.c.stream == stream,
                    CHECK_RESULT.c.name == name,
                    CHECK_RESULT.c.value.is_not(None),
                    CHECK_RESULT.c.everything.is_(everything),
                    completed,
                )
                .order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc())
                .limit(_MOST)
            )
            found[stream, name] = [row.value for row in connection.execute(wanted)]
    return found
