"""Columns in Dagster's catalog: which there are, and from which source column each attribute comes."""

from collections.abc import Callable, Mapping, Sequence

import dagster as dg
import pyarrow as pa

from reverse_etl.changeset.lineage import origins_of
from reverse_etl.config.contracts import Term
from reverse_etl.config.dialect import Dialect
from reverse_etl.config.streams import ROWS
from reverse_etl.config.syncs import SyncConfig

_SCHEMA = "dagster/column_schema"
_LINEAGE = "dagster/column_lineage"

Metadata = Mapping[str, dg.TableSchema | dg.TableColumnLineage]


def read_columns(
    sync: SyncConfig, dialect: Dialect, schema: pa.Schema | None, table_key: Callable[[tuple[str, ...]], dg.AssetKey]
) -> Metadata:
    """The changeset's columns with their meaning, each with the columns of the tables that the query makes it of."""
    fields = list(schema or ())
    origins = origins_of(sync, sync.stream(ROWS), dialect, [field.name for field in fields])
    deps = {
        column: [dg.TableColumnDep(table_key(table), name) for table, name in found]
        for column, found in origins.items()
    }
    return {_SCHEMA: _table_schema(sync, fields), _LINEAGE: dg.TableColumnLineage(deps)}


def same_columns(sync: SyncConfig, upstream: dg.AssetKey, schema: pa.Schema | None) -> Metadata:
    """Columns that are those of another asset, by name."""
    fields = list(schema or ())
    deps = {field.name: [dg.TableColumnDep(upstream, field.name)] for field in fields}
    return {_SCHEMA: _table_schema(sync, fields), _LINEAGE: dg.TableColumnLineage(deps)}


def _table_schema(sync: SyncConfig, fields: Sequence[pa.Field]) -> dg.TableSchema:
    contract = sync.contract_of(ROWS)
    terms = contract.terms if contract is not None else {}
    return dg.TableSchema(columns=[_column(field, terms.get(field.name)) for field in fields])


def _column(field: pa.Field, term: Term | None) -> dg.TableColumn:
    """A column as the catalog shows it, with what the dictionary says of it."""
    if term is None:
        return dg.TableColumn(field.name, str(field.type))
    meaning = term.definition
    said = [
        f"{meaning.description.rstrip('.')}." if meaning.description else "",
        f"Source: {meaning.source}." if meaning.source else "",
    ]
    said.append(f"Deprecated: use {meaning.deprecated_by}." if meaning.deprecated_by else "")
    values = ", ".join(map(str, meaning.allowed_values))
    constraints = dg.TableColumnConstraints(
        nullable=not meaning.required, other=[f"one of: {values}"] if values else None
    )
    return dg.TableColumn(
        field.name, str(field.type), description=" ".join(filter(None, said)) or None, constraints=constraints
    )
