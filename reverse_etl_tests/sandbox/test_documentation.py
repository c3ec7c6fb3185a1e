"""What the pages about stand-ins show can be used as it is, and leaves nothing out."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from reverse_etl.cli.commands.sandbox import sandbox
from reverse_etl.sandbox import registry
from reverse_etl_tests.servers.saas import Saas

PAGES = Path(__file__).parents[2] / "docs" / "sandbox"
README = (PAGES / "README.md").read_text(encoding="utf-8")
EXAMPLES = [
    pytest.param(*example, id=f"{page.stem}-{number}")
    for page in sorted(PAGES.glob("*.md"))
    for number, example in enumerate(
        re.findall(
            r"^```json (\w+) POST (/_sandbox/\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S
        )
    )
]


@pytest.mark.parametrize(("name", "path", "content"), EXAMPLES)
def test_examples_are_taken(saas: Saas, name: str, path: str, content: str) -> None:
    """Faults, records, settings, time."""
    answer = saas(name).http.post(path, content=content)
    assert answer.is_success, answer.text


@pytest.mark.parametrize("name", registry.names())
def test_each_has_a_page_with_its_faults_and_settings(name: str) -> None:
    """What it checks, what it can do wrong, what it accepts; and its port."""
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    standin = registry.load(name)
    heads = ["What it checks", "What it can do wrong", f"What it accepts and {standin.TITLE} refuses"]
    assert heads == re.findall("^## (.*)", page, flags=re.M)
    words = {*standin.OWN_FAULTS, *(field.name for field in dataclasses.fields(standin.SETTINGS))}
    assert set() == {word for word in words if f"`{word}`" not in page}
    assert f"Port {standin.PORT}" in page


def test_the_table_of_services_is_right() -> None:
    """Names, addresses and pages."""
    rows = re.findall(r"^\| ([\w.]+) \| http://127.0.0.1:(\d+) \| .* \| \[(\w+)\]\((\w+)\.md\) \|$", README, flags=re.M)
    assert {"Customer.io", "Slack"} < {title for title, *_ in rows}
    for title, port, name, page in rows:
        standin = registry.load(name)
        assert (title, int(port), name) == (standin.TITLE, standin.PORT, page)


def test_commands_name_what_there_is() -> None:
    """Services and options."""
    lines = re.findall(r"^\$ reverse-etl sandbox (.*)$", README, flags=re.M)
    assert lines
    assert {each for line in lines for each in re.findall(r"--as (\w+)", line)} <= set(registry.names())
    options = {"names": "--as", "every": "--all", "port": "--port"}
    assert set(options) <= set(sandbox.__annotations__)
    assert {each for line in lines for each in re.findall(r"--\w+", line)} <= set(options.values())
