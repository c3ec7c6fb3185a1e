"""The page about alerts says what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

from reverse_etl.config.document import read_document
from reverse_etl.config.loader import load_project
from reverse_etl.config.notify import EVERYTHING_THAT_FAILS, Occasions
from reverse_etl.notify.alert import Alert, Kind
from reverse_etl.plugins import names
from reverse_etl_tests.config.json_schema import errors
from reverse_etl_tests.schemas import connections_schema

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "alerts.md").read_text(encoding="utf-8")
SYNC = "database: shop\nworkspace: main\nschedule: manual\npeople: {}\nquery: SELECT 1 AS id\n"


def block(language: str) -> str:
    """The page's only block of a language."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    return str(text)


def test_the_example_is_valid_and_has_the_usual_kinds_of_channel(tmp_path: Path) -> None:
    """The loader takes it without a problem, and an editor shows none; other kinds have a page of their own."""
    (tmp_path / "connections.yaml").write_text(block("yaml"))
    for name in ("customers", "companies"):
        (tmp_path / f"{name}.yaml").write_text(SYNC)
    channels = load_project(tmp_path).notify
    others = set(names("reverse_etl.notify.channels")) - {channel.type for channel in channels.values()}
    assert set() == {name for name in others if not (DOCS / "channels" / f"{name}.md").exists()}
    assert channels["data_team"].on == EVERYTHING_THAT_FAILS
    assert channels["on_call"].syncs == ("customers", "companies")
    assert [] == errors(connections_schema(), read_document(block("yaml").encode(), "connections.yaml").values)


def test_mistakes_in_channels_do_not_fit_the_schema() -> None:
    """Literal secrets, unknown kinds and occasions."""
    for good, bad in (
        ("${SLACK_WEBHOOK_URL}", "https://hooks.slack.com/services/x"),
        ("type: slack", "type: slak"),
        ("failed_row_rate: 5%", "failed_row_rate: 5"),
        ("skipped: 3", "skiped: 3"),
        ("    from: alerts@example.com\n", ""),
    ):
        assert good in block("yaml")
        text = block("yaml").replace(good, bad)
        assert [] != errors(connections_schema(), read_document(text.encode(), "connections.yaml").values)


def test_every_occasion_and_every_key_of_the_json_is_documented() -> None:
    """The table has the keys of `on`, the JSON example those of an alert, the text the kinds."""
    assert set(Occasions.keys()) == set(re.findall(r"^\| `(\w+): ", PAGE, flags=re.MULTILINE))
    shown = json.loads(block("json"))
    alert = Alert(Kind.TEST, "", "", "").as_json()
    assert list(alert) == list(shown)
    assert list(alert["rows"]) == list(shown["rows"])
    assert all(f"`{kind.value}`" in PAGE for kind in Kind)
