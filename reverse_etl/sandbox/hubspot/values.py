"""Which values a property takes, and how they are kept.

Documented: all values are text; dates are ``YYYY-MM-DD`` or midnight UTC in milliseconds; date-times ISO 8601 or
milliseconds; options by their internal value, several joined by ``;``; ``""`` clears. Inferred: the longest text.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from reverse_etl.sandbox.hubspot.problems import ValueProblem
from reverse_etl.sandbox.hubspot.schema import ObjectType, Property

LONGEST_TEXT = 65_536
_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@.<>,;]+(\.[^\s@.<>,;]+)+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MILLISECONDS = re.compile(r"-?\d{1,15}")
_MS_A_DAY = 86_400_000


class RefusedError(ValueError):
    """A value that its property does not take."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def clean(kind: ObjectType, properties: dict[str, str]) -> tuple[dict[str, str], list[ValueProblem]]:
    """The values as they are kept, and what is wrong with the others; an empty text clears."""
    kept, problems = {}, []
    for name, text in properties.items():
        found = kind.properties.get(name)
        if found is None:
            problems.append(ValueProblem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
        elif found.read_only:
            message = f'"{name}" is a read only property; its value cannot be set.'
            problems.append(ValueProblem(name, "READ_ONLY_VALUE", message))
        else:
            try:
                kept[name] = normal(found, text) if text else ""
            except RefusedError as refused:
                problems.append(ValueProblem(name, refused.code, str(refused)))
    return kept, problems


def normal(found: Property, text: str) -> str:
    """A value as it is kept.

    Raises:
        RefusedError: The property does not take it.
    """
    if found.name == "email":
        if not _EMAIL.fullmatch(text):
            raise RefusedError("INVALID_EMAIL", f"Email address {text} is invalid")
        return text.lower()
    if found.type == "string":
        if len(text) > LONGEST_TEXT:
            raise RefusedError(
                "PROPERTY_VALUE_TOO_LONG", f"A value may have {LONGEST_TEXT} characters, not {len(text)}"
            )
        return text
    if found.type == "number":
        return _number(text)
    if found.type == "bool":
        return _option(text.lower(), ("true", "false"))
    if found.type == "enumeration":
        several = text.strip(";").split(";") if found.several else [text]
        return ";".join(_option(each, found.options) for each in several)
    return _date(text) if found.type == "date" else _instant(text)


def _number(text: str) -> str:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise RefusedError("INVALID_NUMBER", f"{text} was not a valid number.")
    return text


def _option(text: str, options: tuple[str, ...]) -> str:
    if text not in options:
        raise RefusedError("INVALID_OPTION", f"{text} was not one of the allowed options: [{', '.join(options)}]")
    return text


def _date(text: str) -> str:
    if _MILLISECONDS.fullmatch(text):
        if int(text) % _MS_A_DAY:
            raise RefusedError("INVALID_DATE", f"{text} is not midnight UTC")
        return _at(text, "INVALID_DATE").date().isoformat()
    try:
        return (date.fromisoformat(text) if _DAY.fullmatch(text) else _parsed(text)).isoformat()
    except ValueError:
        raise RefusedError("INVALID_DATE", f"{text} was not a valid date") from None


def _parsed(text: str) -> date:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or at.astimezone(UTC).time().isoformat() != "00:00:00":
        raise ValueError(text)
    return at.astimezone(UTC).date()


def _instant(text: str) -> str:
    if _MILLISECONDS.fullmatch(text):
        return iso(_at(text, "INVALID_LONG"))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError("INVALID_LONG", f"{text} was not a valid long.") from None
    if at.tzinfo is None and "T" in text:
        raise RefusedError("INVALID_LONG", f"{text} was not a valid long.")
    return iso(at if at.tzinfo else at.replace(tzinfo=UTC))


def _at(text: str, code: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        raise RefusedError(code, f"{text} is out of range") from None


def iso(at: datetime) -> str:
    """An instant as HubSpot writes it: UTC, milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
