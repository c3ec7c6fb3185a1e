"""The pages of messages have those that people are shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reverse_etl_tests.reference import messages

ROOT = Path(__file__).parents[2]
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
