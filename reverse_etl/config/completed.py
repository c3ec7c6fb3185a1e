"""A document with the keys of another one that it lacks, each at its own line of its own file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from reverse_etl.config.document import Document, Place


def completed(document: Document, by: Document, file: str, *, entry_by_entry: Collection[str] = ()) -> Document:
    """A document with the keys of another one that it does not have, each whole.

    Args:
        document: What goes first.
        by: What it is completed by; its problems stay out.
        file: The name of the file that ``by`` is from, as messages show it.
        entry_by_entry: Keys that both may have, of mappings that are completed in the same way.
    """
    values, place = _completed(document.values, document.place, by.values, by.place, file)
    for key in entry_by_entry:
        first, second = document.values.get(key), by.values.get(key)
        if isinstance(first, dict) and isinstance(second, dict):
            places = document.place.children[key], by.place.children[key]
            values[key], place.children[key] = _completed(first, places[0], second, places[1], file)
    return Document(values, place, document.problems)


def _completed(
    values: dict[str, Any], place: Place, by: dict[str, Any], by_place: Place, file: str
) -> tuple[dict[str, Any], Place]:
    added = {key: value for key, value in by.items() if key not in values}
    places: dict[str | int, Place] = {
        key: replace(by_place.children[key], origin=file) for key in added if key in by_place.children
    }
    return {**values, **added}, replace(place, children={**place.children, **places})
