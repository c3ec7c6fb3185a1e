"""What BigQuery and Google's login refuse, as errors that say what to do next.

The server's own text is passed on only where it cannot quote a row: while a query is analyzed in a dry run, which
reads no rows, and then without the literals that it quotes. Otherwise only the reason is, and names and sizes, because
messages like ``Bad int64 value: ...`` hold values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import requests.exceptions
from google.auth import exceptions as auth

from reverse_etl.errors import QueryError, SourceError, SourceUnavailableError
from reverse_etl.sources import _messages
from reverse_etl.sources._time_and_number import conversion_hint
from reverse_etl.sources.base import refuse_duplicates
from reverse_etl.sources.bigquery.failures import Failure

_DUPLICATES: Final = re.compile(r"Duplicate column names.*Found duplicate\(s\): ([^,]+)")
_OBJECT: Final = r"(Table|Dataset|View|Routine|Function|Project|Model|Job) ([\w.:\-$@]+)"
_NO_ACCESS: Final = re.compile(f"Access Denied: {_OBJECT}")
_NOT_FOUND: Final = re.compile(f"Not found: {_OBJECT}")
_LITERAL: Final = re.compile(r"\b(literal|value|constant)[:\s]+(['\"]).*?\2(?!\w)", re.IGNORECASE)
_TIME_TYPE: Final = re.compile(r"\b(?:TIMESTAMP|DATETIME|DATE)\b")
_ANALYSIS: Final = (
    *("Syntax error", "Unrecognized name", "Name ", "Column ", "Function not found", "No matching signature"),
    *("Aggregate function", "Table-valued function", "Type not found", "Field name", "Table name", 'Table "'),
    *("SELECT list expression references", "Star expansion", "Set operation", "Queries in ", "Query column"),
    *("Cannot access field", "Cannot query over table", "Query parameter", "Not found", "Unsupported"),
)
"""How messages about the query itself begin; others may repeat a literal in words of their own."""

_QUOTA: Final = frozenset({"quotaExceeded", "rateLimitExceeded", "jobRateLimitExceeded", "TooManyRequests"})
_PASSING: Final = frozenset({"backendError", "internalError", "badGateway", "tableUnavailable", "jobBackendError"})
_NETWORK: Final = "Check the network, the proxy and the firewalls between here and Google."
_HINTS: Final = {
    "resourcesExceeded": "The query needs more memory than BigQuery gives: narrow it, or leave out its ORDER BY.",
    "billingTierLimitExceeded": "The query computes too much for what it reads: narrow it.",
    "responseTooLarge": "The result is too large for BigQuery: narrow the query.",
    "billingNotEnabled": "Link a billing account to the project.",
}

_Found = tuple[str, str] | None
"""What is wrong, and what to do; None when it is something else."""


@dataclass(frozen=True, slots=True)
class Messages(_messages.Messages):
    """Errors of one connection to BigQuery; its facts are the four properties."""

    faster = "a filter on the partitioning column"

    @property
    def project(self) -> str:
        """Where queries run."""
        return self.facts["project"]

    @property
    def account(self) -> str:
        """Whose credentials are used, as people know it."""
        return self.facts["account"]

    @property
    def key(self) -> str:
        """Where these come from."""
        return self.facts["key"]

    @property
    def api(self) -> str:
        """The host of the REST API."""
        return self.facts["api"]

    def login(self, error: BaseException) -> SourceUnavailableError:
        """Why there is no connection."""
        failure = Failure.of(error)
        found = self._network(failure) or self._denied(failure) or self._not_found(failure)
        if found is None:
            passing = failure.reason in _QUOTA | _PASSING or failure.code >= 500
            hint = "Try again later." if passing else "Check `project`, `dataset` and `location`."
            found = f"BigQuery refused the connection ({failure.reason})", hint
        return SourceUnavailableError(f"{self.where}: {found[0]}.", hint=found[1])

    def analyzed(self, error: BaseException) -> SourceError:
        """Why a dry run failed: no row was read."""
        failure = Failure.of(error)
        duplicate = _DUPLICATES.search(failure.text)
        if duplicate:
            try:
                refuse_duplicates([duplicate[1].strip()] * 2, self.where)
            except QueryError as twice:
                return twice
        if not failure.text.startswith(_ANALYSIS) or self._not_found(failure):
            return self.failed(error)
        sentence = _LITERAL.sub(r"\1 (not shown)", failure.sentence)
        hint = "Check the query against the dataset's tables and columns."
        if "must be qualified with a dataset" in sentence:
            hint = "Write dataset.table, or set `dataset` in connections.yaml."
        hint = conversion_hint(failure.text, _conversion(failure.text)) or hint
        return QueryError(f"{self.where}: {sentence}{failure.place}.", hint=hint)

    def failed(self, error: BaseException, *, late: bool = False) -> SourceError:
        """Why a query failed while it ran or its rows were read.

        Args:
            error: One of ``FAILURES``.
            late: Whether the time for the query was up by then.
        """
        failure = Failure.of(error)
        if late and (failure.timed_out or failure.reason in {"stopped", "timeout"}):
            return self.timed_out()
        found = self._network(failure)
        if found is None and (failure.reason in _PASSING or failure.code >= 500):
            found = f"BigQuery has a passing problem ({failure.reason})", "Run the sync again."
        if found:
            return SourceUnavailableError(f"{self.where}: {found[0]}.", hint=found[1])
        found = self._denied(failure) or self._not_found(failure) or self._limit(failure)
        if found:
            return QueryError(f"{self.where}: {found[0]}.", hint=found[1])
        if failure.reason == "stopped":
            return QueryError(f"{self.where}: the query was canceled on the server.", hint="Run the sync again.")
        hint = _HINTS.get(failure.reason, "Run the query in the BigQuery console to see its own message.")
        return QueryError(f"{self.where}: BigQuery stopped the query ({failure.reason}){failure.place}.", hint=hint)

    def writes(self, statement: str) -> QueryError:
        """The statement, as BigQuery reports it, is something else than a SELECT."""
        if statement == "SCRIPT":
            return self.several_statements()
        what = statement.replace("_", " ") or "no SELECT"
        return QueryError(
            f"{self.where}: the session only reads, and the query does more ({what}).", hint="Write one SELECT."
        )

    def _network(self, failure: Failure) -> _Found:
        """What went wrong before BigQuery could answer."""
        if failure.code and failure.code < 500:
            return None
        if failure.has(auth.RefreshError):
            if failure.has_text("invalid_grant", "invalid_client", "unauthorized_client"):
                return (
                    f"Google refused the key of {self.account}",
                    f"Make a new key, and put it into {self.key}.",
                )
            return (
                f"Google gave no access token for {self.account}",
                f"Check {self.key}; try again later.",
            )
        if failure.has(requests.exceptions.SSLError) or failure.has_text("CERTIFICATE_VERIFY_FAILED"):
            return (
                f"the certificate of {self.api} is refused",
                "Set REQUESTS_CA_BUNDLE to the PEM file of the authority, where a proxy opens TLS.",
            )
        if failure.has(requests.exceptions.ProxyError):
            return "the proxy refuses the connection", "Check HTTPS_PROXY and NO_PROXY in the environment."
        if failure.has_text("NameResolutionError"):
            return (
                f"there is no host of that name: {self.api}",
                "Check `api_endpoint`, and that DNS works here.",
            )
        if failure.has_text("Connection refused"):
            return f"nothing answers at {self.api}", f"Check `api_endpoint`. {_NETWORK}"
        if failure.timed_out:
            return f"{self.api} does not answer", _NETWORK
        if (
            failure.has(requests.exceptions.RequestException, auth.TransportError)
            or failure.reason == "ServiceUnavailable"
        ):
            return f"the connection to {self.api} was lost", f"Run it again. {_NETWORK}"
        return None

    def _denied(self, failure: Failure) -> _Found:
        text = failure.text
        if failure.code == 401:
            return f"Google refused the credentials of {self.account}", f"Check {self.key}."
        if failure.code != 403 or failure.reason in _QUOTA | _HINTS.keys():
            return None
        if "Drive" in text:
            return (
                f"{self.account} may not read the Google Drive file behind a table",
                "Share the file with that account, and set `google_drive: true` in connections.yaml.",
            )
        if failure.reason == "accessNotConfigured" or "has not been used in project" in text:
            return (
                f"the BigQuery API is not enabled in project {self.project}",
                f"Run: gcloud services enable bigquery.googleapis.com --project {self.project}",
            )
        if failure.reason == "vpcServiceControls" or "organization's policy" in text:
            return "the organization's policy (VPC Service Controls) forbids it", "Ask for access from this network."
        if "bigquery.jobs.create" in text:
            return (
                f"{self.account} may not run queries in project {self.project}",
                f"Grant it the role BigQuery Job User (roles/bigquery.jobUser) on project {self.project}.",
            )
        named = _NO_ACCESS.search(text)
        what = f"{named[1].lower()} {named[2].rstrip('.:')}" if named else "what the query reads"
        return (
            f"{self.account} may not read {what}, or it is not there",
            "Check the name, and grant it the role BigQuery Data Viewer (roles/bigquery.dataViewer) on the dataset.",
        )

    def _not_found(self, failure: Failure) -> _Found:
        named = _NOT_FOUND.search(failure.text)
        if named is None:
            if failure.code != 404:
                return None
            return "BigQuery finds no such project, dataset or job", "Check `project`, `dataset` and `location`."
        kind, name = named[1].lower(), named[2].rstrip(".")
        location = re.search(r"in location ([\w\-]+)", failure.text)
        hint = f"Check the name{'' if kind == 'dataset' else ', and put its dataset before it: dataset.table'}."
        if location:
            hint = f"{hint} A dataset elsewhere is only found with its own `location` in connections.yaml."
        place = f" in location {location[1]}" if location else ""
        return f"there is no {kind} {name}{place}{failure.place}", hint

    def _limit(self, failure: Failure) -> _Found:
        if failure.reason == "bytesBilledLimitExceeded":
            needed = re.search(r"(\d+) or higher required", failure.text)
            what = f": {int(needed[1]):,} are needed" if needed else ""
            return (
                f"the query would read more than maximum_bytes_billed{what}",
                "Read fewer columns or partitions, or raise maximum_bytes_billed in connections.yaml.",
            )
        if failure.reason in _QUOTA:
            return (
                f"a quota of project {self.project} is used up ({failure.reason})",
                "Run it later, or ask for a higher quota.",
            )
        return None


def _conversion(text: str) -> str:
    """Last sync time in the type that a message names; BigQuery compares no two of them."""
    kind = _TIME_TYPE.search(text)
    seconds = "TIMESTAMP_SECONDS({{last_sync_time}})"
    return seconds if kind is None or kind[0].upper() == "TIMESTAMP" else f"{kind[0].upper()}({seconds})"
