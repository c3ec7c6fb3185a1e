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


@pytest.mark.parametrize(
    ("message", "warns"), [("'one\\ntwo'", True), ('"one\\ntwo"', False), ("|\n    one\n    two", False)]
)
def test_a_new_line_that_is_none_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, warns: bool
) -> None:
    """YAML knows it between double quotes alone; it would be posted as a backslash and an n."""
    monkeypatch.chdir(tmp_path)
    entries = "destinations: {alerts: {type: slack, bot_token: '${SLACK_BOT_TOKEN}'}}\n"
    (tmp_path / "connections.yaml").write_text(f"databases: {{shop: {{type: sqlite, path: shop.db}}}}\n{entries}")
    section = f"slack:\n  channel: '#at-risk'\n  message: {message}\n"
    (tmp_path / "at_risk.yaml").write_text(
        f"database: shop\ndestination: alerts\nschedule: manual\n{section}query: SELECT id FROM customers\n"
    )
    warnings = load_project(tmp_path).warnings
    assert warns == any("at_risk.yaml:6: slack.message: has a backslash and an n" in each for each in warnings), (
        warnings
    )
