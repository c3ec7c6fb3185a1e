"""The stand-in workspace as one of the sandbox's services: its parts put together, and its file between starts."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

from starlette.types import Scope

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox.base import JSON, TEXT, Answer, Record, Standin
from reverse_etl.sandbox.customerio import showing
from reverse_etl.sandbox.customerio.app_api import AppApi, RateLimit
from reverse_etl.sandbox.customerio.app_customers import AppCustomers
from reverse_etl.sandbox.customerio.looking import Looking
from reverse_etl.sandbox.customerio.page import page_routes
from reverse_etl.sandbox.customerio.settings import SandboxSettings
from reverse_etl.sandbox.customerio.storage import Saver, load, save
from reverse_etl.sandbox.customerio.track import TrackV2
from reverse_etl.sandbox.customerio.track_v1 import TrackV1
from reverse_etl.sandbox.customerio.validation import Validator
from reverse_etl.sandbox.customerio.workspace import Workspace


class CustomerIo(Standin):
    """A workspace."""

    NAME = "customerio"
    TITLE = "Customer.io"
    PORT = 8700
    SETTINGS = SandboxSettings
    FIXED = True

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__(settings)
        self._workspace = workspace = Workspace(settings)
        validator = Validator(settings)
        app_api = AppApi(workspace, RateLimit(settings.app_rate_limit))
        self.routes = [
            *TrackV2(workspace, validator).routes,
            *TrackV1(workspace, validator).routes,
            *AppCustomers(workspace, app_api).routes,
            *app_api.routes,
            *page_routes(),
            *Looking(workspace).routes,
        ]
        self._track = b"Basic " + base64.b64encode(f"{settings.site_id}:{settings.track_api_key}".encode())
        self._app_key = b"Bearer " + settings.app_api_key.encode()
        self._durable = settings.durable
        self._saver = None
        if settings.data_file is not None:
            load(workspace, settings.data_file)
            # Also an empty workspace is the same one when it is started again.
            try:
                save(workspace, settings.data_file)
            except OSError as error:
                raise ConfigError(
                    f"{settings.data_file} cannot be written: {error.strerror}.",
                    hint="Name a file in a folder that is yours with --data.",
                ) from None
            self._saver = Saver(workspace, settings.data_file)

    def is_call(self, path: str) -> bool:
        """Track and App API."""
        return path.startswith(("/api/", "/v1/"))

    def refused(self, scope: Scope) -> Answer | None:
        """401 without the credentials of the API that is called."""
        is_track = scope["path"].startswith("/api/")
        sent = next((value for key, value in scope["headers"] if key == b"authorization"), b"")
        if hmac.compare_digest(sent, self._track if is_track else self._app_key):
            return None
        if is_track:
            return Answer(401, TEXT, b"Unauthorized\n")
        return Answer(401, JSON, b'{"errors":[{"detail":"unauthorized","status":"401"}]}\n')

    def records(self) -> Mapping[str, Iterable[Record]]:
        """People, objects, relationships, events, segments, suppressed identifiers and activities."""
        held = self._workspace
        return {
            "people": map(showing.show_person, held.people.values()),
            "objects": map(partial(showing.show_object, type_names=held.object_types), held.objects.values()),
            "relationships": (
                showing.show_relationship(each, person, attributes)
                for each in held.objects.values()
                for person, attributes in each.relationships.items()
            ),
            "events": map(showing.show_event, held.events),
            "segments": (showing.show_segment(segment, whole=True) for segment in held.segments.values()),
            "suppressed": (
                {"kind": kind, "value": value, "suppressed_at": at} for (kind, value), at in held.suppressed.items()
            ),
            "activities": map(showing.show_activity, held.log),
        }

    def counts(self) -> Mapping[str, Any]:
        """How much of everything, and the workspace's name."""
        return {"workspace": self._workspace.settings.workspace_name, **self._workspace.counts()}

    def forget(self) -> None:
        """Empties the workspace."""
        self._workspace.clear()

    def answered(self) -> None:
        """Saves first where not even SIGKILL may lose what was answered."""
        if self._saver is not None and self._durable:
            self._saver.save()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Saves meanwhile and at the end."""
        if self._saver is None:
            yield
            return
        saving = asyncio.create_task(self._saver.run())
        try:
            yield
        finally:
            saving.cancel()
            with suppress(asyncio.CancelledError):
                await saving
            self._saver.save()


STANDIN: Final = CustomerIo
