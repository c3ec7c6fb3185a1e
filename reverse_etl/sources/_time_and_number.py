"""A date-time that is compared with last sync time as it is, a number: the conversion, for an error's hint."""

from __future__ import annotations

import re
from typing import Final

_TIME: Final = r"(?:timestamp|date|time|smalldate)\w*(?: with(?:out)? time zone)?(?:\(\d+\))?"
_NUMBER: Final = r"(?:\w*int(?:eger)?(?:64|_literal)?|number|numeric|decimal|double\w*|float\w*|real)(?:\([\d, ]+\))?"
_BOTH: Final = re.compile(
    rf"(?:(?<![\w'`\"]){_TIME}(?!\w).*?(?<!\w){_NUMBER}(?!\w)|(?<![\w'`\"]){_NUMBER}(?!\w).*?(?<!\w){_TIME}(?!\w))",
    re.IGNORECASE | re.DOTALL,
)
_MISMATCH: Final = re.compile(
    r"operator does not exist|No matching signature for operator|Cannot (?:compare|mix) values of type|"
    r"Invalid argument types for function|Can ?not convert parameter|Operand type clash|"
    r"The data types .+ are incompatible|Arithmetic overflow .+ to data type (?:small)?datetime",
    re.IGNORECASE,
)
_OVERFLOW: Final = re.compile(r"Arithmetic overflow", re.IGNORECASE)


def conversion_hint(message: str, conversion: str) -> str:
    """What to write in place of ``{{last_sync_time}}``, where a message is about a time and a number.

    Args:
        message: The server's own text.
        conversion: The engine's ``LAST_SYNC_TIME``.

    Returns:
        A sentence; empty where the message is about something else.
    """
    found = _MISMATCH.search(message)
    if found is None or not (_OVERFLOW.match(found[0]) or _BOTH.search(message, found.start())):
        return ""
    return f"A date-time does not compare with a number: write {conversion} in place of {{{{last_sync_time}}}}."
