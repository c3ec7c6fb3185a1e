"""The pages of messages have those that people are shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reverse_etl_tests.reference import messages

GOLDEN = Path(__file__).parents[1] / "config" / "golden"


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
    """All but the few whose words come together from a table of another module."""
    said = [
        found[1].split(" (for ")[0]
        for file in GOLDEN.glob("*.txt")
        for line in file.read_text(encoding="utf-8").partition("=== problems\n")[2].splitlines()
        if (found := re.match(r"\S+?:(?:\d+:)?(?: [\w.\[\]-]+:)? (.*)", line))
    ]
    assert 300 < len(said)
    assert 0.9 < sum(messages.finds(each, "ConfigProblemsError") for each in said) / len(said)


def test_a_template_is_shown_alike_on_github_and_on_the_site() -> None:
    """What Markdown would take for its own is code or escaped; the bars of a table above all."""
    assert "a&#124;b &lt;c&gt; `{{last_sync_time}}` `${NAME}` \\[x\\] `y_z` \\_a" == messages.shown(
        "a|b <c> {{last_sync_time}} ${NAME} [x] `y_z` _a"
    )
