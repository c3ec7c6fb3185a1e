"""What each key looks like in a file: taken from the example project, which `validate` finds in order.

What an engine, a destination or a channel has that is not there is taken from the page of its own.
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

_PAGES: Final = ("databases", "destinations", "channels")
_PEOPLE: Final = ("people", "events", "relationships")


@cache
def _documents() -> dict[str, Any]:
    return {file.stem: read_document(file.read_bytes(), file.name).values for file in sorted(FOLDER.glob("*.yaml"))}


@cache
def _blocks() -> list[dict[str, Any]]:
    """The YAML that the pages of engines, destinations and channels show."""
    pages = [page for folder in _PAGES for page in sorted((FOLDER.parents[1] / folder).glob("*.md"))]
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


def monitoring() -> list[Any]:
    """The section ``monitoring``, under its name."""
    return [{"monitoring": _documents()["connections"]["monitoring"]}]


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
        value = place
        for name in path:
            if not isinstance(value, dict) or name not in value:
                break
            value = value[name]
        else:
            yield value


def _line(key: str, value: Any, longest: int) -> str:
    text = yaml.dump({key: value}, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
    line = text.strip().removeprefix("{").removesuffix("}")
    return line if len(line) <= longest and "\\n" not in line else f"{key}: …"
