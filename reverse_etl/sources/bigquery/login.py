"""The account that asks BigQuery, and the clients it asks through. What is asked is in ``session``.

A key stays in memory: nothing is written to a file, and no variable of the environment is set.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import google.auth
import requests
from google.auth import exceptions as auth
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import bigquery
from google.oauth2 import service_account

from reverse_etl.errors import SourceUnavailableError
from reverse_etl.sources.bigquery.errors import Messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.sources.bigquery import Config

CONNECT_S: Final = 10.0
"""How long Google may take to accept a connection, or to give an access token."""

_SCOPES: Final = ("https://www.googleapis.com/auth/bigquery", "https://www.googleapis.com/auth/cloud-platform")
_DRIVE: Final = "https://www.googleapis.com/auth/drive.readonly"
_API: Final = "https://bigquery.googleapis.com"
_EMULATOR: Final = "BIGQUERY_EMULATOR_HOST"
"""Read by google-cloud-bigquery itself: another address of the REST API."""


class _TokenRequest(Request):
    """How an access token is fetched: soon, or not at all."""

    def __init__(self) -> None:
        super().__init__(requests.Session())

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
        **named: Any,
    ) -> Any:
        seconds = CONNECT_S if timeout is None else min(timeout, CONNECT_S)
        return super().__call__(url, method, body, headers, seconds, **named)  # type: ignore[no-untyped-call]


class BoundedSession(AuthorizedSession):
    """An authorized HTTP session in which no request outlives ``within``'s time, whatever the library asks for.

    The library waits at least two minutes for each page of rows, so that a silent server would be waited for longer
    than ``query_timeout``.
    """

    def __init__(self, credentials: Any) -> None:
        self._tokens = _TokenRequest()
        super().__init__(credentials, auth_request=self._tokens)  # type: ignore[no-untyped-call]
        self._end: float | None = None

    def close(self) -> None:
        # The library closes only a session for tokens that it made itself.
        self._tokens.session.close()
        super().close()  # type: ignore[no-untyped-call]

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if self._end is not None:
            left_s = max(0.05, self._end - time.monotonic())
            kwargs["timeout"] = (min(CONNECT_S, left_s), left_s)
        response: requests.Response = super().send(request, **kwargs)
        return response

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Every request made inside the block is given up when the time is up. Blocks may be nested."""
        before, self._end = self._end, time.monotonic() + seconds
        try:
            yield
        finally:
            self._end = before


@dataclass(frozen=True, slots=True)
class Login:
    """An account's way to BigQuery.

    Attributes:
        client: For the REST API.
        http: What ``client`` sends its requests through.
        credentials: With the scopes that are needed.
        storage_endpoint: Host and port of the Storage Read API; empty for Google's own, None where there is none
            that belongs to the REST API in use.
        messages: Errors of this connection.
    """

    client: bigquery.Client
    http: BoundedSession
    credentials: Any
    storage_endpoint: str | None
    messages: Messages


def log_in(config: Config, where: str) -> Login:
    """Reads the credentials and makes the client. Nothing is sent yet.

    Raises:
        SourceUnavailableError: There are no credentials, or the key cannot be used.
    """
    credentials, key = _credentials(config, where)
    endpoint = config.api_endpoint.resolve().rstrip("/") if config.api_endpoint else None
    api = endpoint or os.environ.get(_EMULATOR) or _API
    project = config.project.resolve()
    messages = Messages(
        where,
        {
            "project": project,
            "account": str(
                getattr(credentials, "service_account_email", None) or "the account of the default credentials"
            ),
            "key": key,
            "api": urlsplit(api).hostname or api,
        },
        config.query_timeout,
    )
    http = BoundedSession(credentials)
    client = bigquery.Client(
        project=project,
        credentials=credentials,
        location=config.location.resolve() if config.location else None,
        client_options={"api_endpoint": endpoint} if endpoint else None,
        _http=http,
    )
    if config.storage_endpoint is not None:
        storage: str | None = urlsplit(config.storage_endpoint.resolve()).netloc
    else:
        storage = "" if api == _API else None
    return Login(client, http, credentials, storage, messages)


def _credentials(config: Config, where: str) -> tuple[Any, str]:
    """The credentials, and how messages call the place that they come from."""
    scopes = [*_SCOPES, _DRIVE] if config.google_drive else list(_SCOPES)
    if config.service_account_key is not None:
        origin = config.service_account_key.template
        return _service_account(_parsed(config.service_account_key.resolve()), scopes, origin, where), origin
    if config.service_account_file is not None:
        path = config.service_account_file
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceUnavailableError(
                f"{where}: the file {path} cannot be read ({type(error).__name__}).",
                hint="Check `service_account_file`; it is relative to the file that names it.",
            ) from None
        return _service_account(_parsed(text), scopes, str(path), where), str(path)
    try:
        credentials, _ = google.auth.default(scopes=scopes)
    except auth.GoogleAuthError:
        raise SourceUnavailableError(
            f"{where}: there are no default credentials on this machine.",
            hint="Set `service_account_key: ${NAME}`, or run: gcloud auth application-default login",
        ) from None
    return credentials, "the default credentials (GOOGLE_APPLICATION_CREDENTIALS, gcloud)"


def _parsed(text: str) -> Any:
    """A key's JSON, as it is or in base64, as some deployment tools want it; None when it is neither."""
    try:
        return json.loads(text if text.lstrip().startswith("{") else base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        return None


def _service_account(key: Any, scopes: list[str], origin: str, where: str) -> Any:
    if isinstance(key, dict):
        try:
            return service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                key, scopes=scopes
            )
        except (ValueError, auth.GoogleAuthError):
            pass
    raise SourceUnavailableError(
        f"{where}: {origin} holds no service account's key.",
        hint='It is the whole JSON file that Google made for the account ("type": "service_account").',
    )
