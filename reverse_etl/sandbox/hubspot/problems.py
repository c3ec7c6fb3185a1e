"""How HubSpot words a refusal: of a whole request, of one input, of one value. Nothing here decides on one.

Source: developers.hubspot.com, error handling (2026); the texts of validation errors are as clients' issues quote them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer

Context = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class ValueProblem:
    """Why one value is refused.

    Attributes:
        property: The name of the property.
        code: HubSpot's, such as ``INVALID_OPTION``.
    """

    property: str
    code: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """As an entry of an error's ``errors``."""
        return {"message": self.message, "code": self.code, "context": {"propertyName": [self.property]}}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an input, or the whole request where it fails for one input, is refused.

    Attributes:
        status: Of the answer where it fails the whole request.
    """

    message: str
    category: str = "VALIDATION_ERROR"
    status: int = 400
    values: Sequence[ValueProblem] = ()
    context: Context = field(default_factory=dict)

    def answer(self) -> Response:
        """The refusal of a whole request."""
        details = [each.as_json() for each in self.values]
        return refusal(self.status, self.category, self.message, errors=details, context=self.context)

    def as_json(self, context: Context) -> dict[str, Any]:
        """As an entry of a batch's ``errors``; ``context`` says which inputs it is about."""
        return {
            "status": "error",
            "category": self.category,
            "message": self.message,
            "context": {**self.context, **context},
            "errors": [each.as_json() for each in self.values],
            "links": {},
        }


def invalid_values(values: Sequence[ValueProblem]) -> Problem:
    """The problem of an input with these values."""
    told = [{"isValid": False, "message": each.message, "error": each.code, "name": each.property} for each in values]
    return Problem(f"Property values were not valid: {json.dumps(told, separators=(',', ':'))}", values=values)


def refusal(
    status: int,
    category: str,
    message: str,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    context: Context | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """An error's body, of which every part but the message may be missing."""
    content: dict[str, Any] = {"status": "error", "message": message, "correlationId": str(uuid.uuid4())}
    if errors:
        content["errors"] = list(errors)
    if context:
        content["context"] = context
    return json_answer(status, {**content, "category": category, **more}, headers)


def invalid_json(message: str) -> Response:
    """The body is not what the call takes."""
    return refusal(400, "VALIDATION_ERROR", f"Invalid input JSON on line 1, column 1: {message}")


def not_found(message: str = "resource not found") -> Response:
    """There is nothing at that address."""
    return refusal(404, "OBJECT_NOT_FOUND", message)
