"""What went wrong, in words: Dagster stores, shows and prints the sentence, without a stack trace.

Dagster adds Python's stack to every error but one that another process has put into words; to Dagster, these are such.
Source: ``dagster._utils.error.serializable_error_info_from_exc_info`` of 1.13.27, read 2026-11-27.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import dagster as dg
from dagster._core.errors import DagsterUserCodeProcessError
from dagster_shared.error import SerializableErrorInfo

from reverse_etl.errors import ReverseEtlError


class _InWordsError(DagsterUserCodeProcessError):
    def __init__(self, words: str, *, below: str = "", **more: object) -> None:
        infos = [SerializableErrorInfo(message=words + below, stack=[], cls_name="Failure")]
        super().__init__(words, user_code_process_error_infos=infos, **more)  # type: ignore[no-untyped-call]


class StepFailedError(_InWordsError, dg.Failure):
    """Ends a step that is not retried.

    Args:
        words: What failed, and the next step.
        csv: Where the failed rows are, as ``delivered.failed_rows_csv`` gives it; maybe empty.
    """

    def __init__(self, words: str, csv: dict[str, dg.MetadataValue]) -> None:
        below = "".join(f"\nFailed rows: {path.value}" for path in csv.values())
        super().__init__(words, below=below, metadata=csv, allow_retries=False)


class RunSkippedError(_InWordsError, dg.DagsterExecutionInterruptedError):
    """Ends a run that Dagster is to call canceled: nothing failed, and nothing was done."""


class NotLoadedError(_InWordsError, click.ClickException):
    """Ends the load of a code location; a command of Dagster's prints the sentence and ends."""


@contextmanager
def load_errors_in_words() -> Iterator[None]:
    """Puts what a user can mend into words for Dagster. Raises NotLoadedError."""
    try:
        yield
    except ReverseEtlError as error:
        raise NotLoadedError(str(error)) from None
