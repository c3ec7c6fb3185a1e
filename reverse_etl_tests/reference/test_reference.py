"""The reference has everything, with an example that works, and is what the code says today; messages among it.

In one module, as finding every message takes seconds.
"""

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
from reverse_etl_tests.reference import commands, errors, examples, keys, messages, pages

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parents[1] / "config" / "golden"


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


@pytest.mark.parametrize("kind", sorted(messages.CLASSES.keys() - {"WorkspaceError", "WorkspaceUnavailableError"}))
def test_every_kind_of_error_has_its_section(kind: str) -> None:
    """By the name of its class, with its exit code."""
    written = "\n".join(line for file in messages.PAGES for line in messages.page(file))
    error = messages.CLASSES[kind]
    assert f"\n## {error.__name__}\n\nExit code {error.exit_code}. " in written


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("messages-files.md", "| upstream stands alone: it is everything that the query reads |"),
        ("messages-files.md", "| unknown key: a sync has the name of its file |"),
        ("messages-files.md", "| every and cron exclude each other: keep one |"),
        (
            "messages-files-kinds.md",
            "| needs `identify_by`: the column, or the list of columns, that identifies a row |",
        ),
        ("messages-source.md", "| user USER needs a password | Set `password: ${NAME}` in connections.yaml. |"),
        ("messages-source.md", "| database NAME (sqlite): PATH is not a SQLite database. | Check `path`. |"),
        ("messages-destination.md", "| the server only reads: it is a replica | Name the primary server as `host`. |"),
    ],
)
def test_a_message_is_found_by_its_words(file: str, words: str) -> None:
    """With what only a run knows in capitals, and the hint beside it."""
    assert words in messages.page(file)


def test_the_problems_of_the_golden_files_are_found() -> None:
    """Every line that the loader gives for the cases of ``golden``, whatever part of the code its words come from."""
    said = {
        line
        for file in GOLDEN.glob("*.txt")
        for line in file.read_text(encoding="utf-8").partition("=== problems\n")[2].splitlines()
    }
    assert 300 < len(said)
    assert [] == sorted(each for each in said if not any(map(_is_listed, _without_place(each))))


def _is_listed(words: str) -> bool:
    return messages.finds(words, "ConfigProblemsError")


def _without_place(line: str) -> list[str]:
    """A line's words without the file, and also without the key."""
    words = re.sub(r"^\S+?:(?:\d+:)? | \(for \S+\)$", "", line)
    return [words, words.partition(": ")[2]]


@pytest.mark.parametrize(
    ("kind", "start", "hints"),
    [
        ("QueryError", "the server stopped the query: the server's memory is full (701)", {"Narrow the query."}),
        ("QueryError", "the server stopped the query: disk full (53100)", {"The cluster's disks are full."}),
        (
            "SourceUnavailableError",
            "no AWS region is set",
            {"Set iam.profile and iam.region, AWS's environment variables, or give the machine a role."},
        ),
        (
            "DestinationUnavailableError",
            "the server's certificate is for another name than HOST",
            {"Use the name in the certificate as `host`."},
        ),
    ],
)
def test_a_message_has_its_own_hint(kind: str, start: str, hints: set[str]) -> None:
    """Not that of a neighbour in a table, of another branch or of another call."""
    words = [
        (each.text.replace(messages.OPEN, "").replace(messages.CLOSE, ""), each.hint)
        for each in messages.messages()
        if each.kind == kind
    ]
    assert hints == {hint for text, hint in words if start in text}


@pytest.mark.parametrize(
    ("broken", "means"),
    [
        (r"(.{14,})\1", "words twice"),
        (r"  ", "two spaces"),
        (r" [,;)]| \.(?!\w|\.\.)|[:,;(] ?[,;)]|[:,;(] \.(?!\w|\.\.)", "a gap where a word is missing"),
        (r"^[:,;.)]", "a beginning that is none"),
        (r"(?<!: )\{\}|\(\)", "empty brackets"),
    ],
)
def test_a_message_is_whole(broken: str, means: str) -> None:
    """No text is joined of parts that never meet: of an empty one, of one twice, or without a space."""
    texts = {words for each in messages.messages() for words in (each.text, each.hint)}
    plain = (re.sub(r"`[^`]*`", "`x`", words) for words in texts)
    assert [] == [words for words in plain if re.search(broken, words)], means


def test_a_message_with_several_hints_has_a_row_for_each() -> None:
    """No row joins the hints of several cases."""
    assert [] == [each for each in messages.messages() if " Or: " in each.hint]


def test_a_template_is_shown_alike_on_github_and_on_the_site() -> None:
    """What Markdown would take for its own is code or escaped; the bars of a table above all."""
    assert "a&#124;b &lt;c&gt; `{{last_sync_time}}` `${NAME}` \\[x\\] `y_z` \\_a" == messages.shown(
        "a|b <c> {{last_sync_time}} ${NAME} [x] `y_z` _a"
    )


def test_troubleshooting_quotes_what_really_appears() -> None:
    """Each message that its tables have is one of ours, or a database's that we pass on."""
    rows = [line for file in messages.PAGES for line in messages.page(file) if line.startswith("|")]
    ours = "\n".join((*rows, (ROOT / "reverse_etl" / "sources" / "_nearest.py").read_text()))
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    tables = [part.partition("\n\n")[0] for part in page.split("| message has |")[1:]]
    quoted = [
        text
        for table in tables
        for row in table.splitlines()
        for text in re.findall(r"`([^`]+)`", row.split("|")[1] if row.startswith("|") else "")
    ]
    assert len(quoted) > 20
    assert [] == [text for text in quoted for part in text.split(" … ") if part not in ours]
