"""Probes, folders, names and rights of the chart's pods and of the Jobs of runs, where the chart has its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._serdes import ConfigurableClassData

from reverse_etl_tests.deploy.files import PAGE, SHARED, loaded
from reverse_etl_tests.servers.deployment import DEPLOY
from reverse_etl_tests.servers.kubernetes import running_cluster

HELM = loaded(DEPLOY / "helm" / "values.yaml")
OF_JOBS = loaded(DEPLOY / "helm" / "values.k8s.yaml")
CODE = {
    name: values["dagster-user-deployments"]["deployments"][0]
    for name, values in {"values.yaml": HELM, "values.k8s.yaml": OF_JOBS}.items()
}
(RELEASE,) = set(re.findall(r"helm upgrade --install (\S+) dagster/dagster", PAGE))
CHARTS_OWN = {
    "configMap": {f"{RELEASE}-dagster-instance", f"{RELEASE}-dagster-workspace-yaml"},
    "serviceAccount": {f"{RELEASE}-dagster"},
}
"""What the chart makes that our files name: the release's name, then the chart's."""
LAUNCHER = OF_JOBS["runLauncher"]["config"]["customRunLauncher"]["config"]["launcher"]["config"]


@pytest.mark.parametrize("probe", ["readinessProbe", "livenessProbe"])
def test_the_webserver_is_asked_where_it_listens(probe: str) -> None:
    """The chart's own readiness probe asks port 80, whatever the service's port: no pod would ever be ready."""
    webserver = HELM["dagsterWebserver"]
    assert {"path": "/server_info", "port": webserver["service"]["port"]} == webserver[probe]["httpGet"]


@pytest.mark.parametrize("name", CODE)
def test_the_code_server_finds_dagster_yaml_where_the_commands_look(name: str) -> None:
    """The chart mounts it in the other pods alone; its folder belongs to the user of the container."""
    part = CODE[name]
    folder = PurePosixPath(HELM["global"]["dagsterHome"])
    (projected,) = [each for each in part["volumes"] if "projected" in each]
    mounted = {each["mountPath"]: each["subPath"] for each in part["volumeMounts"] if each["name"] == projected["name"]}
    assert {str(folder / file): file for file in ("dagster.yaml", "workspace.yaml")} == mounted
    named = {each["configMap"]["name"] for each in projected["projected"]["sources"]}
    assert CHARTS_OWN["configMap"] == named
    made = [each["command"] for each in part.get("initContainers", [])]
    empty = {each["name"] for each in part["volumes"] if "emptyDir" in each}
    own = [each["mountPath"] for each in part["volumeMounts"] if each["name"] in empty]
    assert ["mkdir", "-p", str(folder)] in made or str(folder) in own
    for each in part.get("initContainers", []):
        assert part["securityContext"] == each["securityContext"]
        assert "memory" in each["resources"]["limits"]
        assert {mount["name"] for mount in each["volumeMounts"]} <= {volume["name"] for volume in part["volumes"]}


def test_the_launcher_names_what_the_chart_makes() -> None:
    """Its ConfigMap and service account; the chart's own variable names the namespace."""
    assert {LAUNCHER["instance_config_map"]} <= CHARTS_OWN["configMap"]
    assert {LAUNCHER["service_account_name"]} == CHARTS_OWN["serviceAccount"]
    assert {"env": "DAGSTER_K8S_PIPELINE_RUN_NAMESPACE"} == LAUNCHER["job_namespace"]


