"""The syncs as a component of a ``dg`` project: a ``defs.yaml`` names their folder and may change their assets."""

from typing import Annotated, Any

import dagster as dg
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import Field

from reverse_etl.defs.failure import NotLoadedError
from reverse_etl.defs.project import build_definitions
from reverse_etl.defs.translator import SyncAsset, SyncTranslator


class _Scaffolder(dg.Scaffolder[Any]):
    """Writes a ``defs.yaml`` with the folder in which ``init`` puts the syncs, to be read and changed."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        dg.scaffold_component(request, {"syncs": "{{ context.project_root }}/syncs"})


@dg.scaffold_with(_Scaffolder)
class ReverseEtlComponent(dg.Component, dg.Model, dg.Resolvable):
    """The syncs of one folder: assets, checks, jobs, schedules, sensors and resources.

    Subclass it and override ``get_asset_spec`` or ``get_table_key`` for what ``translation`` cannot express.
    """

    syncs: str = Field(
        default="syncs", description="The folder of connections.yaml and the syncs, from the folder of this file."
    )
    tables: bool = Field(
        default=False, description="Define the tables too; for a project without assets of their keys."
    )
    translation: (
        Annotated[TranslationFn[SyncAsset], TranslationFnResolver[SyncAsset](lambda asset: {"asset": asset})] | None
    ) = Field(default=None, description="Attributes of every asset; `spec` is the asset as it is, `asset` its sync.")

    def get_asset_spec(self, asset: SyncAsset) -> dg.AssetSpec:
        """The asset as the project wants it: as ``SyncTranslator.get_asset_spec``, by ``translation``."""
        return self.translation(asset.spec, asset) if self.translation else asset.spec

    def get_table_key(self, database: str, table: tuple[str, ...]) -> dg.AssetKey:
        """The asset that stands for a table that a query reads: as ``SyncTranslator.get_table_key``."""
        return SyncTranslator().get_table_key(database, table)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions of the folder. Raises NotLoadedError, such as with every problem of every file."""
        folder = context.path / self.syncs
        if not folder.is_dir():
            raise NotLoadedError(
                f"there is no folder {folder}. Write where the syncs are as `syncs:` under attributes in "
                f"{context.path / 'defs.yaml'}, or make a first sync there: reverse-etl init --syncs {folder}"
            )
        return build_definitions(folder, translator=_Translator(self), tables=self.tables)


class _Translator(SyncTranslator):
    """Asks a component."""

    def __init__(self, component: ReverseEtlComponent) -> None:
        self._component = component

    def get_asset_spec(self, asset: SyncAsset) -> dg.AssetSpec:
        return self._component.get_asset_spec(asset)

    def get_table_key(self, database: str, table: tuple[str, ...]) -> dg.AssetKey:
        return self._component.get_table_key(database, table)
