"""Cohorts: an upload replaces, a membership adds and removes; ids of nobody are skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from reverse_etl.sandbox.amplitude.project import Cohort, Project
from reverse_etl.sandbox.amplitude.settings import AmplitudeSettings
from reverse_etl.sandbox.base import json_answer, object_of, own_fault

MAX_IDS: Final = 100_000
_UPLOAD_TYPES: Final = {"BY_USER_ID": False, "BY_AMP_ID": True}
_MEMBER_TYPES: Final = {"BY_NAME": False, "BY_ID": True}
_SAMPLE: Final = 10
OWN_FAULTS: Final = {
    "results_missing": "changes a cohort, and answers 200 without the result of the last operation",
    "results_of_others": "changes a cohort, and answers 200 with the results of another request",
}


class Cohorts:
    """The endpoints over one project. One request at a time a cohort."""

    def __init__(self, project: Callable[[], Project], settings: Callable[[], AmplitudeSettings]) -> None:
        self._project = project
        self._settings = settings
        self._busy: set[str] = set()

    async def listed(self, request: Request) -> Response:  # noqa: ARG002 - it takes no parameters
        """Every cohort that is published."""
        found = self._project().cohorts.values()
        cohorts = [{"id": each.id, "name": each.name, "size": len(each.members), "archived": False} for each in found]
        return json_answer(200, {"cohorts": cohorts})

    async def upload(self, request: Request) -> Response:
        """Makes a cohort, or replaces the members of ``existing_cohort_id``."""
        wanted = await object_of(request)
        missing = [name for name in ("name", "app_id", "id_type", "ids", "owner", "published") if name not in wanted]
        ids, kind = wanted.get("ids"), wanted.get("id_type")
        existing = wanted.get("existing_cohort_id")
        project = self._project()
        if missing and not existing:
            return _refused(f"Missing required field: {missing[0]}")
        if not isinstance(ids, list) or len(ids) > MAX_IDS:
            return _refused(f"ids must be a list of at most {MAX_IDS}")
        if kind not in _UPLOAD_TYPES:
            return _refused(f"id_type must be one of {', '.join(_UPLOAD_TYPES)}")
        if existing and existing not in project.cohorts:
            return json_answer(404, {"error": "Cohort not found"})
        found, unknown = self._found(ids, by_amplitude_id=_UPLOAD_TYPES[kind])
        if unknown and not wanted.get("skip_invalid_ids"):
            return json_answer(400, {"error": "Invalid ids", "invalid_ids_sample": unknown[:_SAMPLE]})
        request.scope["sandbox.items"] = len(ids)
        if wanted.get("skip_save"):
            return json_answer(200, {"invalid_ids_sample": unknown[:_SAMPLE]})
        cohort = project.cohorts[existing] if existing else project.new_cohort(wanted["name"])
        cohort.members = dict.fromkeys(found)
        return json_answer(200, {self._settings().cohort_key: cohort.id, "invalid_ids_sample": unknown[:_SAMPLE]})

    async def membership(self, request: Request) -> Response:
        """Adds and removes members; the answer has the ids that were skipped, operation by operation."""
        wanted = await object_of(request)
        cohort = self._project().cohorts.get(str(wanted.get("cohort_id")))
        memberships = wanted.get("memberships")
        if cohort is None:
            return json_answer(404, {"error": "Cohort not found"})
        if not isinstance(memberships, list) or not all(map(_is_membership, memberships)):
            return _refused("memberships must be a list of ids, id_type and operation ADD or REMOVE")
        if cohort.id in self._busy:
            return json_answer(429, {"error": "Another request for this cohort is being processed"})
        fault = own_fault(request, *OWN_FAULTS)
        self._busy.add(cohort.id)
        try:
            # Others that came at the same time are answered in between: with 429.
            await asyncio.sleep(0)
            results = [self._change(cohort, one) for one in memberships]
        finally:
            self._busy.discard(cohort.id)
        if any(result["skipped_ids"] for result in results) and not wanted.get("skip_invalid_ids", True):
            return json_answer(400, {"error": "Invalid ids", "memberships_result": results})
        request.scope["sandbox.items"] = sum(len(one["ids"]) for one in memberships)
        if fault is not None:
            results = results[:-1] if fault.own == "results_missing" else [{"skipped_ids": ["nobody-of-these"]}]
        return json_answer(200, {"cohort_id": cohort.id, "memberships_result": results})

    def _change(self, cohort: Cohort, one: dict[str, Any]) -> dict[str, Any]:
        found, unknown = self._found(one["ids"], by_amplitude_id=_MEMBER_TYPES[one["id_type"]])
        for user_id in found:
            if one["operation"] == "ADD":
                cohort.members[user_id] = None
            else:
                cohort.members.pop(user_id, None)
        return {"skipped_ids": unknown, "operation": one["operation"]}

    def _found(self, ids: Iterable[Any], *, by_amplitude_id: bool) -> tuple[list[str], list[Any]]:
        """The user ids of those that Amplitude knows, and the others as they were sent."""
        project = self._project()
        found, unknown = [], []
        for each in ids:
            user = None
            if by_amplitude_id and str(each).isdecimal():
                user = project.by_amplitude_id.get(int(each))
            if user is None and (not by_amplitude_id or self._settings().by_id == "either"):
                user = project.users.get(("user", str(each)))
            if user is None or user.user_id is None:
                unknown.append(each)
            else:
                found.append(user.user_id)
        return found, unknown


def _is_membership(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("ids"), list)
        and len(one["ids"]) <= MAX_IDS
        and one.get("id_type") in _MEMBER_TYPES
        and one.get("operation") in ("ADD", "REMOVE")
    )


def _refused(error: str) -> Response:
    return json_answer(400, {"error": error})
