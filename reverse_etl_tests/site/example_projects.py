"""A project around a block of YAML: what a page leaves out, because it is not what the page is about, is filled in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import yaml

from reverse_etl.config.document import read_document
from reverse_etl_tests.reference.examples import FOLDER
from reverse_etl_tests.site.pages import Block, blocks

CONNECTIONS: Final = "syncs/connections.yaml"
SECTIONS: Final = {"people", "objects", "events", "rows", "salesforce", "hubspot", "intercom", "slack", "amplitude"}
SHARED: Final = {"databases", "workspaces", "destinations", "notify", "retention", "monitoring"}
SHOP: Final = {
    "shop": {
        "type": "postgres",
        "host": "replica.internal",
        "database": "shop",
        "user": "reader",
        "password": "${SHOP_DB_PASSWORD}",
    }
}
MAIN: Final = {
    "main": {
        "site_id": "${CUSTOMERIO_SITE_ID}",
        "track_api_key": "${CUSTOMERIO_TRACK_API_KEY}",
        "app_api_key": "${CUSTOMERIO_APP_API_KEY}",
    }
}
ANY: Final = """\
database: shop
workspace: main
schedule: manual
objects: {{}}
query: SELECT id AS object_id FROM {name}
"""
CHANGED: Final = " WHERE updated_at >= {{last_sync_time}}"


def values(block: Block) -> Any:
    """What the block says, as the loader reads it."""
    return _plain(read_document(block.text.encode(), block.page).values)


def _plain(value: Any) -> Any:
    """Without the loader's own kinds of text."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value


def is_shared(block: Block) -> bool:
    """Whether it belongs to ``connections.yaml``."""
    return set(values(block)) <= SHARED


def write_page(page: Path, folder: Path) -> list[str]:
    """Writes the files that a page names on the first lines of its blocks, as they stand there.

    Returns:
        Its targets, or an empty name where it has none; ``connections.yaml`` is then filled in where the page has a
        part of it, or none.
    """
    named = [block for block in blocks(page) if block.file]
    for block in named:
        path = folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    targets = [
        name.split(".")[1]
        for block in named
        if (name := block.file).startswith("syncs/connections.") and name != CONNECTIONS
    ]
    if not targets:
        _write_connections(page, folder)
    return targets or [""]


def write_alone(block: Block, page: Path, folder: Path) -> None:
    """Writes one block without a name of its own as the only sync of a project, or as its connections."""
    (folder / "syncs").mkdir()
    _write_connections(page, folder, only=block if is_shared(block) else None)
    if is_shared(block):
        return
    text, has = block.text, set(values(block))
    connections = yaml.safe_load((folder / CONNECTIONS).read_text(encoding="utf-8"))
    section = next(iter(has & SECTIONS), "people")
    if not has & SECTIONS:
        text += "people: {identify_by: id}\n"
    if "database" not in has:
        text += "database: shop\n"
    if not has & {"workspace", "destination"}:
        destination = next(iter(connections["destinations"]))
        text += f"destination: {destination}\n" if section == "rows" else "workspace: main\n"
    if "schedule" not in has:
        text += "schedule: manual\n"
    if "query" not in has:
        whole = "changes" in has or "gone" in text or "append" in text
        text += f"query: SELECT * FROM customers{'' if whole else CHANGED}\n"
    (folder / "syncs" / "shown.yaml").write_text(text, encoding="utf-8")
    if name := values(block).get("transform"):
        (function,) = [
            other.text for other in blocks(page) if other.language == "python" and "transform(row" in other.text
        ]
        (folder / "syncs" / name).parent.mkdir(exist_ok=True)
        (folder / "syncs" / name).write_text(function, encoding="utf-8")


def _write_connections(page: Path, folder: Path, *, only: Block | None = None) -> None:
    """The page's own entries before those of the reference's example, so that each name that a sync uses is there."""
    shown = (
        [only]
        if only
        else [
            block
            for block in blocks(page)
            if block.language == "yaml" and block.file in ("", CONNECTIONS) and is_shared(block)
        ]
    )
    found: dict[str, Any] = {}
    for block in shown:
        for section, entries in values(block).items():
            found[section] = {**found.get(section, {}), **entries}
    example = yaml.safe_load((FOLDER / "connections.yaml").read_text(encoding="utf-8"))
    for section, entries in (("databases", SHOP), ("workspaces", MAIN), ("destinations", example["destinations"])):
        found[section] = {
            **found.get(section, {}),
            **{n: each for n, each in entries.items() if n not in found.get(section, {})},
        }
    for database in found["databases"].values():
        if "dbt" in database:
            manifest = folder / "syncs" / database["dbt"]["manifest"]
            manifest.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(FOLDER / "dbt" / "manifest.json", manifest)
    for channel in found.get("notify", {}).values():
        for name in channel.get("syncs", []):
            (folder / "syncs").mkdir(parents=True, exist_ok=True)
            (folder / "syncs" / f"{name}.yaml").write_text(ANY.format(name=name), encoding="utf-8")
    path = folder / CONNECTIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(found, sort_keys=False), encoding="utf-8")
