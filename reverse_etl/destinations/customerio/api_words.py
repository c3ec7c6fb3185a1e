"""Words that Customer.io's API takes for its own where attributes stand, so that no column can have such a name.

Sources: Customer.io's Track API OpenAPI, August 2026 (identify_person, PUT /api/v1/customers/{identifier}), and the
reserved attributes of objects and relationships, docs.customer.io/journeys/objects-create, July 2026. `_update` and
`_timestamp` are switches of people alone; elsewhere they would be attributes, without any such effect.
`recipient`, `from_address` and `reply_to` of an event, `unsubscribed` and `cio_subscription_preferences` of a person
are meant to be set.
"""

from __future__ import annotations

from typing import Final

_RENAME: Final = "rename the column with AS"
_OBJECT_TYPE: Final = "rename it with `AS object_type` where it is the object's type, otherwise to another name"
_SWITCH: Final = "only people have this switch; leave the column out, or rename it with AS"

API_WORDS: Final[dict[str, dict[str, str]]] = {
    "people": {
        "_update": f"use `write: update_only` to only update people, or {_RENAME}",
        "_timestamp": _RENAME,
        "cio_relationships": f"write a relationships query, or {_RENAME}",
        "cio_id": f"identify people by id or email, or {_RENAME}",
    },
    "objects": {
        "_update": _SWITCH,
        "_timestamp": _SWITCH,
        "cio_relationships": f"write a relationships query, or {_RENAME}",
        "cio_object_id": _RENAME,
        "object_type_id": _OBJECT_TYPE,
        "relationship": _RENAME,
        "_relationship": _RENAME,
    },
    "relationships": {
        "_update": _SWITCH,
        "_timestamp": _SWITCH,
        "cio_relationships": _RENAME,
        "cio_object_id": f"name the object by object_id, or {_RENAME}",
        "object_type_id": _OBJECT_TYPE,
    },
    "events": {
        "_update": _SWITCH,
        "_timestamp": f"the event's time is `occurred_at`; leave the column out, or {_RENAME}",
    },
}
"""What to do about a column, by the kind of its rows and its name, matched exactly."""
