"""The dictionary as a page for people: one HTML file that needs nothing else, and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from reverse_etl.cli import words
from reverse_etl.counted import counted
from reverse_etl.run.dictionary import names_in

if TYPE_CHECKING:
    from reverse_etl.run.dictionary import Chapter, Name, Writer

_HEADINGS = ("name", "type", "meaning", "written by", "last seen (UTC)", "NULL")


def html_page(chapters: Sequence[Chapter], at: datetime) -> str:
    """The page. Nothing is loaded from elsewhere; every text is escaped."""
    style = files("reverse_etl.cli").joinpath("dictionary.css").read_text(encoding="utf-8")
    filled = [chapter for chapter in chapters if chapter.names or chapter.facts]
    contents = "".join(f'<li><a href="#c{n}">{escape(each.title)}</a></li>' for n, each in enumerate(filled))
    sections = "".join(_section(number, chapter) for number, chapter in enumerate(filled))
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>Data dictionary</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><h1>Data dictionary</h1><p>{escape(_summary(chapters, at))}</p></header>\n"
        f"<nav><ul>{contents}</ul></nav>\n<main>\n{sections}</main>\n</body>\n</html>\n"
    )


def markdown_page(chapters: Sequence[Chapter], at: datetime) -> str:
    """The same as Markdown."""
    found = ["# Data dictionary", "", _summary(chapters, at)]
    for chapter in chapters:
        if not chapter.names and not chapter.facts:
            continue
        found += ["", f"## {_plain(chapter.title)}", ""]
        facts = dict(chapter.facts)
        if description := facts.pop("description", ""):
            found += [_plain(description), ""]
        found += [f"* {key.replace('_', ' ')}: {_plain(value)}" for key, value in facts.items()]
        if chapter.names:
            found += [""] * bool(facts)
            found += [f"| {' | '.join(_HEADINGS)} |", "|---|---|---|---|---|---:|"]
            found += [f"| {' | '.join(map(_cell, _row(name)))} |" for name in chapter.names.values()]
    return "\n".join(found) + "\n"


def _summary(chapters: Sequence[Chapter], at: datetime) -> str:
    names, defined = names_in(chapters)
    return f"{counted(names, 'name')}, {defined} defined. Written on {words.minute(at)} UTC."


def _section(number: int, chapter: Chapter) -> str:
    facts = dict(chapter.facts)
    description = facts.pop("description", "")
    found = [f'<section id="c{number}"><h2>{escape(chapter.title)}</h2>']
    found += [f"<p>{escape(description)}</p>"] if description else []
    if facts:
        found.append("<dl>")
        found += [f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{escape(each)}</dd>" for key, each in facts.items()]
        found.append("</dl>")
    if chapter.names:
        headings = "".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS)
        rows = "".join(_html_row(name) for name in chapter.names.values())
        found.append(f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table>")
    return "".join([*found, "</section>\n"])


def _html_row(name: Name) -> str:
    first, *others = _row(name)
    state = "undefined" if name.definition is None else "deprecated" if name.definition.deprecated_by else ""
    cells = "".join(
        f'<td data-label="{heading}">{"<br>".join(escape(line) for line in text.splitlines()) or "–"}</td>'
        for heading, text in zip(_HEADINGS[1:], others, strict=True)
    )
    return f'<tr class="{state}"><th scope="row"><code>{escape(first)}</code></th>{cells}</tr>'


def _row(name: Name) -> tuple[str, ...]:
    """The cells of a name, lines within them apart."""
    share = name.null_share
    return (
        name.name,
        (name.definition.type or "") if name.definition is not None else "",
        "\n".join(_meaning(name)),
        "\n".join(map(_writer, name.writers)) or "no sync",
        words.minute(name.last_seen_at) if name.last_seen_at is not None else "not known",
        f"{share:.1%}" if share is not None else "",
    )


def _meaning(name: Name) -> Iterator[str]:
    if (meaning := name.definition) is None:
        yield "Not defined."
        return
    if meaning.deprecated_by:
        yield f"Deprecated: use {meaning.deprecated_by}."
    if meaning.description:
        yield meaning.description
    if meaning.allowed_values:
        yield f"One of: {', '.join(map(_value, meaning.allowed_values))}."
    facts = (("Source", meaning.source), ("Owner", meaning.owner), ("Since", meaning.since))
    yield from (f"{what}: {text}." for what, text in facts if text)
    if meaning.required:
        yield "Required."


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _writer(writer: Writer) -> str:
    of = f" ← {', '.join(writer.tables)}" if writer.tables else ""
    return f"{writer.sync} → {writer.destination}{of}"


def _cell(text: str) -> str:
    return "<br>".join(_plain(line) for line in text.splitlines()) or "–"


def _plain(text: str) -> str:
    """A text as Markdown shows it: nothing in it is markup."""
    marked = "".join(f"\\{sign}" if sign in "\\`*_[]|#" else sign for sign in text)
    return escape(" ".join(marked.split()), quote=False)
