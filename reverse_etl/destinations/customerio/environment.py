"""Which workspace is behind a name: by its environment's id, or else by its address and site id.

Source: Track API OpenAPI, August 2026: ``GET /api/v1/accounts/region`` answers with an ``environment_id``.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reverse_etl.changeset.recipient import Recipient
from reverse_etl.destinations.customerio import lookup
from reverse_etl.destinations.customerio.client import Client
from reverse_etl.errors import DestinationError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.workspace import WorkspaceConfig

_ONCE: Final = RetryPolicy(budget_s=0.0)
_AT_MOST_S: Final = 10.0


def at_address(workspace: WorkspaceConfig) -> Recipient:
    """The workspace as it is known without asking. Raises UnsetVariableError, ConfigError."""
    return Recipient.at(workspace.track_base_url(), workspace.site_id.resolve().strip())


async def ask(workspace: WorkspaceConfig, *, clock: Clock | None = None) -> Recipient:
    """The workspace as it calls itself.

    Raises:
        DestinationError: It gives no usable answer within the retry budget, or refuses.
    """
    return await _asked(workspace, RetryPolicy.from_environment(), clock or Clock())


async def ask_once(workspace: WorkspaceConfig, *, clock: Clock | None = None) -> Recipient | None:
    """The same without waiting for one that is away; None where it does not identify itself at once."""
    try:
        async with asyncio.timeout(_AT_MOST_S):
            return await _asked(workspace, _ONCE, clock or Clock())
    except (DestinationError, TimeoutError):
        return None


async def _asked(workspace: WorkspaceConfig, policy: RetryPolicy, clock: Clock) -> Recipient:
    async with Client(workspace, clock=clock) as client:
        patience = Patience(policy, name=f"workspace {workspace.name}", clock=clock)
        environment = await lookup.require_region(client, patience, workspace.region)
        return replace(at_address(workspace), environment=environment)
