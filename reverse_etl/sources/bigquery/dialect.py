"""How BigQuery takes a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import ELSEWHERE, Dialect

DIALECT: Final = Dialect(
    "bigquery",
    made_up_names=r"f[0-9]+_",
    refused_functions=((r"external_query", ELSEWHERE),),
    text_type="STRING",
    quote=r"\'",
    # A number with a fraction is a float there, and an integer beyond 64 bits none.
    exact_number="BIGNUMERIC '{}'",
    has_log=True,
)
