"""How BigQuery takes a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import DAY_IN_TEXT, ELSEWHERE, TEXT, TEXT_WITH_T, Bound, Dialect

DIALECT: Final = Dialect(
    "bigquery",
    made_up_names=r"f[0-9]+_",
    refused_functions=((r"external_query", ELSEWHERE),),
    text_type="STRING",
    quote=r"\'",
    # A number with a fraction is a float there, and an integer beyond 64 bits none.
    exact_number="BIGNUMERIC '{}'",
    has_log=True,
    bounds=(
        Bound("timestamp", "TIMESTAMP_SECONDS({{last_sync_time}})"),
        Bound("datetime", "DATETIME(TIMESTAMP_SECONDS({{last_sync_time}}), '{timezone}')"),
        Bound("date", "DATE(TIMESTAMP_SECONDS({{last_sync_time}}), '{timezone}')"),
        Bound(TEXT, "FORMAT_TIMESTAMP('%Y-%m-%d %H:%M:%S', TIMESTAMP_SECONDS({{last_sync_time}}))"),
        Bound(TEXT_WITH_T, "FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%S', TIMESTAMP_SECONDS({{last_sync_time}}))"),
        Bound(DAY_IN_TEXT, "FORMAT_TIMESTAMP('%Y-%m-%d', TIMESTAMP_SECONDS({{last_sync_time}}))"),
    ),
)
