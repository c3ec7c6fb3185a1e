"""The reference has everything, with an example that works, and is what the code says today."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reverse_etl.config.connections_file import workspace_kind
from reverse_etl.config.loader import load_project
from reverse_etl.settings import SETTINGS
from reverse_etl_tests import schemas
from reverse_etl_tests.reference import commands, errors, examples, keys, pages

ROOT = Path(__file__).parents[2]


def test_the_pages_are_what_the_code_says() -> None:
    """Otherwise write them again: python -m reverse_etl_tests.reference."""
    for path, text in pages.pages().items():
        assert text == path.read_text(encoding="utf-8"), f"{path.name}: run python -m reverse_etl_tests.reference"


def test_the_example_project_is_valid() -> None:
    """The loader takes it without a problem or a warning."""
    assert () == load_project(examples.FOLDER).warnings


def test_every_engine_destination_and_channel_has_an_example() -> None:
    """In the example project, or on a page of its own."""
    for section, found in (
        ("databases", keys.database_keys()),
        ("destinations", keys.destination_keys()),
        ("notify", keys.channel_keys()),
    ):
        assert set() == found.keys() - {entry.get("type") for entry in examples.entries(section)} - {workspace_kind()}


def test_every_key_has_an_example_and_a_meaning() -> None:
    """A key that a model gains must be in the example project, with a description in the model."""
    rows = [line for path, text in pages.pages().items() for line in text.splitlines() if line.startswith("| `")]
    keyed = [line for line in rows if line.count(" | ") == 4]
    assert 150 < len(keyed)
    without = [line for line in keyed if line.endswith("| `` |") or not line.split(" | ")[3].strip()]
    assert [] == without


def test_every_key_of_every_file_is_on_a_page() -> None:
    """Whatever the generator leaves out: the names of keys in the schemas that editors have."""
    written = "".join(text for path, text in pages.pages().items() if path.parent.name == "reference")
    named = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\| `([^`]+)` \|", written, flags=re.MULTILINE))))
    every = (
        schemas.sync_schema(),
        schemas.connections_schema(),
        schemas.dictionary_schema(),
        schemas.defaults_schema(),
    )
    assert set() == {name for each in every for name in _names(each)} - named - _SECTIONS_OF_CONNECTIONS


_SECTIONS_OF_CONNECTIONS = {"databases", "workspaces", "destinations", "notify", "checks"}
"""Headings of the reference, not rows of its tables."""


def _names(found: Any) -> Iterator[str]:
    """The keys that a schema knows, at any depth."""
    if isinstance(found, dict):
        yield from found.get("properties", {})
        for each in found.values():
            yield from _names(each)
    elif isinstance(found, list):
        for each in found:
            yield from _names(each)


def test_every_check_of_the_registry_is_asked_for_in_the_example() -> None:
    """Each has a line of YAML that the example's sync uses."""
    asked = {name for check in examples.checks() for name in check if name != "severity"}
    assert keys.check_keys().keys() == asked


@pytest.mark.parametrize("name", [command.name for command in commands.all_commands()])
def test_every_command_has_examples_that_can_be_typed(name: str) -> None:
    """The command line takes each example's words."""
    command = commands.group().commands[name]
    assert commands.examples(name), f"{name} has no example"
    for example in commands.examples(name):
        first, *arguments = example.split()
        assert name == first
        command.make_context(first, list(arguments))


@pytest.mark.parametrize("command", commands.all_commands(), ids=lambda command: command.name)
def test_a_paragraph_of_help_is_broken_by_the_terminal_alone(command: commands.Command) -> None:
    """Not where the docstring's lines end, which would leave ragged lines."""
    assert [] == [paragraph for paragraph in command.meaning if "\n" in paragraph]


def test_every_error_has_an_example() -> None:
    """Each kind was provoked, and says something to do in a sentence or two."""
    assert set(errors.kinds()) == set(errors.PROVOKED)
    assert all(each.message.strip() and each.meaning for each in errors.examples())


def test_every_variable_that_the_code_reads_is_listed() -> None:
    """And none that it does not read."""
    source = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "reverse_etl").rglob("*.py") if path.name != "settings.py"
    )
    assert set(re.findall(r"\bREVERSE_ETL_[A-Z_]+\b", source)) == {setting.name for setting in SETTINGS}
