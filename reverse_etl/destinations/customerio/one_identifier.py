"""One identifier a workspace: what its syncs name people by, and who says why they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reverse_etl.config.model import Misfit, YamlModel
from reverse_etl.destinations.customerio.sections import EventsConfig, PeopleConfig, RelationshipsConfig

_SECTIONS: Final[Mapping[str, type[YamlModel]]] = {
    "people": PeopleConfig,
    "events": EventsConfig,
    "relationships": RelationshipsConfig,
}
_IDENTIFIERS: Final = ("id", "email")


def within(values: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a file, each section of people with the workspace's identifier where it names none."""
    declared, found = entry.get("identify_by"), dict(values)
    for name, keys in _sections(values) if declared in _IDENTIFIERS else ():
        if "identify_by" not in keys:
            found[name] = {**values[name], "identify_by": declared}
    return found


def strays(values: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[Misfit]:
    """Sections with another identifier than the workspace's, and no reason."""
    declared = entry.get("identify_by")
    for name, keys in _sections(values) if declared in _IDENTIFIERS else ():
        own = keys.get("identify_by", declared)
        if own in _IDENTIFIERS and own != declared and not str(keys.get("identify_by_reason") or "").strip():
            text = f"the workspace identifies people by {declared}, so that {own} may make a second person of one: "
            text += f"write `identify_by: {declared}`, or say why not in `identify_by_reason`"
            yield (name, "identify_by"), text


def _sections(values: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The sections that name people, their keys as they were meant."""
    for name, model in _SECTIONS.items():
        if isinstance(keys := values.get(name), Mapping):
            yield name, model.as_meant(keys)
