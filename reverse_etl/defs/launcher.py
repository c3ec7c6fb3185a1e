"""Dagster's run launcher, which knows when a run's process is gone, on this machine or another.

Dagster's own notices a dead process as long as the code server that started it lives; when the machine went down, or
``reverse-etl run`` was killed, its run would stay in progress for good. Run monitoring (``dagster.yaml``) asks here.
"""

from datetime import UTC, datetime

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

from reverse_etl.defs.run_tags import has_begun, of_syncs_alone, tag_status
from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.home import Home
from reverse_etl.state.run_ids import runs_of
from reverse_etl.state.store import open_store

_LIVES = CheckRunHealthResult(WorkerStatus.RUNNING)


class HeartbeatRunLauncher(DefaultRunLauncher):
    """Launches runs as Dagster does; their health is read from the signs of life in the state database."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Lets run monitoring ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether a started run's process lives; ends the history's row of one that does not. Raises StateError.

        Runs that give no sign of life, such as those with a user's own assets, count as alive.
        """
        store = open_store(Home.from_environment().state_url)
        alive = workspace_lease.lives(store, run.run_id)
        if alive is False:
            workspace_lease.end_lost(store)
            return self._gone(run, "its process no longer gives a sign of life")
        if alive or not of_syncs_alone(run):
            return _LIVES
        known = runs_of(store, run.run_id)
        if any(each.status is Status.FAILED and workspace_lease.was_lost(each) for each in known):
            return self._gone(run, "its process ended before the run did")
        # Before its first stage, and after its last one, a run holds no lease: Dagster's events are its signs of life.
        begun_elsewhere = not known and has_begun(run)
        if begun_elsewhere or self._silent_for(run) < workspace_lease.SILENT.total_seconds():
            return _LIVES
        return self._gone(run, f"it gave no sign of life for {self._silent_for(run):.0f} s")

    def _silent_for(self, run: dg.DagsterRun) -> float:
        events = self._instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        return datetime.now(UTC).timestamp() - events[0].timestamp if events else 0.0

    def _gone(self, run: dg.DagsterRun, why: str) -> CheckRunHealthResult:
        tag_status(self._instance, run.run_id, Status.FAILED)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"The run's worker is gone: {why}.")
