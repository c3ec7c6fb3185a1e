"""Which asset stands upstream of a sync: as `connections.yaml` says, by name or by a dbt project's manifest."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from reverse_etl.config.loader import inspect_project, load_project
from reverse_etl.definitions import build_definitions
from reverse_etl.defs.translator import SyncTranslator
from reverse_etl_tests.config.projects import parts, write_project

GOLDEN = Path(__file__).parents[1] / "config" / "golden" / "dbt.txt"
CONNECTIONS = """\
databases:
  lake:
    type: duckdb
    path: lake.duckdb
    dbt: {manifest: dbt/manifest.json}
    asset_keys: {crm.contacts: raw/contacts, plans: [legacy, plans]}
workspaces:
  main: {site_id: "${SITE}", track_api_key: "${KEY}"}
"""
SYNC = "database: lake\nworkspace: main\nschedule: {after: upstream}\npeople: {}\nquery: |\n  "


def project(folder: Path, **queries: str) -> Path:
    """A folder of syncs with the manifest of the golden file."""
    manifest = parts(GOLDEN.read_text(encoding="utf-8"))["dbt/manifest.json"]
    syncs = {f"{name}.yaml": SYNC + query + "\n" for name, query in queries.items()}
    return write_project(folder, {"connections.yaml": CONNECTIONS, "dbt/manifest.json": manifest, **syncs})


def upstream(syncs: Path, translator: SyncTranslator | None = None) -> dict[str, set[str]]:
    """By sync, the keys of what its changeset is made of."""
    loaded = load_project(syncs)
    graph = build_definitions(loaded, translator=translator).resolve_asset_graph()
    return {
        name: {key.to_user_string() for key in graph.get(dg.AssetKey([name, f"{name}_changeset"])).parent_keys}
        for name in loaded.syncs
    }


def test_tables_are_the_models_and_sources_of_a_dbt_project(tmp_path: Path) -> None:
    """By the keys that dagster-dbt gives them; what YAML names comes first; the rest is `[DATABASE, TABLE]`."""
    found = upstream(
        project(
            tmp_path,
            by_name='SELECT id FROM main."Customers"',
            schema="SELECT id FROM {{ ref('plans') }} JOIN unheard_of USING (id)",
            other="SELECT id FROM {{ ref('other', 'customers') }}",
            latest="SELECT p.id FROM {{ ref('people') }} AS p JOIN {{ ref('people', v=1) }} AS q USING (id)",
            by_meta="SELECT c.id FROM {{ ref('countries') }} AS c JOIN {{ source('crm', 'contacts') }} USING (id)",
            schema_of_dbt="SELECT id FROM marketing.plans",
        )
    )
    assert {
        "by_name": {"customers"},
        "schema": {"legacy/plans", "lake/unheard_of"},
        "other": {"customers"},
        "latest": {"people_v1", "people_v2"},
        "by_meta": {"seeds/all_countries", "raw/contacts"},
        "schema_of_dbt": {"legacy/plans"},
    } == found


def test_a_translators_key_comes_before_those_of_the_file(tmp_path: Path) -> None:
    """Code that changes a key knows more than the file; what it leaves alone is as the file has it."""

    class Ours(SyncTranslator):
        def get_table_key(self, database: str, table: tuple[str, ...]) -> dg.AssetKey:
            if table[-1] == "people_v2":
                return dg.AssetKey(["ours", *table[-1:]])
            return super().get_table_key(database, table)

    query = "SELECT p.id FROM {{ ref('people') }} AS p JOIN {{ ref('people', v=1) }} AS q USING (id)"
    assert {"all": {"ours/people_v2", "people_v1"}} == upstream(project(tmp_path, all=query), Ours())


def test_a_table_that_two_models_may_be_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the key of no model then."""
    monkeypatch.chdir(tmp_path)
    syncs = project(tmp_path, all="SELECT id FROM customers")
    assert {"all": {"lake/customers"}} == upstream(syncs)
    assert [
        'syncs/all.yaml:6: query: reads customers, which may be model customers ("lake"."main"."customers") and '
        'model customers ("lake"."other"."customers"): write its schema, or ref(\'…\')'
    ] == [str(warning) for warning in inspect_project(syncs).warnings if "customers" in warning.text]


def test_a_query_has_the_models_table_and_another_version_where_that_moves(tmp_path: Path) -> None:
    """`ref` is replaced before anything looks at the query; a line stays a line."""
    syncs = project(tmp_path, all="SELECT id\n  FROM {{ ref('plans') }} AS p\n  WHERE {{last_sync_time}} < 1")
    before = load_project(syncs).syncs["all"]
    assert 'SELECT id\nFROM "lake"."marketing"."plans" AS p\nWHERE {{last_sync_time}} < 1\n' == before.query

    manifest = syncs / "dbt" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('\\"marketing\\".', '\\"moved_here\\".'))
    after = load_project(syncs).syncs["all"]
    assert '"lake"."moved_here"."plans"' in after.query
    assert before.version != after.version
