"""The site is built from the pages without a warning, shows what GitHub shows, and loads nothing from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import markdown
import pytest
from markdown_it import MarkdownIt
from mkdocs.config import load_config

from reverse_etl_tests.site.pages import DOCS, PAGES, ROOT
from reverse_etl_tests.site.root_pages import titled

GITHUB = MarkdownIt("commonmark").enable("table")
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.thorough
def test_every_page_is_found_by_the_search(site: Path) -> None:
    """All but the README of the repository, which the first page stands for."""
    found = {
        entry["location"].partition("#")[0]
        for entry in json.loads((site / "search/search_index.json").read_text())["docs"]
    }
    expected = {
        (page.relative_to(DOCS if DOCS in page.parents else ROOT).as_posix()[:-3] + "/").removesuffix("README/")
        for page in PAGES
        if page != ROOT / "README.md"
    }
    assert set() == expected - found


def test_the_search_finds_decisions_last(site: Path) -> None:
    """Whoever looks for a word wants to use it first, and to know why it is so later."""
    entries = json.loads((site / "search/search_index.json").read_text())["docs"]
    decisions = {entry["location"] for entry in entries if entry["location"].startswith("decisions/")}
    assert decisions
    assert decisions == {entry["location"] for entry in entries if entry.get("boost", 1) < 1}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No script, style, font or picture; links to other sites are links."""
    loaded = re.compile(
        r"""<(?:script|img|iframe|source)[^>]+src=["']?(?:https?:)?//|<link[^>]+rel=["']?(?:stylesheet|preconnect|icon)[^>]+href=["']?(?:https?:)?//|url\(["']?(?:https?:)?//"""
    )
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert 40 < len(files)
    assert [] == [file.relative_to(site).as_posix() for file in files if loaded.search(file.read_text())]


def test_the_site_shows_the_markup_that_github_shows() -> None:
    """As many lists, points, tables, rows, blocks, headings: the two differ where a blank line is missing."""
    ours = load_config(str(ROOT / "mkdocs.yml"))
    different = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        html = markdown.markdown(titled(text), extensions=ours.markdown_extensions, extension_configs=ours.mdx_configs)
        github = GITHUB.render(text)
        tags = ("<ul>", "<ol", "<li>", "<table>", "<tr>", "<pre>", "<h1", "<h2", "<h3", "<img")
        counts = [(tag, github.count(tag), re.sub(r"<pre><span></span>", "<pre>", html).count(tag)) for tag in tags]
        if wrong := [each for each in counts if each[1] != each[2]]:
            different[page.relative_to(ROOT).as_posix()] = wrong
    assert {} == different


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere_on_github(page: Path) -> None:
    """To a file of the repository, and to a heading of it; headings get GitHub's anchors."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lost = []
    for link in LINK.findall(text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert [] == lost


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}
