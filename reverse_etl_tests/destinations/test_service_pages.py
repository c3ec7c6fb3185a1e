"""The pages of services: what they show can be used as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from reverse_etl import plugins
from reverse_etl.config.loader import load_project
from reverse_etl.destinations import kind
from reverse_etl.destinations._http.config import ServiceConfig

PAGES = Path(__file__).parents[2] / "docs" / "destinations"
SERVICES = [
    name
    for name in plugins.names("reverse_etl.destinations")
    if issubclass(kind(name).Config, ServiceConfig) and (PAGES / f"{name}.md").exists()
]
DATABASES = "databases:\n  shop:\n    type: sqlite\n    path: shop.db\n"


def test_there_are_some() -> None:
    """Each service has its page."""
    assert {"amplitude", "hubspot", "salesforce"} <= {*SERVICES}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_page_shows_is_a_project(name: str, tmp_path: Path) -> None:
    """Its entries and syncs are loaded without a problem, and show every key that is the service's own."""
    blocks = re.findall(r"```yaml\n(.*?)```", (PAGES / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL)
    entries = {key: entry for text in blocks for key, entry in yaml.safe_load(text).get("destinations", {}).items()}
    texts = [text for text in blocks if "query:" in text]
    syncs = tmp_path / "syncs"
    syncs.mkdir()
    (syncs / "connections.yaml").write_text(DATABASES + yaml.safe_dump({"destinations": entries}))
    (tmp_path / "salesforce.pem").touch()
    for number, text in enumerate(texts):
        (syncs / f"sync_{number}.yaml").write_text(text)
    project = load_project(syncs)
    assert len(texts) == len(project.syncs)
    own = {*kind(name).Config.keys()} - {*ServiceConfig.keys()}
    assert own <= {key for entry in entries.values() for key in entry}
