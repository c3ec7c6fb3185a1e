"""Columns in Dagster's catalog: which there are, and from which source column each attribute comes."""

from collections.abc import Callable, Mapping, Sequence

import dagster as dg
import pyarrow as pa

from reverse_etl.changeset.lineage import column_origins
from reverse_etl.config.dialect import Dialect
from reverse_etl.config.streams import ROWS
from reverse_etl.config.syncs import SyncConfig

_SCHEMA = "dagster/column_schema"
_LINEAGE = "dagster/column_lineage"

Metadata = Mapping[str, dg.TableSchema | dg.TableColumnLineage]


def read_columns(
    sync: SyncConfig, dialect: Dialect, schema: pa.Schema | None, table_key: Callable[[tuple[str, ...]], dg.AssetKey]
) -> Metadata:
    """The changeset's columns, each with the columns of the tables that the query makes it of.

    What a transform makes a column of is not known.
    """
    fields, shape = list(schema or ()), sync.shape(ROWS)
    of: dict[str, tuple[str, ...]] = {field.name: (field.name,) for field in fields if shape.transform is None}
    if shape.columns is not None and of:
        of = {name: value.columns for name, value in shape.columns.items()}
    names = tuple(dict.fromkeys(name for made_of in of.values() for name in made_of))
    origins = column_origins(sync.query, dialect, names)
    deps = {
        column: [
            dg.TableColumnDep(table_key(table), name)
            for table, name in dict.fromkeys(found for source in made_of for found in origins.get(source, ()))
        ]
        for column, made_of in of.items()
    }
    deps = {column: found for column, found in deps.items() if found}
    return {_SCHEMA: _table_schema(fields), _LINEAGE: dg.TableColumnLineage(deps)}


def same_columns(upstream: dg.AssetKey, schema: pa.Schema | None) -> Metadata:
    """Columns that are those of another asset, by name."""
    fields = list(schema or ())
    deps = {field.name: [dg.TableColumnDep(upstream, field.name)] for field in fields}
    return {_SCHEMA: _table_schema(fields), _LINEAGE: dg.TableColumnLineage(deps)}


def _table_schema(fields: Sequence[pa.Field]) -> dg.TableSchema:
    return dg.TableSchema(columns=[dg.TableColumn(field.name, str(field.type)) for field in fields])
