"""What each key looks like in a file: taken from the example project, which `validate` finds in order.

What is not there is taken from the page of an engine, a destination or a channel, or of shaping, tests, names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from reverse_etl.config.document import read_document
from reverse_etl_tests.reference import keys

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference" / "example"

_PAGES: Final = ("databases/*.md", "destinations/*.md", "channels/*.md", "shaping.md", "testing.md", "dictionary.md")
_PEOPLE: Final = ("people", "events", "relationships")
_DIGITS: Final = re.compile(r"'(\d+(?:_\d+)+)'")
"""A number that the reader of files takes as text, as YAML 1.2 has it, and that PyYAML quotes therefore."""


@cache
def _documents() -> dict[str, Any]:
    return {file.stem: read_document(file.read_bytes(), file.name).values for file in sorted(FOLDER.glob("*.yaml"))}


@cache
def _blocks() -> list[dict[str, Any]]:
    """The YAML that the pages of engines, destinations, channels and of a sync's further keys show."""
    pages = [page for pages in _PAGES for page in sorted(FOLDER.parents[1].glob(pages))]
    texts = [text for page in pages for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]
    return [read_document(text.encode(), "page").values for text in texts]


def syncs() -> list[Any]:
    """The example's syncs, then their suppression lists under each key that may have one."""
    found = [document for name, document in _documents().items() if name != "connections"]
    found += [block for block in _blocks() if not block.keys() & _documents()["connections"].keys()]
    lists = [value for sync in found for name in _PEOPLE if (value := (sync.get(name) or {}).get("suppression_list"))]
    return found + [{name: {"suppression_list": value}} for name in _PEOPLE for value in lists]


def checks() -> list[Any]:
    """The entries of their checks; a bare value stands for a check's first key."""
    return [check for sync in syncs() for check in sync.get("checks", [])]


def entries(section: str, kind: str = "") -> list[Any]:
    """The entries of a section of ``connections.yaml``, those of a ``type`` first: others may show a key they share."""
    found = [*_documents()["connections"][section].values()]
    found += [entry for block in _blocks() for entry in block.get(section, {}).values()]
    return sorted(found, key=lambda entry: entry.get("type") != kind)


def retention() -> list[Any]:
    """The section ``retention``, under its name."""
    return [{"retention": _documents()["connections"]["retention"]}]


def dictionary() -> list[Any]:
    """Dictionaries; the attributes of a sync stand for those of any place."""
    found = [block for block in _blocks() if block.keys() & {"events", "objects"} and "database" not in block]
    return found + [{"attributes": sync["attributes"]} for sync in syncs() if "attributes" in sync]


def monitoring() -> list[Any]:
    """The section ``monitoring``, under its name."""
    return [{"monitoring": _documents()["connections"]["monitoring"]}]


def faulty_files() -> list[Any]:
    """The key ``faulty_files``."""
    return [{"faulty_files": _documents()["connections"]["faulty_files"]}]


def of_key(path: keys.Path, places: list[Any], longest: int = 60) -> str:
    """The key as one line of YAML, from the first place that has it; empty where none has.

    Args:
        path: The names that lead to it.
        places: Where it may be.
        longest: Characters of a line; of a longer one only the key is shown.
    """
    return next((_line(path[-1], value, longest) for value in _values(path, places)), "")


def _values(path: keys.Path, places: list[Any]) -> Iterator[Any]:
    for place in places:
        yield from _inside(path, place)


def _inside(path: keys.Path, value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _inside(path, each)
    elif not path:
        yield value
    elif isinstance(value, dict):
        for each in value.values() if path[0] == keys.NAME else [value[path[0]]] if path[0] in value else []:
            yield from [each] if len(path) == 1 else _inside(path[1:], each)


def _line(key: str, value: Any, longest: int) -> str:
    text = yaml.dump({key: value}, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
    line = _DIGITS.sub(r"\1", text.strip().removeprefix("{").removesuffix("}"))
    return line if len(line) <= longest and "\\n" not in line else f"{key}: …"
