"""What Slack's page shows can be used as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reverse_etl.config.loader import load_project

PAGE = Path(__file__).parents[3] / "docs" / "destinations" / "slack.md"


def test_the_files_that_it_shows_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its destinations and each of its syncs, together as a project."""
    monkeypatch.chdir(tmp_path)
    entries, *syncs = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "connections.yaml").write_text(f"databases: {{shop: {{type: sqlite, path: shop.db}}}}\n{entries}")
    for number, text in enumerate(syncs):
        (tmp_path / f"sync_{number}.yaml").write_text(text)
    project = load_project(tmp_path)
    assert ((), len(syncs)) == (project.warnings, len(project.syncs))
    assert {"#at-risk", "owner_email", None} == {
        each.slack.by_email or each.slack.channel  # type: ignore[attr-defined]
        for each in project.syncs.values()
    }
