"""Each run a Kubernetes Job: Dagster's queue here, pods there; Postgres and S3 between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import dagster as dg
import pytest
import yaml

from reverse_etl_tests.e2e.fleet import PEOPLE, Fleet, daemon_of, shared_by_machines, slow
from reverse_etl_tests.e2e.in_progress import sent
from reverse_etl_tests.project import CREDENTIALS, Project
from reverse_etl_tests.servers.deployment import DEPLOY
from reverse_etl_tests.servers.kubernetes import Cluster, running_cluster
from reverse_etl_tests.servers.postgres import PostgresServer, postgres
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until

__all__ = ["postgres"]

pytestmark = pytest.mark.thorough

Status = dg.DagsterRunStatus


@dataclass(slots=True)
class Pods(Fleet):
    """A cluster in which each run has a pod."""

    cluster: Cluster


@pytest.fixture
def fleet(
    project: Project, sandbox: RunningSandbox, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pods]:
    """The shipped Helm values of the launcher, with a cluster that a file names; it has the syncs' secrets."""
    with ExitStack() as stack:
        variables, storage = stack.enter_context(shared_by_machines(project, sandbox, postgres))
        settings = yaml.safe_load((DEPLOY / "dagster.postgres.yaml").read_text()) | storage
        values = yaml.safe_load((DEPLOY / "helm" / "values.k8s.yaml").read_text())
        settings["run_launcher"] = values["runLauncher"]["config"]["customRunLauncher"]
        inner = settings["run_launcher"]["config"]["launcher"]["config"]
        pods = project.folder / "pods"
        pods.mkdir()
        secrets = {
            "reverse-etl-syncs": {**CREDENTIALS, "REVERSE_ETL_STORAGE_URL": variables["REVERSE_ETL_STORAGE_URL"]},
            "reverse-etl-state": {"REVERSE_ETL_STATE_URL": variables["REVERSE_ETL_STATE_URL"]},
            "reverse-etl-postgresql": {"postgresql-password": "none"},
        }
        # Before the instance's ConfigMap: what a cluster has and this process has not.
        cluster = stack.enter_context(running_cluster(pods, secrets, {}))
        del inner["job_namespace"]
        inner |= {
            "load_incluster_config": False,
            "kubeconfig_file": str(cluster.kubeconfig),
            "job_image": "reverse-etl",
            "dagster_home": str(pods),
        }
        # In a cluster, the image and the deployment's `env` have these.
        of_image = {**project.env(), **variables, "DAGSTER_HOME": str(pods), "REVERSE_ETL_HOME": str(pods / "home")}
        inner["env_vars"] = [
            f"{name}={value}" for name, value in of_image.items() if name not in {*CREDENTIALS, "PATH"}
        ]
        cluster.config_maps[inner["instance_config_map"]] = {"dagster.yaml": yaml.safe_dump(settings)}
        daemon = stack.enter_context(daemon_of(project, settings, variables, monkeypatch))
        yield Pods(daemon, variables["REVERSE_ETL_STATE_URL"], cluster)


def test_each_run_has_a_pod_whose_secrets_are_the_syncs(fleet: Pods, sandbox: RunningSandbox) -> None:
    """With the limits and rights of the shipped values; nothing is left on the daemon's machine."""
    (run_id,) = fleet.launched("people")
    assert Status.SUCCESS is fleet.ended(run_id), fleet.cluster.log_of(run_id)[-2_000:]
    assert {str(n) for n in range(1, PEOPLE + 1)} == set(sent(sandbox))
    container = fleet.cluster.container_of(run_id)
    assert {"memory": "2Gi"} == container["resources"]["limits"]
    assert {"runAsNonRoot": True, "allowPrivilegeEscalation": False}.items() <= container["securityContext"].items()
    assert {"reverse-etl-state", "reverse-etl-syncs"} == {each["secretRef"]["name"] for each in container["envFrom"]}
    assert set() == CREDENTIALS.keys() & {each["name"] for each in container["env"]}


@pytest.mark.parametrize("how", ["node lost", "pod evicted"])
def test_a_pod_that_is_gone_is_noticed_and_the_next_run_goes_on(fleet: Pods, sandbox: RunningSandbox, how: str) -> None:
    """Kubernetes takes the job of a lost node to be active for long; the signs of life tell within three minutes."""
    slow(sandbox, 0.5)
    (run_id,) = fleet.launched("people")
    wait_until(lambda: len(sent(sandbox)) >= 20, timeout_s=120, every_s=0.05)
    (fleet.cluster.lose if how == "node lost" else fleet.cluster.evict)(run_id)
    fleet.continued(run_id, sandbox)
    times = sent(sandbox)
    assert {str(n) for n in range(1, PEOPLE + 1)} == set(times)
    assert sum(times.values()) <= PEOPLE + 20


def test_a_run_that_is_terminated_is_canceled(fleet: Pods, sandbox: RunningSandbox) -> None:
    """Its job is deleted, its pod ends in order, and Dagster and the history say so."""
    slow(sandbox, 0.5)
    (run_id,) = fleet.launched("people")
    wait_until(lambda: len(sent(sandbox)) >= 5, timeout_s=120, every_s=0.05)
    assert fleet.daemon.instance.run_launcher.terminate(run_id)
    assert Status.CANCELED is fleet.ended(run_id)
    assert "canceled" == fleet.report(run_id).status.value
