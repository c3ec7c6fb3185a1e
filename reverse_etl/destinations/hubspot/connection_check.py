"""What works between here and an account beyond its answer: which object types the app may see, and what they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reverse_etl.destinations.hubspot.properties import properties
from reverse_etl.errors import ConfigError, DestinationRefusedError
from reverse_etl.report import Step

if TYPE_CHECKING:
    from reverse_etl.destinations.hubspot.client import Client
    from reverse_etl.pacing.retry import Patience

_TYPES: Final = ("contacts", "companies", "deals", "tickets")
_HINT: Final = "Syncs need the scopes crm.objects.TYPE.read and .write, and crm.schemas.TYPE.read, of their types."


async def more(client: Client, patience: Patience) -> list[Step]:
    """How many properties each type has, as far as the app's scopes let it see."""
    seen, unseen = [], []
    for kind in _TYPES:
        try:
            seen.append(f"{kind} {len(await properties(client, patience, kind))}")
        except (ConfigError, DestinationRefusedError):
            unseen.append(kind)
    if not seen:
        return [Step("scopes", False, "the app may see no properties", _HINT)]
    scopes = Step("scopes", True, f"none for {', '.join(unseen)}" if unseen else "all types", _HINT if unseen else "")
    return [scopes, Step("properties", True, ", ".join(seen))]
