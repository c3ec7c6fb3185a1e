"""What a dbt project's manifest says of its models and sources: their tables, and the keys that Dagster gives them.

Source: https://schemas.getdbt.com/dbt/manifest/v12.json (2026-11); keys of assets as dagster-dbt 0.29's
``default_asset_key_fn``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from reverse_etl.config.problems import did_you_mean
from reverse_etl.config.shown import shown

_WITH_TABLES: Final = frozenset({"model", "seed", "snapshot"})


@dataclass(frozen=True, slots=True)
class Node:
    """A model, seed, snapshot or source.

    Attributes:
        name: For messages: ``model customers``.
        relation: Its table as SQL has it, quotes included; empty where it has none.
        parts: Database, schema and name of the table, in lower case.
        key: Of its asset in Dagster.
    """

    name: str
    relation: str
    parts: tuple[str, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was read.

    Attributes:
        file: As people are shown it.
        made_at: When dbt wrote it, as it has it.
        project: The dbt project's name.
        models: By package, name and version; seeds and snapshots are among them. Version is empty where there is none,
            and once more for the latest.
        sources: By source and table.
    """

    file: str
    made_at: str
    project: str
    models: dict[tuple[str, str, str], Node] = field(default_factory=dict)
    sources: dict[tuple[str, str], Node] = field(default_factory=dict)

    def model(self, name: str, package: str = "", version: str = "") -> Node:
        """What ``ref`` names; without a package, the project's own before others'.

        Raises:
            ValueError: There is none, or it has no table; with a sentence.
        """
        packages = [package] if package else [self.project, *sorted({key[0] for key in self.models})]
        found = next((node for each in packages if (node := self.models.get((each, name, version)))), None)
        if found is None:
            known = [] if package or version else sorted({key[1] for key in self.models})
            of = (f" in package {package}" if package else "") + (f", version {version}" if version else "")
            raise ValueError(f"no model {name!r}{of}{self._lacks(name, known)}")
        if not found.relation:
            raise ValueError(f"{found.name} is ephemeral: it has no table that a query could read")
        return found

    def source(self, source: str, table: str) -> Node:
        """What ``source`` names. Raises ValueError where there is none, with a sentence."""
        found = self.sources.get((source, table))
        if found is None:
            written, known = f"{source}.{table}", [".".join(key) for key in self.sources]
            raise ValueError(f"no source {written!r}{self._lacks(written, known)}")
        return found

    def made_by(self, table: tuple[str, ...]) -> list[Node]:
        """What makes a table that a query names, with its schema in front or without: several where it is not clear."""
        wanted = tuple(part.lower() for part in table)
        nodes = {node.parts: node for node in (*self.sources.values(), *self.models.values()) if node.relation}
        return [node for parts, node in nodes.items() if parts[-len(wanted) :] == wanted]

    def _lacks(self, name: str, known: list[str]) -> str:
        near = did_you_mean(name, known)
        return f" in {self.file}{near or f', which dbt wrote at {self.made_at}: run `dbt parse` if it is newer'}"


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest; one that did not change since is read once.

    Raises:
        ValueError: It is not there, or is none that is understood; with a sentence as what follows the key.
    """
    file = shown(path)
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise ValueError(f"{file} does not exist: run `dbt parse` in the dbt project, which writes it") from None
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    return _read(path, file, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, file: str, _changed_ns: int, _bytes: int) -> Manifest:
    try:
        content: Any = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise ValueError(f"{file} is not JSON: run `dbt parse`, which writes it again") from None
    metadata = content.get("metadata") if isinstance(content, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    schema = str(metadata.get("dbt_schema_version", ""))
    version = schema.rpartition("/v")[2].removesuffix(".json")
    if "/manifest/" not in schema or not version.isdigit():
        raise ValueError(f"{file} is no manifest of dbt: name target/manifest.json of the dbt project")
    if int(version) < 4:
        raise ValueError(f"{file} is of a dbt before 1.0: run `dbt parse` of a newer one, which writes it again")
    manifest = Manifest(file, str(metadata.get("generated_at", ""))[:16], str(metadata.get("project_name", "")))
    try:
        for node in content["nodes"].values():
            if node["resource_type"] in _WITH_TABLES:
                for of_version in _versions(node):
                    manifest.models[node["package_name"], node["name"], of_version] = _node(node, node["alias"])
        for source in content["sources"].values():
            manifest.sources[source["source_name"], source["name"]] = _node(source, source["identifier"])
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{file} lacks what manifests of dbt have: run `dbt parse`, which writes it again") from None
    if not manifest.project and (packages := {key[0] for key in manifest.models}):
        manifest = Manifest(manifest.file, manifest.made_at, min(packages), manifest.models, manifest.sources)
    return manifest


def _versions(node: dict[str, Any]) -> Iterator[str]:
    version = node.get("version")
    if version is not None:
        yield str(version)
    if version is None or version == node.get("latest_version"):
        yield ""


def _node(node: dict[str, Any], identifier: str) -> Node:
    is_source = node["resource_type"] == "source"
    name = f"source {node['source_name']}.{node['name']}" if is_source else f"{node['resource_type']} {node['name']}"
    parts = tuple(str(part).lower() for part in (node.get("database"), node["schema"], identifier) if part)
    return Node(name, node.get("relation_name") or "", parts, _key(node))


def _key(node: dict[str, Any]) -> tuple[str, ...]:
    config = node.get("config") or {}
    meta = config.get("meta") or node.get("meta") or {}
    if named := (meta.get("dagster") or {}).get("asset_key"):
        return tuple(named) if isinstance(named, list) else (str(named),)
    if node["resource_type"] == "source":
        return node["source_name"], node["name"]
    if node.get("version"):
        return (node["alias"],)
    return (config["schema"], node["name"]) if config.get("schema") is not None else (node["name"],)
