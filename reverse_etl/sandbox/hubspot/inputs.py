"""The bodies of batches: what each input is, and refusals of bodies that are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson
from starlette.responses import Response

from reverse_etl.sandbox.hubspot.problems import Problem, invalid_json

MOST_INPUTS = 100


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a batch that writes.

    Attributes:
        id: Empty where it creates.
        id_property: Which property's value ``id`` is; None where it is the record's id.
        trace_id: ``objectWriteTraceId``.
    """

    id: str
    properties: dict[str, str]
    id_property: str | None
    trace_id: str | None


class MalformedError(ValueError):
    """A body that the call does not take; nothing of it was done."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


def content(body: bytes, kind: type[dict[str, Any]] | type[list[Any]]) -> Any:
    """What a body is.

    Raises:
        MalformedError: It is not of this kind.
    """
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise MalformedError(invalid_json("the body must be " + ("a list" if kind is list else "an object")))
    return found


def raw_inputs(body: dict[str, Any], *, most: int = MOST_INPUTS) -> list[dict[str, Any]]:
    """The inputs as they were sent.

    Raises:
        MalformedError: There are none, more than may be, or one is no object.
    """
    found = body.get("inputs")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise MalformedError(invalid_json("inputs must be a list of objects"))
    if not found:
        raise MalformedError(Problem("The inputs of a batch cannot be empty").answer())
    if len(found) > most:
        raise MalformedError(Problem(f"The batch has {len(found)} inputs; the maximum is {most}").answer())
    return found


def ids(body: dict[str, Any]) -> list[str]:
    """The ids that a body of inputs names.

    Raises:
        MalformedError: It names none, or one is no text.
    """
    return [_text(each.get("id"), "id") for each in raw_inputs(body)]


def writes(body: dict[str, Any], *, creates: bool, not_text: Literal["refuse", "convert"]) -> list[Input]:
    """The inputs of a batch that writes.

    Raises:
        MalformedError: A part of one is not what it must be; a value that is no text, unless it is to be converted.
    """
    return [_write(each, creates, not_text) for each in raw_inputs(body)]


def _write(each: dict[str, Any], creates: bool, not_text: str) -> Input:
    found = each.get("properties")
    if not isinstance(found, dict):
        raise MalformedError(invalid_json("properties must be an object"))
    for name, value in found.items():
        if type(value) is str:
            continue
        if not_text == "refuse" or value is None or isinstance(value, list | dict):
            kind = type(value).__name__
            raise MalformedError(invalid_json(f"the value of {name} must be a text and is of type {kind}"))
        found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    id_property, trace_id = each.get("idProperty"), each.get("objectWriteTraceId")
    return Input(
        id="" if creates else _text(each.get("id"), "id"),
        properties=found,
        id_property=None if id_property is None else _text(id_property, "idProperty"),
        trace_id=None if trace_id is None else _text(trace_id, "objectWriteTraceId"),
    )


def _text(value: Any, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise MalformedError(invalid_json(f"{name} must be a text"))
    return value
