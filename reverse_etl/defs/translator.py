"""How a user's project changes what Dagster shows of a sync: keys, groups, owners, tags, automation conditions.

What the assets are without a translator is in ``specs``; what they do is in ``assets`` and cannot be changed here.
"""

from dataclasses import dataclass
from typing import Literal

import dagster as dg

Stage = Literal["changeset", "validated", "compared", "delivery", "destination"]


@dataclass(frozen=True, slots=True)
class SyncAsset:
    """One asset of a sync, before it is translated.

    Attributes:
        sync: The sync's name. Of a destination to which several syncs write: the first of them by name.
        stage: ``changeset``, ``validated``, with ``by: compare`` ``compared``, or ``delivery``, which the sync's job
            materializes one after the other, or ``destination``, what the rows arrive in.
        destination: The name of the connection that the sync sends to.
        file: The sync's file, from the folder of the syncs: ``customers.yaml``, or ``marketing/customers.yaml``.
        spec: The asset as it is without a translator.
    """

    sync: str
    stage: Stage
    destination: str
    file: str
    spec: dg.AssetSpec


class SyncTranslator:
    """The one place where a project changes the assets of its syncs: subclass it for ``build_definitions``."""

    def get_asset_spec(self, asset: SyncAsset) -> dg.AssetSpec:
        """The asset as the project wants it; by default as it is.

        It is asked once for each asset whenever the syncs are loaded, so it must not read from a network. Some things
        stay whatever the spec leaves out, because stages and runs need them: the dependency of each stage on the one
        before it, and metadata and tags whose names begin with ``reverse_etl/``. An automation condition of a
        ``destination`` is left out: the sync's stages make it.

        Args:
            asset: The asset, with its sync and its default ``spec``.
        """
        return asset.spec

    def get_table_key(self, database: str, table: tuple[str, ...]) -> dg.AssetKey:
        """The asset that stands for a table that a query reads; by default ``[DATABASE, …, TABLE]``.

        Where it is left at that, ``asset_keys`` and ``dbt`` of the database in ``connections.yaml`` say which it is.
        Return the key of the asset that makes the table, a dbt model for example, and it stands upstream of the sync.

        Args:
            database: The name of the connection.
            table: The table's name as the query has it, with its schema in front where the query names one.
        """
        return dg.AssetKey([database, *table])
