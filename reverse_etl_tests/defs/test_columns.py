"""From which columns of tables those of a changeset come, where the sync shapes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from reverse_etl.config.contracts import Contract, Term
from reverse_etl.config.definitions import Definition
from reverse_etl.config.inline import parse_sync
from reverse_etl.defs.columns import read_columns, same_columns
from reverse_etl_tests.dialects import DIALECTS

TRANSFORM = "def transform(row):\n    return row\n"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, {"id": ["id"], "name": ["name"]}),
        ({"columns": {"id": "id", "name": "city"}}, {"id": ["id"], "name": ["city"]}),
        (
            {"columns": {"id": {"column": "id", "as": "text"}, "name": {"join": ["name", "city", "name"]}}},
            {"id": ["id"], "name": ["name", "city"]},
        ),
        ({"columns": {"id": "id", "name": {"value": "x"}}}, {"id": ["id"]}),
        ({"transform": "t.py"}, {}),
        ({"transform": "t.py", "columns": {"id": "id", "name": "name"}}, {}),
    ],
)
def test_columns_are_traced_through_columns(
    keys: dict[str, Any], expected: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a function makes a column of is not known."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text(TRANSFORM)
    settings = {"database": "shop", "workspace": "main", "schedule": "manual", "people": {}, **keys}
    sync = parse_sync("customers", {**settings, "query": "SELECT id, name, city FROM customers"})
    schema = pa.schema([("id", pa.int64()), ("name", pa.string())])
    found = read_columns(sync, DIALECTS["postgres"], schema, lambda table: dg.AssetKey(list(table)))
    lineage = found["dagster/column_lineage"]
    assert isinstance(lineage, dg.TableColumnLineage)
    assert {name: sorted(made_of) for name, made_of in expected.items()} == {
        column: sorted(dep.column_name for dep in deps) for column, deps in lineage.deps_by_column.items()
    }


def test_columns_have_what_the_dictionary_says_of_them() -> None:
    """Description, source, whether a value may be missing, which values there are; others are as they were."""
    plan = Definition(description="What is paid for", source="shop.plan", required=True, allowed_values=("free", 2))
    terms = {"plan": Term("plan", plan, "syncs/dictionary.yaml:3")}
    settings = {"database": "shop", "workspace": "main", "schedule": "manual", "people": {}, "query": "SELECT id, plan"}
    sync = parse_sync("customers", settings).model_copy(
        update={"contracts": (Contract("rows", ("attributes",), terms),)}
    )
    schema = pa.schema([("id", pa.int64()), ("plan", pa.string())])
    found = same_columns(sync, dg.AssetKey("changeset"), schema)["dagster/column_schema"]

    assert found == dg.TableSchema(
        columns=[
            dg.TableColumn("id", "int64"),
            dg.TableColumn(
                "plan",
                "string",
                description="What is paid for. Source: shop.plan.",
                constraints=dg.TableColumnConstraints(nullable=False, other=["one of: free, 2"]),
            ),
        ]
    )
