"""Which values a field takes, and how they are kept: of JSON, and of a job's CSV.

Documented: lengths, restricted picklists, digits before the point, forms of dates. Inferred: that more decimals than
``scale`` are rounded without an error, that text is trimmed, that a blank text is null, that booleans cannot be null.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from reverse_etl.sandbox.salesforce.problems import RecordError, RefusedValueError
from reverse_etl.sandbox.salesforce.schema import NUMBERS, Field

WRONG_TYPE = "INVALID_TYPE_ON_FIELD_IN_RECORD"
_EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)+")
DAY = r"\d{4}-\d{2}-\d{2}"
INSTANT = DAY + r"T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})"
NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
_DAY, _INSTANT, _NUMBER = re.compile(DAY), re.compile(INSTANT), re.compile(NUMBER)


def from_json(field: Field, value: Any) -> Any:
    """A value of a JSON body as it is kept; null where it clears.

    Raises:
        RefusedValueError: The field does not take it.
    """
    if value is None or (value == "" and field.type != "boolean"):
        return _clear(field)
    if field.type == "boolean" and isinstance(value, bool):
        return value
    try:
        if field.type in NUMBERS and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return _number(field, Decimal(str(value)))
        if isinstance(value, str):
            return from_text(field, value)
    except RefusedValueError as refused:
        if refused.error.code != WRONG_TYPE:
            raise
    raise _unreadable(field, value)


def from_text(field: Field, text: str) -> Any:
    """A value of a job's CSV as it is kept; ``#N/A`` and empty ones are not asked here.

    Raises:
        RefusedValueError: The field does not take it.
    """
    if field.type in NUMBERS:
        if not _NUMBER.fullmatch(text.strip()):
            raise _wrong_type(field, text)
        try:
            return _number(field, Decimal(text.strip()))
        except InvalidOperation:
            raise _wrong_type(field, text) from None
    if field.type == "boolean":
        if text.lower() not in _TRUTHS:
            raise _wrong_type(field, text)
        return _TRUTHS[text.lower()]
    if field.type == "date":
        return _day(field, text)
    if field.type == "datetime":
        return _instant(field, text)
    return _text(field, text.strip())


def clear(field: Field) -> None:
    """Null, where the field may be.

    Raises:
        RefusedValueError: It may not.
    """
    return _clear(field)


_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def _clear(field: Field) -> None:
    if field.type == "boolean":
        raise RefusedValueError(
            RecordError(WRONG_TYPE, f"{field.name}: value not of required type: null", (field.name,))
        )


def _text(field: Field, text: str) -> str | None:
    if not text:
        return None
    if len(text) > field.length:
        shown = text[:20]
        message = f"{field.name}: data value too large: {shown} (max length={field.length})"
        raise RefusedValueError(RecordError("STRING_TOO_LONG", message, (field.name,)))
    if field.type == "email" and not _EMAIL.fullmatch(text):
        message = f"{field.name}: invalid email address: {text}"
        raise RefusedValueError(RecordError("INVALID_EMAIL_ADDRESS", message, (field.name,)))
    if field.restricted:
        chosen = text.split(";") if field.type == "multipicklist" else [text]
        wrong = next((each for each in chosen if each not in field.options), None)
        if wrong is not None:
            message = f"{field.name}: bad value for restricted picklist field: {wrong}"
            raise RefusedValueError(RecordError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, (field.name,)))
    return text


def _number(field: Field, value: Decimal) -> int | float | Decimal:
    if field.type == "int" and value != value.to_integral_value():
        raise _wrong_type(field, str(value))
    if not value.is_finite() or abs(value) >= Decimal(10) ** (field.precision - field.scale):
        message = f"{field.name}: value outside of valid range on numeric field: {value}"
        raise RefusedValueError(RecordError("NUMBER_OUTSIDE_VALID_RANGE", message, (field.name,)))
    rounded = value.quantize(Decimal(1).scaleb(-field.scale), ROUND_HALF_UP)
    if field.type == "int":
        return int(rounded)
    nearest = float(rounded)
    return nearest if Decimal(repr(nearest)) == rounded else rounded


def _day(field: Field, text: str) -> str:
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "").isoformat()
    except ValueError:
        raise _wrong_type(field, text) from None


def _instant(field: Field, text: str) -> str:
    try:
        return iso(datetime.fromisoformat(text if _INSTANT.fullmatch(text) else ""))
    except (ValueError, OverflowError):
        raise _wrong_type(field, text) from None


def iso(at: datetime) -> str:
    """An instant as Salesforce writes it: UTC, milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"


def _wrong_type(field: Field, text: str) -> RefusedValueError:
    message = f"{field.name}: value not of required type: {text}"
    return RefusedValueError(RecordError(WRONG_TYPE, message, (field.name,)))


def _unreadable(field: Field, value: Any) -> RefusedValueError:
    kind = {str: "STRING", bool: "BOOLEAN", int: "NUMBER_INT", float: "NUMBER_FLOAT"}.get(type(value), "START_OBJECT")
    message = f"Cannot deserialize instance of {field.type} from VALUE_{kind} value {value}"
    return RefusedValueError(RecordError("JSON_PARSER_ERROR", message, (field.name,)))
