"""What a MySQL or MariaDB server reports of a run's start: its open transactions, and how far a replica lags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential, wait_random

from reverse_etl.sources.base import Start
from reverse_etl.sources.mysql.wire import Refused, Row

# A statement that waits for a lock has its NOW() from before the wait, and no transaction yet.
_STATEMENTS: Final = """
SELECT (SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = CONNECTION_ID()),
  UTC_TIMESTAMP(6), @@GLOBAL.read_only,
  (SELECT MIN(UTC_TIMESTAMP(6) - INTERVAL (GREATEST(p.TIME, 0) + 1) SECOND) FROM information_schema.PROCESSLIST AS p
   WHERE p.ID <> CONNECTION_ID() AND p.USER NOT IN ('system user', 'event_scheduler')
     AND p.COMMAND NOT IN ('Sleep', 'Daemon', 'Connect', 'Binlog Dump', 'Binlog Dump GTID')
     AND p.ID NOT IN (SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX WHERE trx_is_read_only = 1)),
  (SELECT COUNT(*) FROM information_schema.PROCESSLIST
   WHERE USER = 'system user' AND COMMAND IN ('Connect', 'Slave_IO', 'Slave_SQL', 'Slave_worker'))
"""

# InnoDB gives whole seconds by the machine's own clock, of which one hour comes twice in autumn: then the first counts.
_TRANSACTIONS: Final = """
SELECT MIN(CASE WHEN CONVERT_TZ(utc - INTERVAL 1 HOUR, '+00:00', 'SYSTEM') = trx_started
                THEN utc - INTERVAL 1 HOUR ELSE utc END)
FROM (SELECT trx_started, CONVERT_TZ(trx_started, 'SYSTEM', '+00:00') AS utc FROM information_schema.INNODB_TRX
      WHERE trx_is_read_only = 0 AND trx_mysql_thread_id <> CONNECTION_ID()) AS t
"""

_SECOND: Final = timedelta(seconds=1)

_LOOKS: Final = 5
_FIRST_WAIT_S: Final = 0.1
"""InnoDB renews its list of transactions only after this time without a read: who reads it more often keeps it
old. A list is from now where this session's own transaction is on it. Each wait is about twice as long as the last."""

_REPLICAS: Final = {True: ("SHOW ALL SLAVES STATUS",), False: ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")}
_LAGS: Final = ("Seconds_Behind_Master", "Seconds_Behind_Source")


def start(
    answer: Callable[[str], Sequence[Row]], columns: Callable[[str], Sequence[str]], *, is_mariadb: bool, user: str
) -> Start:
    """The moment now.

    Args:
        answer: Gives the rows of a statement.
        columns: Gives the names of its columns.
        is_mariadb: Whether the server is one.
        user: Who is logged in, for the grants.

    Raises:
        Refused: The connection was lost.
    """
    lags = _lags(answer, columns, is_mariadb=is_mariadb)
    try:
        is_renewed, now, read_only, statement, threads, transaction = _others(answer)
    except Refused as refused:
        if refused.lost:
            raise
        ((now,),) = answer("SELECT UTC_TIMESTAMP(6)")
        statement = transaction = None
        read_only, threads, is_renewed = b"0", None, True
    at = _instant(now or b"")
    if lags:
        behind = [None if lag is None else int(lag) for lag in lags]
        known = [lag for lag in behind if lag is not None]
        data_at = at - timedelta(seconds=max(known)) if len(known) == len(behind) else None
        return Start(
            clock=at, data_at=data_at, missing="a replica does not know which transactions its primary has open"
        )
    if threads is None:
        return Start(
            clock=at, data_at=at, missing=f"transactions of others cannot be seen: GRANT PROCESS ON *.* TO {user}"
        )
    if lags is None and (int(read_only or 0) or int(threads or 0)):
        monitor = "REPLICA MONITOR" if is_mariadb else "REPLICATION CLIENT"
        return Start(
            clock=at, data_at=at, missing=f"how far this replica lags cannot be seen: GRANT {monitor} ON *.* TO {user}"
        )
    if not is_renewed:
        return Start(
            clock=at, data_at=at, missing="others read the list of open transactions so often that it is never renewed"
        )
    began = [_instant(each) for each in (statement, transaction) if each]
    return Start(clock=at, data_at=at, reaches_to=min([at - _SECOND, *began]))


def _others(answer: Callable[[str], Sequence[Row]]) -> tuple[Any, ...]:
    """The answers to ``_STATEMENTS`` and ``_TRANSACTIONS``; first whether InnoDB's list is from now."""
    answer("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    look = Retrying(
        stop=stop_after_attempt(_LOOKS),
        wait=wait_exponential(multiplier=_FIRST_WAIT_S) + wait_random(0, _FIRST_WAIT_S),
        retry=retry_if_result(lambda row: not int(row[0] or 0)),
        retry_error_callback=_last_answer,
    )
    is_listed, *found = look(lambda: answer(_STATEMENTS)[0])
    ((transaction,),) = answer(_TRANSACTIONS)
    answer("COMMIT")
    return (bool(int(is_listed or 0)), *found, transaction)


def _last_answer(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None


def _lags(
    answer: Callable[[str], Sequence[Row]], columns: Callable[[str], Sequence[str]], *, is_mariadb: bool
) -> list[bytes | None] | None:
    """The seconds of each source that the server replicates from, None where that stands still; None: not allowed."""
    for statement in _REPLICAS[is_mariadb]:
        try:
            rows = answer(statement)
            names = list(columns(statement)) if rows else []
        except Refused as refused:
            if refused.lost:
                raise
            continue
        index = next((names.index(name) for name in _LAGS if name in names), None)
        return [] if not rows else [None if index is None else row[index] for row in rows]
    return None


def _instant(text: bytes) -> datetime:
    return datetime.fromisoformat(text.decode()).replace(tzinfo=UTC)
