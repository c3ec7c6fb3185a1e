"""Words that Customer.io's API takes for its own where attributes stand, so that no column can have such a name.

Sources: Customer.io's Track API OpenAPI, August 2026 (identify_person, PUT /api/v1/customers/{identifier}); for objects
docs.customer.io/journeys/objects-data/objects/create. `recipient`, `from_address` and `reply_to` of an event,
`unsubscribed` and `cio_subscription_preferences` of a person are meant to be set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reverse_etl.config.syncs import Kind

API_WORDS: Final[dict[Kind, dict[str, str]]] = {
    "people": {
        "_update": "use `write: update_only` to only update people, or rename the column with AS",
        "_timestamp": "rename the column with AS",
        "cio_relationships": "write a relationships query, or rename the column with AS",
        "cio_id": "identify people by id or email, or rename the column with AS",
    },
    "objects": {
        "cio_relationships": "write a relationships query, or rename the column with AS",
        "cio_object_id": "rename the column with AS",
        "object_type_id": "rename it with `AS object_type` where it is the object's type, otherwise to another name",
    },
    "events": {},
}
"""What to do about a column of the rows' query, by kind and name, matched exactly."""
