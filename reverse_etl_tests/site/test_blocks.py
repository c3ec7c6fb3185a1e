"""Every block of code of every page is tried, here or where `ELSEWHERE` says; YAML passes `validate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl.config.loader import load_project
from reverse_etl_tests.site.example_projects import write_alone, write_page
from reverse_etl_tests.site.pages import PAGES, ROOT, Block, blocks

EVERY = [block for page in PAGES for block in blocks(page)]
NOT_OURS = {
    "docs/dagster.md": "defs.yaml is a file of Dagster's: defs/test_dagster_page.py",
    "docs/deploy.md": "dagster.yaml is a file of Dagster's: e2e/test_kubernetes.py",
}
"""Pages whose YAML is for another program, and where it is tried."""
WARNS = {"docs/recipes/rename-attribute.md": "which syncs/dictionary.yaml:5 has as deprecated"}
"""Pages that are about a warning, and its words."""

ALONE = [b for b in EVERY if b.language == "yaml" and not b.file.startswith("syncs/") and b.page not in NOT_OURS]
WITH_FILES = sorted({b.page for b in EVERY if b.language == "yaml" and b.file.startswith("syncs/")})


@pytest.mark.parametrize("page", WITH_FILES)
def test_the_files_of_a_page_are_a_project(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Together, as they stand there, without a problem or a warning that the page does not speak of."""
    monkeypatch.chdir(tmp_path)
    write_page(ROOT / page, tmp_path)
    warnings = load_project(Path("syncs")).warnings
    assert [each for each in warnings if page not in WARNS or WARNS[page] not in str(each)] == []
    assert len(warnings) == (page in WARNS)


@pytest.mark.parametrize("block", ALONE, ids=lambda block: f"{block.page}:{block.line}")
def test_a_block_without_a_file_is_valid(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by itself, with what the page leaves out filled in."""
    monkeypatch.chdir(tmp_path)
    write_alone(block, ROOT / block.page, tmp_path)
    assert () == load_project(Path("syncs")).warnings
