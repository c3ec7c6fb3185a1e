"""Hooks of mkdocs: the pages of the repository's root are pages of the site too, and a folder in `nav` lists itself.

So a page of one more engine, destination or stand-in needs no line in `mkdocs.yml`; a page of `docs/` that no entry
names stands where `nav` has `*`. Where a fence says more than a
language, as in ``json slack POST /_sandbox/records``, the rest becomes the block's title. The search finds decisions
last.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
ROOT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"(?<=\]\()([^)#\s:]+)")
FENCE = re.compile(r"^( *```\w+) (\w+) (.+)$", flags=re.MULTILINE)
_KIND = re.compile(r"^Stand-in for | as a destination$")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replaces each folder of `nav` by its pages, and `*` by those of `docs/` that have no other entry."""
    docs = Path(config.docs_dir)
    named = set(re.findall(r"[\w.-]+\.md", str(config.nav)))
    others = sorted(page.name for page in docs.glob("*.md") if page.name not in named)
    config.nav = [_expanded(entry, docs, others) for entry in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of the root."""
    for name in ROOT_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that lead out of `docs/`, or into it, lead to the same page of the site."""
    del config, files
    name = page.file.src_uri
    if name.startswith("decisions/"):
        page.meta["search"] = {"boost": 0.1}
    markdown = titled(markdown)
    if name in ROOT_PAGES:
        return LINK.sub(lambda found: found[1].removeprefix("docs/"), markdown)
    up = "../" * (name.count("/") + 1)
    return LINK.sub(
        lambda found: found[1].removeprefix("../") if found[1].removeprefix(up) in ROOT_PAGES else found[1], markdown
    )


def titled(text: str) -> str:
    """The page with titles over blocks whose fences say more than a language."""
    return FENCE.sub(r'\1 title="\2: \3"', text)


def _expanded(entry: Any, docs: Path, others: list[str]) -> Any:
    if not isinstance(entry, dict):
        return entry
    ((title, target),) = entry.items()
    if isinstance(target, list):
        pages = [_expanded(each, docs, others) for each in target if each != "*"]
        return {title: pages + (others if "*" in target else [])}
    return {title: _pages(docs, target)} if target.endswith("/") else entry


def _pages(docs: Path, folder: str) -> list[Any]:
    """The folder's index, then its other pages by their titles."""
    found = {_title(page): f"{folder}{page.name}" for page in (docs / folder).glob("*.md") if page.name != "README.md"}
    index = [f"{folder}README.md"] if (docs / folder / "README.md").exists() else []
    return [*index, *({title: found[title]} for title in sorted(found, key=str.lower))]


def _title(page: Path) -> str:
    heading = next(line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("# "))
    return _KIND.sub("", heading.removeprefix("# "))
