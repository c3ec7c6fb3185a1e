"""What a sync needs of a table, and the next step where it is not there."""

from __future__ import annotations

import pytest

from reverse_etl.destinations._sql.config import Rows
from reverse_etl.destinations._sql.requirements import require_columns
from reverse_etl.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "step"),
    [
        (
            "Email",
            "Did you mean `email`? Write `... AS email` in the query, or that name in `columns` or the transform",
        ),
        ("nope", "Leave it out of the query, or of `columns` or the transform"),
    ],
)
def test_a_column_that_the_table_lacks_may_be_made_by_columns_or_a_transform(name: str, step: str) -> None:
    """The next step holds wherever the column comes from."""
    rows = Rows.model_validate({"table": "customers", "identify_by": "id"})
    with pytest.raises(ConfigError) as raised:
        require_columns(["id", "email"], rows, ["id", name], where="destination crm: table customers")
    assert f"destination crm: table customers has no column {name}." in str(raised.value)
    assert step in str(raised.value)
