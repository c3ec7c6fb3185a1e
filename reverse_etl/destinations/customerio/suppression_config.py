"""The people who are not to be sent, as a sync's file lists them. The changeset reads the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from reverse_etl.config.connections import PathBesideFile
from reverse_etl.config.model import YamlModel
from reverse_etl.config.query_files import QueryFile

Suppressed = Literal["ignore_and_complete", "ignore_and_fail"]


def _listed(path: Path) -> Path:
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError("must be a .csv or .parquet file")
    return path


class SuppressionListConfig(YamlModel):
    """People who are not to be sent, by ``id``, ``email`` or both: from a query or a file. Exactly one is set.

    Attributes:
        query: One SELECT on the sync's database that returns the whole list.
        file: CSV with a header, or Parquet. Absolute once loaded.
    """

    query: str | None = Field(default=None, min_length=1, description="One SELECT of id, email or both: all of them.")
    query_file: QueryFile = None
    file: Annotated[PathBesideFile, AfterValidator(_listed)] | None = Field(
        default=None, description="CSV or Parquet with a column id, email or both, relative to this file."
    )

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Exactly one of the two keys."""
        both = {"query", "file"} <= given.keys()
        if both or not {"query", "query_file", "file"} & given.keys():
            yield "", "takes query or file, not both" if both else "needs query or file"
