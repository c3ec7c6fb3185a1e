"""How Salesforce words a refusal: of one record, in JSON and in a job's CSV, and of a whole request."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer


class RecordError(NamedTuple):
    """Why one record is refused.

    Attributes:
        code: ``statusCode``.
        fields: The names of the fields at fault.
    """

    code: str
    message: str
    fields: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As an entry of a result's ``errors``."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}

    def as_text(self) -> str:
        """As ``sf__Error``."""
        return f"{self.code}:{self.message}:{','.join(self.fields) or '--'}{' --' if self.fields else ''}"


class RefusedValueError(ValueError):
    """A value that its field does not take."""

    def __init__(self, error: RecordError) -> None:
        super().__init__(error.message)
        self.error = error


class RequestError(Exception):
    """A request that is refused as a whole: nothing of it was done."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def answer(self) -> Response:
        """A JSON array, as all errors of the REST API are."""
        told: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields:
            told["fields"] = list(self.fields)
        return json_answer(self.status, [told])


def not_found(message: str = "The requested resource does not exist") -> RequestError:
    """There is nothing at that address."""
    return RequestError(404, "NOT_FOUND", message)
