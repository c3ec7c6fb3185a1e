"""What the page about events shows is so: its YAML is valid, its commands and options exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import reverse_etl.demo
from reverse_etl.config.inline import parse_sync
from reverse_etl_tests.reference.commands import all_commands

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
SHIPPED = Path(reverse_etl.demo.__file__).parent / "d2c_syncs"
AROUND = {
    "database": "shop",
    "workspace": "main",
    "schedule": "manual",
    "query": "SELECT id, at AS occurred_at FROM orders",
}


def test_its_yaml_is_that_of_syncs() -> None:
    """Each block that is a part of a sync; whole ones are those that are shipped."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert blocks
    for settings in map(yaml.safe_load, blocks):
        if "query" not in settings:
            parse_sync("order_placed", AROUND | settings)


@pytest.mark.parametrize("sync", ["cart_abandoned", "first_purchase_made", "refund_issued"])
def test_its_recipes_are_shipped(sync: str) -> None:
    """Word for word, in the demo's folder: there they are executed, for 21 days of the shop."""
    assert f"```yaml\n{(SHIPPED / f'{sync}.yaml').read_text()}```" in PAGE


def test_its_commands_and_their_options_exist() -> None:
    """Wherever one is written with what follows it."""
    options = {command.name: " ".join(spelled for spelled, _ in command.options) for command in all_commands()}
    written = re.findall(r"(?:`|\$ )reverse-etl (\S+?)((?: [^`\n]*)?)(?:`|$)", PAGE, flags=re.MULTILINE)
    assert {"plan", "run"} <= {name for name, _ in written}
    for name, rest in written:
        for option in re.findall(r"--[a-z-]+", rest):
            assert f"`{option}`" in options[name], f"{name} {option}"