def test_the_commands_of_the_page_name_what_is_deployed() -> None:
    """The chart's Deployments and Services by its rule of names, and the Syncs page by its manifest."""
    page = loaded(DEPLOY / "helm" / "syncs-page.yaml")["metadata"]["name"]
    code = f"{RELEASE}-dagster-user-deployments-{CODE['values.yaml']['name']}"
    chart = f"{RELEASE}-dagster"
    lines = [line for line in PAGE.splitlines() if line.startswith("$ kubectl ")]
    named = {name for line in lines for name in re.findall(r"\b(?:deployment|service|job)/[\w-]+", line)}
    assert {
        *(f"deployment/{page}", f"deployment/{code}", f"deployment/{chart}-daemon", f"deployment/{chart}-webserver"),
        *(f"service/{chart}-webserver", f"job/{chart}-webserver-instance-migrate"),
    } == named


def test_only_what_starts_jobs_may_ask_kubernetes() -> None:
    """The chart gives every pod rights on Jobs and pods, of the code server too, unless it is told not to."""
    over = HELM | OF_JOBS
    code = HELM["dagster-user-deployments"] | OF_JOBS["dagster-user-deployments"]
    assert (False, True, False) == (HELM["rbacEnabled"], over["rbacEnabled"], code["rbacEnabled"])


@pytest.mark.thorough
def test_a_runs_job_has_the_limits_and_rights_of_the_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those of the code server, which the chart hands to every run unless it is told not to; and no token."""
    # Importing them takes a second, and each worker imports this module.
    import kubernetes
    import kubernetes_validate
    from dagster_k8s import K8sRunLauncher
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import construct_dagster_k8s_job

    monkeypatch.setenv("DAGSTER_K8S_PIPELINE_RUN_NAMESPACE", "syncs")
    with running_cluster(tmp_path, {}, {}) as cluster:
        here = LAUNCHER | {"load_incluster_config": False, "kubeconfig_file": str(cluster.kubeconfig)}
        data = ConfigurableClassData("dagster_k8s", "K8sRunLauncher", yaml.safe_dump(here))
        launcher = data.rehydrate(as_type=K8sRunLauncher)
    pointer = ModuleCodePointer("reverse_etl.definitions", "defs")
    code = RepositoryPythonOrigin(
        sys.executable, pointer, "reverse-etl", container_context=container_context(CODE["values.k8s.yaml"])
    )
    run = dg.DagsterRun("people", job_code_origin=JobPythonOrigin("people", code))
    context = K8sContainerContext.create_for_run(run, launcher, include_run_tags=True)
    job = construct_dagster_k8s_job(
        context.get_k8s_job_config(job_image="reverse-etl", run_launcher=launcher),
        ["dagster"],
        "run",
        user_defined_k8s_config=context.run_k8s_config,
    )
    manifest = kubernetes.client.ApiClient().sanitize_for_serialization(job)
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (LAUNCHER["resources"], False) == (container["resources"], pod["automountServiceAccountToken"])
    assert {pod["serviceAccountName"]} == CHARTS_OWN["serviceAccount"]
    names = [each["name"] for each in pod["volumes"]]
    assert sorted(names) == sorted({each["name"] for each in container["volumeMounts"]})
    assert {SHARED["REVERSE_ETL_HOME"], SHARED["DAGSTER_HOME"]} <= {
        each["mountPath"] for each in container["volumeMounts"]
    }
    assert "syncs" == context.namespace


def container_context(part: dict[str, Any]) -> dict[str, Any]:
    """What the chart tells runs of the code server that they come from, where that is not turned off.

    Source: `k8sContainerContext` in templates/helpers/_helpers.tpl of the chart dagster-user-deployments, 2026-11-28.
    """
    if not part.get("includeConfigInLaunchedRuns", {"enabled": True})["enabled"]:
        return {}
    context = {
        "image_pull_policy": part["image"]["pullPolicy"],
        "env_secrets": [each["name"] for each in part["envSecrets"]],
        "volume_mounts": part["volumeMounts"],
        "volumes": part["volumes"],
        "resources": part["resources"],
        "env": part["env"],
        "service_account_name": f"{RELEASE}-dagster-user-deployments-user-deployments",
        "run_k8s_config": {"pod_spec_config": {"automount_service_account_token": True}},
    }
    return {"k8s": context}
