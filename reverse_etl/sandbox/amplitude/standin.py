"""The stand-in project as one of the sandbox's services."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from starlette.routing import Route
from starlette.types import Scope

from reverse_etl.sandbox.amplitude.cohorts import OWN_FAULTS as COHORT_FAULTS
from reverse_etl.sandbox.amplitude.cohorts import Cohorts
from reverse_etl.sandbox.amplitude.project import Project
from reverse_etl.sandbox.amplitude.rates import Rates
from reverse_etl.sandbox.amplitude.settings import AmplitudeSettings
from reverse_etl.sandbox.amplitude.upload import OWN_FAULTS, Upload
from reverse_etl.sandbox.base import JSON, TEXT, Answer, Record, Standin


class Amplitude(Standin):
    """A project."""

    NAME = "amplitude"
    TITLE = "Amplitude"
    PORT = 8701
    SETTINGS = AmplitudeSettings
    OWN_FAULTS = OWN_FAULTS | COHORT_FAULTS

    def __init__(self, settings: AmplitudeSettings) -> None:
        super().__init__(settings)
        self.forget()
        upload = Upload(lambda: self._project, lambda: self._rates, lambda: self.settings, self.clock)
        cohorts = Cohorts(lambda: self._project, lambda: self.settings)
        self.routes = [
            Route("/2/httpapi", upload.http, methods=["POST"]),
            Route("/batch", upload.batch, methods=["POST"]),
            Route("/api/3/cohorts", cohorts.listed, methods=["GET"]),
            Route("/api/3/cohorts/upload", cohorts.upload, methods=["POST"]),
            Route("/api/3/cohorts/membership", cohorts.membership, methods=["POST"]),
        ]

    def forget(self) -> None:
        """Empties the project, and counts events anew."""
        self._project = Project(self.settings.events_kept)
        self._rates = Rates()

    def refused(self, scope: Scope) -> Answer | None:
        """401 to a cohort's call without the keys; events have theirs in the body."""
        if not scope["path"].startswith("/api/"):
            return None
        keys = f"{self.settings.api_key}:{self.settings.secret_key}".encode()
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if hmac.compare_digest(sent, b"Basic " + base64.b64encode(keys)):
            return None
        return Answer(401, JSON, b'{"error":{"http_code":401,"type":"unauthorized"}}')

    def worded(self, status: int, path: str, details: Mapping[str, Any]) -> Answer:
        """As JSON with the code."""
        if status == 403:
            return Answer(403, [(b"content-type", b"text/html")], b"<html><body><h1>403 Forbidden</h1></body></html>")
        if path.startswith("/api/"):
            return Answer(status, TEXT, b"error")
        error = {429: "Too many requests for some devices and users", 413: "Payload too large"}
        content = {"code": status, "error": error.get(status, "Internal error"), **details}
        return Answer(status, JSON, orjson.dumps(content))

    def records(self) -> Mapping[str, Iterable[Record]]:
        """Users and groups with properties, events, ``$identify`` and ``$groupidentify``, cohorts."""
        held = self._project
        return {
            "users": (
                {
                    "amplitude_id": user.amplitude_id,
                    "user_id": user.user_id,
                    "device_ids": sorted(user.device_ids),
                    "properties": user.properties,
                    "groups": user.groups,
                    "events": user.events,
                }
                for user in held.users.values()
            ),
            "events": held.events,
            "identifies": held.identifies,
            "groups": (
                {"type": kind, "name": name, "properties": properties}
                for (kind, name), properties in held.groups.items()
            ),
            "cohorts": (
                {"id": cohort.id, "name": cohort.name, "members": list(cohort.members)}
                for cohort in held.cohorts.values()
            ),
        }

    def counts(self) -> Mapping[str, Any]:
        """How much of each; events that were ``duplicates``, and those of reserved ids that were ``dropped``."""
        held = self._project
        return {
            "users": len(held.users),
            "events": held.event_count,
            "identifies": held.identify_count,
            "groups": len(held.groups),
            "cohorts": len(held.cohorts),
            "duplicates": held.duplicates,
            "dropped": held.dropped,
        }

    def put(self, kind: str, record: Record) -> Record:
        """Sets up ``users`` that cohorts can have: ``{"user_id": ...}``; and ``cohorts``: ``{"name": ...}``."""
        if kind == "cohorts":
            cohort = self._project.new_cohort(str(record["name"]))
            return {"id": cohort.id, "name": cohort.name}
        if kind != "users":
            return super().put(kind, record)
        user = self._project.user(str(record["user_id"]), record.get("device_id"))
        user.properties.update(record.get("properties", {}))
        return {"amplitude_id": user.amplitude_id, "user_id": user.user_id}


STANDIN: Final = Amplitude
