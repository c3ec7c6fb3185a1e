"""Validated rows for downstream assets: as one pandas DataFrame, or as an iterator of DataFrames.

    @dg.asset(ins={"customers": dg.AssetIn(key=["customers", "customers_validated"])})
    def plan_report(customers: pd.DataFrame): ...   # everything at once
    def plan_report(customers: Frames): ...         # a part at a time, in bounded memory

Storing is not done here: the validated asset writes its parts itself, a batch at a time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from reverse_etl.changeset.frames import as_frame
from reverse_etl.changeset.parts import RunFolder
from reverse_etl.errors import StateError
from reverse_etl.state.home import Home

if TYPE_CHECKING:
    import pandas as pd

FOLDER_METADATA = "changeset_folder"
"""Metadata entry of a validated asset's materialization: the run's folder."""


class Frames:
    """The validated rows as DataFrames of bounded size, indexed by row number; may be iterated many times."""

    def __init__(self, folder: RunFolder) -> None:
        """Takes the run's folder; nothing is read before the first frame is asked for."""
        self._folder = folder

    def __iter__(self) -> "Iterator[pd.DataFrame]":
        """One DataFrame per part; some may be empty."""
        return map(as_frame, self._folder.parts("rows").valid())


class ValidatedRowsIOManager(dg.ConfigurableIOManager):
    """Loads the rows that passed the checks in the newest run of a sync.

    Attributes:
        syncs: The folder of the syncs, beside which the home folder lies; empty: as the environment names it.
    """

    syncs: str = ""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Nothing to store: the parts are already in the run's folder."""

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame | Frames":
        """The validated rows, indexed by row number.

        Raises:
            StateError: The sync has not run yet, or retention removed the run's changeset.
        """
        import pandas as pd

        frames = Frames(_newest_folder(context, Path(self.syncs) if self.syncs else None))
        return frames if context.dagster_type.typing_type is Frames else pd.concat(list(frames))


def _newest_folder(context: dg.InputContext, syncs: Path | None) -> RunFolder:
    event = context.instance.get_latest_materialization_event(context.asset_key)
    materialization = event.asset_materialization if event else None
    if materialization is None:
        raise StateError(
            f"{context.asset_key.to_user_string()} has no rows yet.",
            hint="Run its sync first, in the same DAGSTER_HOME.",
        )
    folder = RunFolder(Path(str(materialization.metadata[FOLDER_METADATA].value)))
    if folder.facts() is None:
        # The run may have been executed on another machine.
        folder = Home.from_environment(syncs).run_folder(folder.path.parent.name, folder.path.name)
        if folder.shared is not None:
            folder.shared.fetch(folder.path)
    if folder.facts() is None:
        raise StateError(
            f"the changeset of {context.asset_key.to_user_string()} is gone: {folder.path}.",
            hint="Run the sync again, or keep changesets longer (retention in connections.yaml).",
        )
    return folder
