"""What the page about changes shows is so: its YAML is valid, its commands and options exist."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from reverse_etl.config.inline import parse_rows, parse_sync
from reverse_etl_tests.reference.commands import all_commands

PAGE = (Path(__file__).parents[2] / "docs" / "changes.md").read_text(encoding="utf-8")
AROUND = {
    "database": "shop",
    "workspace": "main",
    "schedule": "manual",
    "people": {},
    "query": "SELECT id, email, deleted FROM customers",
}


def test_its_yaml_is_that_of_syncs() -> None:
    """Each block by itself, or as part of a sync."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        settings = yaml.safe_load(block)
        if "destination" in settings:
            assert ("crm", []) == (
                settings["destination"],
                [*parse_rows("postgres", {"rows": settings["rows"]}).limits],
            )
        else:
            parse_sync("customers", AROUND | settings)


def test_its_commands_and_their_options_exist() -> None:
    """Wherever one is written with what follows it."""
    options = {command.name: " ".join(spelled for spelled, _ in command.options) for command in all_commands()}
    written = re.findall(r"(?:`|\$ )reverse-etl (\S+?)((?: [^`\n]*)?)(?:`|$)", PAGE, flags=re.MULTILINE)
    assert {"plan", "history", "undo"} <= {name for name, _ in written}
    for name, rest in written:
        for option in re.findall(r"--[a-z-]+", rest):
            assert f"`{option}`" in options[name], f"{name} {option}"
