"""Manual segments: found or made through the App API, filled through Track API v1.

Source: Track API and App API OpenAPI, 2026. People must exist before they can join; values that match no person are
ignored by Customer.io without a word, so only delivered people are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

import pyarrow as pa

from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.customerio.lookup import entries, entry, number
from reverse_etl.errors import ConfigError
from reverse_etl.pacing.concurrency import together

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.client import Client
    from reverse_etl.destinations.customerio.segment_config import SegmentConfig
    from reverse_etl.pacing.retry import Patience

MOST_PEOPLE_A_CALL: Final = 1000


async def segment_id(client: Client, patience: Patience, wanted: SegmentConfig) -> int:
    """The id of the segment that a sync names; one wanted by name is created when there is none.

    Raises:
        ConfigError: There is no such segment, or it is not a manual one; or it is wanted by name, and the workspace has
            no App API key.
    """
    if wanted.id is not None:
        if client.has_app_key:
            await _require_manual(client, patience, wanted.id)
        return wanted.id
    if not client.has_app_key:
        raise ConfigError(
            f"workspace {client.workspace} has no app_api_key, which finding a segment by name needs.",
            hint="Add app_api_key to the workspace in connections.yaml, or write `segment: {id: ...}`.",
        )
    name = wanted.name

    async def find_or_create() -> int | TryAgain:
        # Creating is not repeatable, so each further attempt looks first whether the one before it got through.
        listed = await client.ask("App", "GET", "/v1/segments")
        if isinstance(listed, TryAgain):
            return listed
        segments = entries(listed, "segments", workspace=client.workspace)
        found = [segment for segment in segments if segment.get("name") == name]
        manual = [
            number(listed, segment, "id", workspace=client.workspace)
            for segment in found
            if segment.get("type") == "manual"
        ]
        if manual:
            return min(manual)
        if found:
            raise _not_manual(client, f"named {name}")
        made = await client.ask("App", "POST", "/v1/segments", body={"segment": {"name": name}})
        if isinstance(made, TryAgain):
            return made
        segment = entry(made, "segment", workspace=client.workspace)
        return number(made, segment, "id", workspace=client.workspace)

    return await patience.until_settled(find_or_create)


async def change_people(
    client: Client,
    patience: Patience,
    identifiers: Iterable[pa.StringArray],
    *,
    change: Literal["add_customers", "remove_customers"] = "add_customers",
    segment: int,
    id_type: str,
    at_once: int,
) -> int:
    """Puts people into a segment, or takes them out, and returns how many; repeating it changes nothing.

    Args:
        client: The workspace.
        patience: The retry budget.
        identifiers: Of people who are there; any number, one pass.
        change: What is done, by the API's name.
        segment: The segment's id.
        id_type: What the identifiers are: ``id``, ``email`` or ``cio_id``.
        at_once: Requests open at once.

    Raises:
        ConfigError: The segment is gone, or not a manual one.
    """
    refused = "takes no people" if change == "add_customers" else "removes no one"

    async def send(people: Sequence[str]) -> None:
        reply = await patience.until_settled(
            lambda: client.ask(
                "Track",
                "POST",
                f"/api/v1/segments/{segment}/{change}",
                body={"ids": people},
                params={"id_type": id_type},
            )
        )
        if reply.status != 200:
            raise ConfigError(
                f"workspace {client.workspace}: segment {segment} {refused} (HTTP {reply.status}).",
                hint="It must exist and be a manual segment. The people themselves were delivered.",
            )

    named = 0
    chunks = _chunks(identifiers)
    while window := list(islice(chunks, at_once)):
        await together([send(people) for people in window])
        named += sum(map(len, window))
    return named


async def _require_manual(client: Client, patience: Patience, wanted: int) -> None:
    reply = await patience.until_settled(lambda: client.ask("App", "GET", f"/v1/segments/{wanted}"))
    if reply.status == 404:
        raise ConfigError(
            f"workspace {client.workspace} has no segment {wanted}.",
            hint="Correct `segment: {id: ...}`, or write `segment: {name: ...}` to have it created.",
        )
    if entry(reply, "segment", workspace=client.workspace).get("type") != "manual":
        raise _not_manual(client, str(wanted))


def _not_manual(client: Client, which: str) -> ConfigError:
    return ConfigError(
        f"workspace {client.workspace}: segment {which} is data-driven, and only a manual one takes people.",
        hint="Choose another segment in the sync's file.",
    )


def _chunks(identifiers: Iterable[pa.StringArray]) -> Iterator[list[str]]:
    """Lists of as many identifiers as one call takes."""
    flat = (value for array in identifiers for value in array.to_pylist())
    while chunk := list(islice(flat, MOST_PEOPLE_A_CALL)):
        yield chunk
