"""A sync's own tests: given rows through the stages of a run, up to the operations that would be sent.

Nothing is asked of a database or a destination, and no secret is read. What only they know is therefore no part of a
test: what was sent before, and who is there already.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.parts import ROW_NUMBER, RunFolder
from reverse_etl.changeset.scope import Scope
from reverse_etl.checks.base import Severity
from reverse_etl.checks.runner import validate
from reverse_etl.config.sync_tests import MOST_ROWS
from reverse_etl.destinations import kind
from reverse_etl.errors import ReverseEtlError
from reverse_etl.files.scratch import scratch_in
from reverse_etl.report import Outcome
from reverse_etl.run.expected import Difference, Found, KeptRow, Operation, differences
from reverse_etl.run.given import given_session
from reverse_etl.shaping.transform import Transformers
from reverse_etl.sources import dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from reverse_etl.checks.runner import Validation
    from reverse_etl.config.connections import DatabaseConfig
    from reverse_etl.config.sync_tests import SyncTest
    from reverse_etl.config.syncs import ProjectConfig, SyncConfig

_WHOLE = Scope(since=0)
_SAMPLE = Scope(limit=MOST_ROWS)
"""Of a few rows, shares and numbers of all mean nothing."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a test showed.

    Attributes:
        sync: The sync's name.
        name: The test's.
        file: Where it is written.
        line: The same.
        differences: What was not as expected; empty where all was.
        error: Why it could not be run, in sentences; empty where it could.
        duration_s: How long it took.
    """

    sync: str
    name: str
    file: str
    line: int
    differences: tuple[Difference, ...] = ()
    error: str = ""
    duration_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.differences and not self.error

    @property
    def where(self) -> str:
        """``syncs/customers.yaml:41``."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "sync": self.sync,
            "test": self.name,
            "file": self.file,
            "line": self.line,
            "passed": self.passed,
            "duration_s": round(self.duration_s, 6),
            "error": self.error,
            "differences": [asdict(each) for each in self.differences],
        }


def run_tests(project: ProjectConfig, chosen: Iterable[tuple[SyncConfig, SyncTest]]) -> Iterator[Tried]:
    """Runs tests one after the other; a sync's transform is started once for all of its tests.

    Raises:
        StateError: The temporary folder cannot be written.
    """
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reverse-etl-")))
        transformers = stack.enter_context(closing(Transformers()))
        scratch = cache(lambda: stack.enter_context(scratch_in(path / "scratch")))
        for number, (sync, test) in enumerate(chosen):
            # The folder's name is the run's id, which rows may have.
            folder = RunFolder(path / str(number) / "test")
            yield _tested(sync, test, project.databases[sync.database], folder, transformers, scratch)


def _tested(
    sync: SyncConfig,
    test: SyncTest,
    database: DatabaseConfig,
    folder: RunFolder,
    transformers: Transformers,
    scratch: Callable[[], duckdb.DuckDBPyConnection],
) -> Tried:
    begun = time.monotonic()
    found, error = None, ""
    try:
        found = _found(sync, test, database, folder, transformers, scratch)
    except ReverseEtlError as reason:
        error = f"{reason.message} {reason.hint}".rstrip()
    different = () if found is None else tuple(differences(test.expect, found))
    return Tried(sync.name, test.name, sync.file, test.line, different, error, time.monotonic() - begun)


def _found(
    sync: SyncConfig,
    test: SyncTest,
    database: DatabaseConfig,
    folder: RunFolder,
    transformers: Transformers,
    scratch: Callable[[], duckdb.DuckDBPyConnection],
) -> Found:
    spoken = dialect(database)
    extract(
        sync,
        given_session(sync, test, spoken, timezone=database.timezone),
        folder,
        before=Before(),
        dialect=spoken,
        scope=_WHOLE if test.expect.stopped else _SAMPLE,
        timezone=database.timezone,
        transformers=transformers,
    )
    validation = validate(sync, folder, scratch=scratch)
    kept = tuple(each for stream in sync.streams for each in _kept(folder, stream.name))
    if validation.stopped:
        return Found((), kept, _stops(validation), validation.would_stop)
    return Found(tuple(each for stream in sync.streams for each in _operations(sync, folder, stream.name)), kept)


def _stops(validation: Validation) -> str:
    """The name of the check that stops the run."""
    return next(
        each.rule.name for each in validation.results if each.rule.severity is Severity.STOP and not each.passed
    )


def _operations(sync: SyncConfig, folder: RunFolder, stream: str) -> Iterator[Operation]:
    for batch in folder.parts(stream).sendable(folder.outcomes(stream)):
        shown = kind(sync.DESTINATION).shown(batch, sync, stream) if batch.num_rows else ()
        for row, text in zip(batch.column(ROW_NUMBER).to_pylist(), shown, strict=True):
            yield Operation(stream, row, text.decode())


def _kept(folder: RunFolder, stream: str) -> Iterator[KeptRow]:
    parts, outcomes = folder.parts(stream), folder.outcomes(stream)
    for failed in parts.failed():
        yield KeptRow(stream, failed.row_number, "rejected", *failed.why)
    for rule in parts.excluded():
        for row in rule.first:
            if outcomes[row - 1] == Outcome.EXCLUDED:
                yield KeptRow(stream, row, "excluded", rule.rule, message=rule.message)
