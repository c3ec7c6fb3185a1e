"""Dagster's run launcher, which knows when a run's process is gone, on this machine or another.

Runs are launched by Dagster's own launcher, or by the one that ``dagster.yaml`` names: Celery's, Kubernetes', Docker's.
None of these notices every way in which a machine goes down, and its run would stay in progress for good. Run
monitoring (``dagster.yaml``) asks here, where the signs of life in the state database answer for all of them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self, cast

import dagster as dg
import yaml
from dagster._config.config_schema import UserConfigSchema
from dagster._core.launcher import (
    CheckRunHealthResult,
    DefaultRunLauncher,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from reverse_etl.defs.run_tags import has_begun, of_syncs_alone, tag_status
from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.home import Home
from reverse_etl.state.kept import kept_store
from reverse_etl.state.run_ids import runs_of

_LIVES = CheckRunHealthResult(WorkerStatus.RUNNING)


class HeartbeatRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Launches runs by another launcher; their health is read from the signs of life in the state database.

    Args:
        inner: Launches them; Dagster's own when left out.
        inst_data: What Dagster makes this one of in another process.
    """

    def __init__(self, inner: RunLauncher | None = None, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._inner: RunLauncher = DefaultRunLauncher() if inner is None else inner
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What Dagster makes this one of in another process."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """``launcher: {module, class, config}``, as ``run_launcher`` has them; left out: Dagster's own."""
        named = {"module": str, "class": str, "config": dg.Field(dict, is_required=False)}
        return {"launcher": dg.Field(named, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """As ``dagster.yaml`` says. Raises CheckError, DagsterInvalidConfigError as Dagster does for any launcher."""
        named = config_value.get("launcher")
        if named is None:
            return cls(inst_data=inst_data)
        inner = ConfigurableClassData(named["module"], named["class"], yaml.safe_dump(dict(named.get("config", {}))))
        return cls(cast("RunLauncher", inner.rehydrate()), inst_data=inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Hands the instance on."""
        super().register_instance(instance)
        self._inner.register_instance(instance)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Launches a run."""
        self._inner.launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Asks a run to end; first Dagster learns that somebody wanted it, so that it ends canceled, not failed."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if run.status is not dg.DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        return self._inner.terminate(run_id)

    def join(self, timeout: int = 30) -> None:
        """Waits for the runs that this process launched, in seconds."""
        self._inner.join(timeout)

    def dispose(self) -> None:
        """Closes what the launcher holds open."""
        self._inner.dispose()

    @property
    def supports_resume_run(self) -> bool:
        """Whether the launcher can go on with a run whose process ended."""
        return self._inner.supports_resume_run

    def resume_run(self, context: ResumeRunContext) -> None:
        """Goes on with a run in a new process."""
        self._inner.resume_run(context)

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """What the launcher knows of the machine of a run."""
        return self._inner.get_run_worker_debug_info(run, include_container_logs)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Lets run monitoring ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether a started run's process lives; ends the history's row of one that does not. Raises StateError.

        Runs that give no sign of life, such as those with a user's own assets, the launcher judges; where it cannot,
        they count as alive.
        """
        store = kept_store(Home.from_environment().state_url)
        alive = workspace_lease.lives(store, run.run_id)
        if alive is False:
            workspace_lease.end_lost(store)
            return self._gone(run, "its process no longer gives a sign of life")
        if alive:
            return _LIVES
        if not of_syncs_alone(run):
            can_tell = self._inner.supports_check_run_worker_health
            return self._inner.check_run_worker_health(run) if can_tell else _LIVES
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
