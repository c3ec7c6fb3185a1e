"""From which columns of tables those of a changeset come, where the sync shapes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from reverse_etl.config.inline import parse_sync
from reverse_etl.defs.columns import read_columns
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
