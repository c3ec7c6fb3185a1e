"""The rows that one rule leaves out, as they are stored beside the parts."""

from __future__ import annotations

from dataclasses import dataclass, field

EXCLUDED_FILE = "excluded.json"
LEFT_OUT_FILE = "left_out.json"
FIRST_EXCLUDED = 100


@dataclass(slots=True)
class Excluded:
    """The rows that one rule leaves out; those that an earlier one leaves out, or that any rejects, do not count.

    Attributes:
        rule: The rule's name.
        message: Why, a sentence.
        rows: How many.
        first: The numbers of the first ``FIRST_EXCLUDED``, ascending.
    """

    rule: str
    message: str = ""
    rows: int = 0
    first: list[int] = field(default_factory=list)
