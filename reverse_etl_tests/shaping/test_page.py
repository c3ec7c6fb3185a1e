"""What the page about shaping shows is so: its YAML is valid, its functions do what they say."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from reverse_etl.config.column_values import RUN_FACTS, THEN, TYPES, read_columns
from reverse_etl.config.conditions import OPERATORS, read_condition
from reverse_etl.config.transforms import Transform, read_transform
from reverse_etl.shaping.transform import Transformer
from reverse_etl.sources.base import marked

PAGE = (Path(__file__).parents[2] / "docs" / "shaping.md").read_text(encoding="utf-8")
ROW = {
    "id": pa.array([7, 8], pa.int64()),
    "email": pa.array([" Ann@Example.com ", None]),
    "first_name": pa.array(["Ann", None]),
    "last_name": pa.array([None, "Lee"]),
    "created_at": pa.array([datetime(2026, 1, 5, 1, 30, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC")),
}


def blocks(language: str) -> list[str]:
    """The page's blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_conditions_and_columns_are_valid() -> None:
    """And every operator, type, function and fact is on the page."""
    where, _, columns = (yaml.safe_load(text) for text in blocks("yaml"))
    assert ([], []) == (read_condition(where["where"])[1], read_columns(columns["columns"])[1])
    words = {*OPERATORS, *TYPES, *THEN, *RUN_FACTS}
    assert set() == {word for word in words if f"`{word}`" not in PAGE and f"`{word}: " not in PAGE}


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_a_function_does_what_it_says(language: str, tmp_path: Path) -> None:
    """In both languages the same."""
    name = {"python": "t.py", "javascript": "t.js"}[language]
    (tmp_path / name).write_text(blocks(language)[0])
    fields = [pa.field(name, column.type) for name, column in ROW.items()] + [marked("balance", "decimal")]
    batch = pa.RecordBatch.from_arrays([*ROW.values(), pa.array(["1.25", "0"])], schema=pa.schema(fields))
    with closing(Transformer(read_transform(name, tmp_path), "UTC")) as transformer:
        made = transformer.made(batch)
    first = {**made.batch.to_pylist()[0]}
    first["joined_on"] = date.fromisoformat(str(first["joined_on"]))
    assert {"id": 7, "email": "ann@example.com", "full_name": "Ann", "joined_on": date(2026, 1, 5)} == {
        key: value for key, value in first.items() if key != "balance"
    }
    assert 2.5 == float(first["balance"])
    assert [(1, "left_out")] == [(place, why.cause.why.reason) for place, why in made.whys]


def test_many_rows_at_once_do_what_they_say() -> None:
    """The other columns stay."""
    with closing(Transformer(Transform("t.py", "python", blocks("python")[1], by_batch=True), "UTC")) as transformer:
        made = transformer.made(pa.RecordBatch.from_pydict(ROW))
    assert [" ann@example.com ", None] == made.batch.column("email").to_pylist()
    assert [*ROW] == made.batch.schema.names
