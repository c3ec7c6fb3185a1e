"""The keys of people and objects that say what is sent of them where the sync compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

if TYPE_CHECKING:
    from reverse_etl.config.model import YamlModel

Send = Annotated[
    Literal["whole_rows", "changed_attributes"],
    Field(description="Of rows that changed: everything, or with changes.by: compare only the attributes that differ."),
]
RemovedAttributes = Annotated[
    Literal["keep", "clear"],
    Field(description="Attributes that the query returned before and does not now: kept, or cleared (by: compare)."),
]

COMPARE_KEYS: Final = frozenset({"send", "removed_attributes"})
"""They decide how much is sent of a row that changed, and nothing about which rows there are."""


def needs_comparing(given: Mapping[str, Any], sections: Mapping[str, type[YamlModel]]) -> Iterator[tuple[str, str]]:
    """What of these sections only a sync that compares can do.

    Args:
        given: The sync's keys as written.
        sections: The models of those that have such keys.
    """
    changes = given.get("changes")
    by = changes.get("by") if isinstance(changes, Mapping) else None
    if by == "compare":
        return
    wanted = {"send": "changed_attributes", "removed_attributes": "clear"}
    why = "else it is not known what was sent before"
    if by == "log":
        del wanted["send"]
        why = "an attribute is cleared of everyone, and the log names some"
    for name, model in sections.items():
        section = given.get(name)
        written = model.as_meant(section) if isinstance(section, Mapping) else {}
        asked = [f"{key}: {value}" for key, value in wanted.items() if written.get(key) == value]
        if asked:
            needs = f"{' and '.join(asked)} {'need' if len(asked) > 1 else 'needs'}"
            yield name, f"{needs} `changes: {{by: compare}}`: {why}"
