"""What the page about events shows is so: its YAML is valid, its commands and options exist."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from reverse_etl.config.inline import parse_sync
from reverse_etl_tests.reference.commands import all_commands

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
AROUND = {
    "database": "shop",
    "workspace": "main",
    "schedule": "manual",
    "query": "SELECT id, at AS occurred_at FROM orders",
}


def test_its_yaml_is_that_of_syncs() -> None:
    """Each block by itself, or as part of a sync."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        parse_sync("order_placed", AROUND | yaml.safe_load(block))


def test_its_commands_and_their_options_exist() -> None:
    """Wherever one is written with what follows it."""
    options = {command.name: " ".join(spelled for spelled, _ in command.options) for command in all_commands()}
    written = re.findall(r"(?:`|\$ )reverse-etl (\S+?)((?: [^`\n]*)?)(?:`|$)", PAGE, flags=re.MULTILINE)
    assert {"plan", "run"} <= {name for name, _ in written}
    for name, rest in written:
        for option in re.findall(r"--[a-z-]+", rest):
            assert f"`{option}`" in options[name], f"{name} {option}"
