"""What is sent of a person who is gone. Source: Customer.io's Track API OpenAPI, August 2026."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reverse_etl.destinations.powers import GONE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reverse_etl.config.gone import Gone
    from reverse_etl.destinations.customerio.sections import PeopleConfig


def person_who_is_gone(texts: Iterable[str], gone: Gone, config: PeopleConfig) -> str:
    """What follows the identifiers of a person who is gone."""
    if gone.action not in ("set", "clear"):
        return f',"action":"{gone.action}"}}'
    update = {"_update": True} if config.write == "update_only" else {}
    # A person's id cannot be cleared.
    cleared = {name: "" for name in texts if name not in ("id", GONE)} if gone.action == "clear" else {}
    attributes = json.dumps({**update, **cleared, **gone.attributes}, ensure_ascii=False, separators=(",", ":"))
    return f',"action":"identify","attributes":{attributes}}}'
