"""Answers that say no: a list of errors with codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4


class NotAllowed(Exception):  # noqa: N818 - an answer, made where it is found
    """An answer other than 200."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


def error_list(code: str, message: str) -> dict[str, Any]:
    """The body."""
    return {"type": "error.list", "request_id": str(uuid4()), "errors": [{"code": code, "message": message}]}


def not_found() -> NotAllowed:
    """No such contact."""
    return NotAllowed(404, "not_found", "User Not Found")
