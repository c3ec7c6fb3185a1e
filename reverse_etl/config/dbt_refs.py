"""``{{ ref('model') }}`` and ``{{ source('name', 'table') }}`` in queries: tables that a manifest names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.config.problems import Path, Problem, problem_in_text
from reverse_etl.config.query_files import QUERY
from reverse_etl.config.tables_read import tables_read

if TYPE_CHECKING:
    from reverse_etl.config.connections_file import Connections
    from reverse_etl.config.dbt_manifest import Manifest, Node
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import SyncConfig

_TEXT: Final = r"""(?:'([^'\n]+)'|"([^"\n]+)")"""
_CALL: Final = re.compile(
    rf"\{{\{{-?\s*(ref|source)\(\s*{_TEXT}\s*(?:,\s*{_TEXT}\s*)?(?:,\s*(?:v|version)\s*=\s*['\"]?([\w.]+)['\"]?\s*)?\)\s*-?\}}\}}"
)


def with_relations(sync: SyncFile, connections: Connections | None, problems: list[Problem]) -> SyncFile:
    """The sync's file with the names of tables where its queries call ``ref`` or ``source``.

    Args:
        sync: The file, with the texts of its queries.
        connections: Which database has which manifest; None where that is not known.
        problems: Grows by what is not in the manifest.
    """
    database = sync.document.values.get("database")
    if connections is None or database not in connections.database_names:
        return sync
    if database in connections.unread_manifests:
        return replace(sync, document=replace(sync.document, values={}))  # its own problem is reported already
    found = _Calls(sync, connections.manifests.get(database), database, problems)
    values = found.mapping(sync.document.values, ())
    if values is sync.document.values:
        return sync
    resolved = "\0".join(found.texts).encode()
    return replace(sync, document=replace(sync.document, values=values), content=sync.content + b"\0" + resolved)


def lineage_warnings(
    syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile], connections: Connections
) -> Iterator[Problem]:
    """Tables of which the manifest does not say clearly what makes them."""
    for name, sync in syncs.items():
        manifest, dialect = connections.manifests.get(sync.database), connections.dialects.get(sync.database)
        if manifest is None or dialect is None:
            continue
        for stream in sync.streams:
            for table in tables_read(stream.query, dialect):
                if len(made_by := manifest.made_by(table)) > 1:
                    names = " and ".join(f"{node.name} ({node.relation})" for node in made_by)
                    text = f"reads {'.'.join(table)}, which may be {names}: write its schema, or ref('…')"
                    yield problem_in_text(files[name].file, files[name].document, stream.at, 1, text)


class _Calls:
    def __init__(self, sync: SyncFile, manifest: Manifest | None, database: str, problems: list[Problem]) -> None:
        self._sync = sync
        self._manifest = manifest
        self._database = database
        self._problems = problems
        self.texts: list[str] = []

    def mapping(self, values: dict[str, Any], path: Path) -> dict[str, Any]:
        """The mapping with its queries' calls resolved; itself where it has none."""
        found = values
        for key, value in values.items():
            made = value
            if isinstance(value, dict) and key != "tests":
                made = self.mapping(value, (*path, key))
            elif key == QUERY and isinstance(value, str) and _CALL.search(value):
                made = _CALL.sub(lambda match: self._relation(match, (*path, QUERY)), value)
                self.texts.append(made)
            if made is not value:
                found = {**found, key: made}
        return found

    def _relation(self, match: re.Match[str], path: Path) -> str:
        """The table's name, over as many lines as the call."""
        lines = "\n" * match[0].count("\n")
        try:
            return self._named(match).relation + lines
        except ValueError as error:
            line = match.string.count("\n", 0, match.start()) + 1
            text = str(error)
            self._problems.append(problem_in_text(self._sync.file, self._sync.document, path, line, text))
            return f'"{match[2] or match[3]}"{lines}'

    def _named(self, match: re.Match[str]) -> Node:
        call, first, second, version = match[1], match[2] or match[3], match[4] or match[5], match[6] or ""
        if self._manifest is None:
            raise ValueError(
                f"{call}('{first}') needs the manifest of a dbt project: add `dbt: {{manifest: target/manifest.json}}` "
                f"to databases.{self._database} in connections.yaml"
            )
        if call == "source":
            if not second:
                raise ValueError(f"source takes two names, as in source('crm', '{first}')")
            return self._manifest.source(first, second)
        return self._manifest.model(second, first, version) if second else self._manifest.model(first, version=version)
