"""Why HubSpot refuses a row, in our words: its own repeat the row's values."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from reverse_etl.report import Reason

_WORDS: Final = {
    "PROPERTY_DOESNT_EXIST": "there is no property `{}`",
    "READ_ONLY_VALUE": "property `{}` is read-only",
    "INVALID_OPTION": "the value is no option of `{}`",
    "INVALID_EMAIL": "the value of `{}` is no e-mail address",
    "INVALID_DATE": "the value of `{}` is no date",
    "INVALID_LONG": "the value of `{}` is neither a number nor a time",
    "INVALID_INTEGER": "the value of `{}` is no whole number",
    "INVALID_NUMBER": "the value of `{}` is no number",
    "PROPERTY_VALUE_TOO_LONG": "the value of `{}` is too long",
    "CONFLICTING_UNIQUE_VALUE": "another record has this value of `{}`",
}
_CATEGORIES: Final = {
    "CONFLICT": "another record has the same key",
    "OBJECT_NOT_FOUND": "there is no such record",
    "RATE_LIMITS": "too many calls",
}
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{1,60}")
_VALUES: Final = re.compile(r"\[\{.*\}\]", re.DOTALL)


def reason_of(error: Any) -> Reason:
    """The reason in an error, of a whole request or of one input; every part of it may be missing."""
    if not isinstance(error, dict):
        return Reason("refused", "", "HubSpot refused the row.")
    category = _word(error.get("category"))
    code, name = _fault(error)
    if not name and not code:
        words = _CATEGORIES.get(category, f"HubSpot refused the row ({category})" if category else "")
        return Reason(category.lower() or "refused", "", f"{words or 'HubSpot refused the row'}.")
    words = _WORDS.get(code, f"HubSpot takes no such value of `{{}}` ({code})" if code else "HubSpot refused `{}`")
    return Reason(code.lower() or category.lower() or "refused", name, f"{words.format(name or 'a property')}.")


def _fault(error: dict[str, Any]) -> tuple[str, str]:
    """The code and the property of the first value that is at fault; empty where the answer has none."""
    details = error.get("errors")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            context = detail.get("context")
            names = context.get("propertyName") if isinstance(context, dict) else None
            return _word(detail.get("code")), _name(names[0] if isinstance(names, list) and names else None)
    # Older answers have the details in their message alone.
    found = _VALUES.search(str(error.get("message", "")))
    try:
        details = orjson.loads(found.group()) if found is not None else []
    except orjson.JSONDecodeError:
        details = []
    for detail in details:
        if isinstance(detail, dict):
            return _word(detail.get("error")), _name(detail.get("name"))
    return "", ""


def _word(text: Any) -> str:
    return text if isinstance(text, str) and _CODE.fullmatch(text) else ""


def _name(text: Any) -> str:
    return text if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,100}", text) else ""
