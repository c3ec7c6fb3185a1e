"""Why an accepted change was not made, and what mends it: Customer.io's words sorted into causes of our own wording.

The feed's texts may hold values of rows, so none is repeated.
Source: docs.customer.io/journeys/identifying-people and Track API OpenAPI, 2026.
"""

from __future__ import annotations

import re
from typing import Final

from reverse_etl.destinations.customerio.activities import Activity
from reverse_etl.report import Reason

SUPPRESSED: Final = "person is suppressed"
LEFT_OUT: Final = Reason("suppressed", "", SUPPRESSED)

_CAUSES: Final = (
    (r"suppressed", "", SUPPRESSED),
    (
        r"belongs to (another|a different)|(already|is) (taken|in use)|different (person|people|profile)",
        "identifier",
        "the {field} belongs to another person in the workspace: merge the two there, or correct the row.",
    ),
    (
        r"(is )?set already|already (set|has)|cannot be changed",
        "identifier",
        "the person already has another {field}, which only an update by cio_id may change: change it in Customer.io, "
        "or correct the row.",
    ),
    (r"identifiers do not match", "", "the row's identifiers are those of different people: correct the row."),
    (
        r"email[^.]*invalid|invalid[^.]*email",
        "email",
        "Customer.io considers the e-mail address invalid: correct it in the source.",
    ),
    (
        r"more than 300|300 attributes|100 kilobytes",
        "",
        "the record would have more attributes than Customer.io keeps: remove some there, or select fewer columns.",
    ),
    (r"object type does not exist", "object_type", "the workspace has no such object type: make it there first."),
    (r"does not exist", "", "what the row is about does not exist in the workspace: send that first."),
)

_OTHERWISE: Final = "Customer.io accepted the row and did not apply it; its activity log shows the values."


def cause(activity: Activity) -> Reason:
    """Why the row that an activity is about failed."""
    kind = activity.type.rpartition(":")[2].removeprefix("relationship_")
    reason = kind.replace("_", " ").title()
    text = f"{activity.text} {activity.field}"
    for pattern, field, message in _CAUSES:
        if re.search(pattern, text):
            at_fault = _identifier(activity) if field == "identifier" else field
            return Reason(reason, at_fault, message.format(field=at_fault or "identifier"))
    return Reason(reason, "", _OTHERWISE)


def _identifier(activity: Activity) -> str:
    if activity.field in ("id", "email"):
        return activity.field
    named = [name for name in ("email", "id") if re.search(rf"\b{name}\b", activity.text)]
    return named[0] if named else ""
