"""Columns in Dagster's catalog: which there are, and from which source column each attribute comes."""

from collections.abc import Callable, Mapping, Sequence

import dagster as dg
import pyarrow as pa

from reverse_etl.changeset.lineage import column_origins
from reverse_etl.config.dialect import Dialect

_SCHEMA = "dagster/column_schema"
_LINEAGE = "dagster/column_lineage"

Metadata = Mapping[str, dg.TableSchema | dg.TableColumnLineage]


def read_columns(
    query: str, dialect: Dialect, schema: pa.Schema | None, table_key: Callable[[tuple[str, ...]], dg.AssetKey]
) -> Metadata:
    """The changeset's columns, each with the columns of the tables that the query makes it of."""
    fields = list(schema or ())
    origins = column_origins(query, dialect, tuple(field.name for field in fields))
    deps = {
        column: [dg.TableColumnDep(table_key(table), name) for table, name in found]
        for column, found in origins.items()
    }
    return {_SCHEMA: _table_schema(fields), _LINEAGE: dg.TableColumnLineage(deps)}


def same_columns(upstream: dg.AssetKey, schema: pa.Schema | None) -> Metadata:
    """Columns that are those of another asset, by name."""
    fields = list(schema or ())
    deps = {field.name: [dg.TableColumnDep(upstream, field.name)] for field in fields}
    return {_SCHEMA: _table_schema(fields), _LINEAGE: dg.TableColumnLineage(deps)}


def _table_schema(fields: Sequence[pa.Field]) -> dg.TableSchema:
    return dg.TableSchema(columns=[dg.TableColumn(field.name, str(field.type)) for field in fields])
