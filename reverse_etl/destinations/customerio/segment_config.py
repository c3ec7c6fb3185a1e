"""A sync's manual segment as its file names it. The destination fills it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from reverse_etl.config.model import YamlModel
from reverse_etl.config.percent import Percent


class SegmentConfig(YamlModel):
    """A manual segment: ``name`` finds or creates it, ``id`` must exist. Exactly one is set.

    Attributes:
        mirror: Whether people leave it whom a completed run no longer returns.
        mirror_max_removed: Share of the segment, in percent, of which a run may remove at most so much.
    """

    name: str | None = Field(default=None, min_length=1, description="Found by this name, or created.")
    id: int | None = Field(default=None, ge=1, description="Must exist in the workspace.")
    mirror: bool = Field(
        default=False,
        description="People whom the query no longer returns leave the segment; views that it reads have no LIMIT.",
    )
    mirror_max_removed: Percent = Field(
        default=50.0, description="A run that would remove more of the segment fails and removes no one."
    )

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Exactly one of the two keys; a limit for what is done only."""
        both = {"name", "id"} <= given.keys()
        if both or not {"name", "id"} & given.keys():
            yield "", "takes name or id, not both" if both else "needs name or id"
        if "mirror_max_removed" in given and given.get("mirror") is not True:
            yield "mirror_max_removed", "goes with mirror: true only"
