"""Runs that another launcher starts, such as Celery's or Kubernetes': `dagster.yaml` names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, ClassVar, Self

import dagster as dg
import pytest
import yaml
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.defs.run_tags import BEGAN_TAG
from reverse_etl_tests.defs.daemon import Daemon
from reverse_etl_tests.defs.test_launcher import SYNC, Run, monitored, started
from reverse_etl_tests.project import Project


class Elsewhere(RunLauncher, ConfigurableClass):
    """Starts runs on machines of which it knows one thing: whether they are there."""

    asked: ClassVar[list[tuple[str, str, str]]] = []
    """What it was asked to do, for which run, and at what place."""

    def __init__(self, inst_data: ConfigurableClassData | None, place: str, *, there: bool) -> None:
        self._inst_data, self._place, self._there = inst_data, place, there
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Dagster's."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Any:
        """A place, and whether its machines are there."""
        return {"place": dg.Field(dg.StringSource), "there": dg.Field(bool, default_value=True)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """As the settings say."""
        return cls(inst_data, config_value["place"], there=config_value["there"])

    def launch_run(self, context: LaunchRunContext) -> None:
        """Notes it."""
        assert self._instance.get_run_by_id(context.dagster_run.run_id) is not None
        self.asked.append(("launch", context.dagster_run.run_id, self._place))

    def terminate(self, run_id: str) -> bool:
        """Notes it, and says nothing to Dagster."""
        self.asked.append(("terminate", run_id, self._place))
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It does."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:  # noqa: ARG002 - asked of any
        """Whether the machines are there."""
        return CheckRunHealthResult(WorkerStatus.RUNNING if self._there else WorkerStatus.FAILED, "its pod was evicted")


def overrides(inner: dict[str, Any]) -> dict[str, Any]:
    """The shipped `dagster.yaml` whose launcher names another one."""
    shipped: dict[str, Any] = yaml.safe_load((files("reverse_etl.defs") / "dagster.yaml").read_text())
    shipped["run_launcher"]["config"] = {"launcher": inner}
    return shipped


@pytest.fixture
def daemon(
    request: pytest.FixtureRequest, loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Daemon]:
    """The daemons of an instance whose runs start elsewhere."""
    Elsewhere.asked.clear()
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    monkeypatch.setenv("PLACE", "rack 7")
    config = {"place": {"env": "PLACE"}, **getattr(request, "param", {})}
    inner = {"module": __name__, "class": "Elsewhere", "config": config}
    with dg.instance_for_test(overrides=overrides(inner)) as instance, Daemon.of(instance) as daemon:
        yield daemon


def test_a_run_is_launched_by_the_launcher_that_is_named(daemon: Daemon) -> None:
    """With its own settings, environment variables among them; the queue in front of it is ours."""
    run = daemon.launch("people")
    assert [run.run_id] == daemon.dequeue()
    assert [("launch", run.run_id, "rack 7")] == Elsewhere.asked


def test_a_run_that_is_terminated_is_canceled(daemon: Daemon) -> None:
    """Not every launcher says to Dagster that somebody asked for it: such a run would end as failed."""
    run = started(daemon)
    assert daemon.instance.run_launcher.terminate(run.run_id)
    found = daemon.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert (Run.CANCELING, [("terminate", run.run_id, "rack 7")]) == (found.status, Elsewhere.asked)
    daemon.instance.report_run_canceled(found)
    assert not daemon.instance.run_launcher.terminate(run.run_id)
    assert 1 == len(Elsewhere.asked)


@pytest.mark.parametrize(
    ("daemon", "tags", "heard_s_ago", "status"),
    [
        ({"there": False}, {}, 10, Run.FAILURE),
        ({"there": True}, {}, 7200, Run.STARTED),
        ({"there": True}, SYNC, 200, Run.FAILURE),
        ({"there": False}, SYNC, 60, Run.STARTED),
        ({"there": False}, {**SYNC, BEGAN_TAG: "5f1dd1f0-8f4e-4c1c-9d53-0f3c9e2b7a10"}, 200, Run.STARTED),
    ],
    ids=["own job, gone", "own job, there", "sync, silent", "sync, starting", "sync, at work"],
    indirect=["daemon"],
)
def test_a_sync_is_judged_by_its_signs_of_life_and_a_job_of_a_users_own_by_the_launcher(
    daemon: Daemon, tags: dict[str, str], heard_s_ago: float, status: dg.DagsterRunStatus
) -> None:
    """What a broker has forgotten, or a cluster still takes to be active, fails no live run and keeps no dead one."""
    assert status is monitored(daemon, started(daemon, tags=tags, heard_s_ago=heard_s_ago))


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        ({"module": "no_such_celery", "class": "Launcher"}, "no_such_celery"),
        ({"module": __name__, "class": "Elswhere"}, "Elswhere"),
        ({"module": __name__, "class": "Elsewhere", "config": {"plaice": "x"}}, "plaice"),
        ({"module": __name__, "class": "Daemon"}, "Daemon"),
    ],
    ids=["module", "class", "setting", "no launcher"],
)
def test_a_launcher_that_cannot_be_made_is_named_at_the_start(inner: dict[str, Any], told: str) -> None:
    """As Dagster does with one of its own: the processes do not start."""
    with dg.instance_for_test(overrides=overrides(inner)) as instance, pytest.raises(Exception, match=told):
        assert instance.run_launcher
