"""The values for Dagster's chart say what the other files say, and are what Kubernetes takes."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from dagster._serdes import ConfigurableClassData
from helm_python.chart import Chart

from reverse_etl.defs.launcher import HeartbeatRunLauncher
from reverse_etl_tests.deploy.files import SHARED, SQLITE, loaded, snake, version
from reverse_etl_tests.servers.deployment import DEPLOY, unit
from reverse_etl_tests.servers.kubernetes import running_cluster

HELM = loaded(DEPLOY / "helm" / "values.yaml")
FILES = ("values.yaml", "values.k8s.yaml")
POD = {"image", "env", "envSecrets", "podSecurityContext", "securityContext", "volumes", "volumeMounts", "resources"}
PROBES = {"livenessProbe", "readinessProbe", "startupProbe"}
KEYS = {
    "": {
        *("global", "generatePostgresqlPasswordSecret", "postgresql", "dagsterWebserver", "dagster-user-deployments"),
        *("runLauncher", "dagsterDaemon", "concurrency", "retention", "pythonLogs", "telemetry"),
        *("additionalInstanceConfig", "rbacEnabled"),
    },
    "global": {"postgresqlSecretName", "dagsterHome", "serviceAccountName"},
    "dagsterWebserver": {*POD, *PROBES, "service", "replicaCount", "workspace", "initContainerResources"},
    "dagsterDaemon": {
        *(*POD, *PROBES, "runCoordinator", "runMonitoring", "runRetries", "schedules", "sensors"),
        "initContainerResources",
    },
    "deployment": {
        *(*POD, *PROBES, "name", "port", "codeServerArgs", "deploymentStrategy"),
        *("initContainers", "includeConfigInLaunchedRuns"),
    },
    "runLauncher": {"type", "config"},
    "concurrency": {"enabled", "pools", "runs"},
    "retention": {"enabled", "sensor", "schedule", "autoMaterialize"},
    "schedules": {"useThreads", "numWorkers", "numSubmitWorkers"},
    "pythonLogs": {"pythonLogLevel", "managedPythonLoggers", "dagsterHandlerConfig"},
}
"""What the chart has under these names, of which its schema refuses others.

Source: helm/dagster in github.com/dagster-io/dagster (values.yaml, schema/schema/charts), 2026-11-28.
"""
BY_NAME = {"run_launcher", "run_coordinator", "run_monitoring", "concurrency", "schedules", "python_logs", "retention"}
"""Settings of dagster.yaml that the chart has under names of its own, each compared below."""


def test_helm_says_what_the_others_say() -> None:
    """Ports, folders, module, image, database, and every setting of dagster.yaml that the chart has."""
    (deployment,) = HELM["dagster-user-deployments"]["deployments"]
    assert int(SHARED["REVERSE_ETL_CODE_PORT"]) == deployment["port"]
    assert int(SHARED["REVERSE_ETL_WEB_PORT"]) == HELM["dagsterWebserver"]["service"]["port"]
    assert SHARED["DAGSTER_HOME"] == HELM["global"]["dagsterHome"]
    assert " ".join(deployment["codeServerArgs"]) in unit("reverse-etl-code")["ExecStart"][0]
    images = [deployment["image"], HELM["dagsterWebserver"]["image"], HELM["dagsterDaemon"]["image"]]
    assert [images[0]] * 3 == images
    database = HELM["postgresql"]
    assert (SHARED["DAGSTER_PG_USER"], SHARED["DAGSTER_PG_DB"]) == (
        database["postgresqlUsername"],
        database["postgresqlDatabase"],
    )
    assert (int(SHARED["DAGSTER_PG_PORT"]), "postgresql+psycopg2") == (
        database["service"]["port"],
        database["postgresqlScheme"],
    )
    for part in (deployment, HELM["dagsterWebserver"], HELM["dagsterDaemon"]):
        assert {each["name"]: each["value"] for each in part["env"]}.items() <= SHARED.items()
    claimed = {each["name"] for each in deployment["volumes"] if "persistentVolumeClaim" in each}
    kept = [mount["mountPath"] for mount in deployment["volumeMounts"] if mount["name"] in claimed]
    assert [SHARED["REVERSE_ETL_HOME"]] == kept
    assert f'tag: "{version()}"' in (DEPLOY / "helm" / "values.yaml").read_text()


def test_helm_has_the_settings_of_dagster_yaml() -> None:
    """Launcher and coordinator word by word; limits, monitoring and retention by the chart's names."""
    default = {"module": "dagster._core.launcher", "class": "DefaultRunLauncher"}
    launcher = {"config": {}} | SQLITE.get("run_launcher", default)
    assert launcher == HELM["runLauncher"]["config"]["customRunLauncher"]
    daemon = HELM["dagsterDaemon"]
    assert {"config": {}} | SQLITE["run_coordinator"] == daemon["runCoordinator"]["config"]["customRunCoordinator"]
    assert SQLITE["run_monitoring"] == {snake(key): value for key, value in daemon["runMonitoring"].items()}
    runs, pools = SQLITE["concurrency"]["runs"], SQLITE["concurrency"]["pools"]
    assert runs == {snake(key): value for key, value in HELM["concurrency"]["runs"].items()}
    assert pools == {snake(key): value for key, value in HELM["concurrency"]["pools"].items()}
    assert SQLITE["schedules"] == {snake(key): value for key, value in daemon["schedules"].items()}
    assert SQLITE["python_logs"] == {snake(key): value for key, value in HELM["pythonLogs"].items()}
    for kind, kept in SQLITE["retention"].items():
        assert kept["purge_after_days"].items() <= HELM["retention"][kind]["purgeAfterDays"].items()
    assert SQLITE.get("run_retries", {"enabled": False})["enabled"] == daemon["runRetries"]["enabled"]
    # The chart turns these on.
    assert SQLITE.get("sensors", {"use_threads": False}) == {
        snake(key): value for key, value in daemon["sensors"].items()
    }
    assert SQLITE["telemetry"] == HELM["telemetry"]
    others = {key: value for key, value in SQLITE.items() if key not in {*BY_NAME, "telemetry"}}
    assert others == HELM["additionalInstanceConfig"]


def test_helm_with_pods_for_runs_is_the_same_but_for_them() -> None:
    """The same image, code server and secrets; no claim, as nothing of a run stays in the code server's pod."""
    values = loaded(DEPLOY / "helm" / "values.k8s.yaml")
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    (before,) = HELM["dagster-user-deployments"]["deployments"]
    changed = {
        "volumes",
        "volumeMounts",
        "initContainers",
        "resources",
        "deploymentStrategy",
        "includeConfigInLaunchedRuns",
    }
    assert {key: value for key, value in before.items() if key not in changed} == {
        key: value for key, value in deployment.items() if key not in changed
    }
    assert [] == [each for each in deployment["volumes"] if not {"emptyDir", "projected"} & each.keys()]
    launcher = values["runLauncher"]["config"]["customRunLauncher"]
    inner = launcher.pop("config")["launcher"]["config"]
    assert {**launcher, "config": {}} == HELM["runLauncher"]["config"]["customRunLauncher"]
    assert [each["name"] for each in deployment["envSecrets"]] == inner["env_secrets"]
    assert HELM["global"]["postgresqlSecretName"] == inner["postgres_password_secret"]
    assert SHARED["DAGSTER_HOME"] == inner["dagster_home"] == HELM["global"]["dagsterHome"]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The values as Helm reads them: of the first file alone, and with the second one over it."""
    chart = tmp_path_factory.mktemp("chart")
    (chart / "templates").mkdir()
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: values, version: 0.0.0}")
    (chart / "values.yaml").write_text((DEPLOY / "helm" / FILES[0]).read_text())
    (chart / "templates" / "all.yaml").write_text("{{ toJson .Values }}")
    (chart / "templates" / "launcher.yaml").write_text(
        "{{ toYaml .Values.runLauncher.config.customRunLauncher.config }}"
    )
    found = {}
    with Chart.load(chart) as loaded_chart:
        for name, over in zip(FILES, ({}, loaded(DEPLOY / "helm" / FILES[1])), strict=True):
            texts = loaded_chart.render(values=over, name="reverse-etl")
            by_file = {Path(path).name: text for path, text in texts.items()}
            found[name] = {"values": json.loads(by_file["all.yaml"]), "launcher": by_file["launcher.yaml"]}
    return found


@pytest.mark.parametrize("name", FILES)
def test_the_chart_has_every_key(name: str, rendered: dict[str, dict[str, Any]]) -> None:
    """Its schema would refuse another one."""
    values = rendered[name]["values"]
    sections = {
        **{key: values[key] for key in KEYS.keys() & values.keys()},
        "": values,
        "deployment": values["dagster-user-deployments"]["deployments"][0],
        "schedules": values["dagsterDaemon"]["schedules"],
    }
    assert KEYS.keys() == sections.keys()
    assert {} == {key: extra for key, each in sections.items() if (extra := each.keys() - KEYS[key])}


@pytest.mark.thorough
@pytest.mark.parametrize("name", FILES)
def test_kubernetes_takes_the_pods(name: str, rendered: dict[str, dict[str, Any]]) -> None:
    """Of every release that it still serves: confined, with limits, volumes for what is mounted, and a probe."""
    # Importing it takes a second, and each worker imports this module.
    import kubernetes_validate

    values = rendered[name]["values"]
    (code,) = values["dagster-user-deployments"]["deployments"]
    for part in (values["dagsterWebserver"], values["dagsterDaemon"], code):
        manifest = deployment_of(part)
        for release in ("1.31", "1.33", kubernetes_validate.latest_version()):
            kubernetes_validate.validate(manifest, release, strict=True)
        pod = manifest["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert {each["name"] for each in pod["volumes"]} == {each["name"] for each in container["volumeMounts"]}
        rights = container["securityContext"]
        assert (True, True, False) == (
            rights["runAsNonRoot"],
            rights["readOnlyRootFilesystem"],
            rights["allowPrivilegeEscalation"],
        )
        assert {"drop": ["ALL"]} == rights["capabilities"]
        assert "memory" in container["resources"]["limits"]


def test_the_syncs_page_runs_beside_the_chart() -> None:
    """With the same image, folders, state and rights; a probe asks it by a name that it answers to."""
    import kubernetes_validate

    manifest = loaded(DEPLOY / "helm" / "syncs-page.yaml")
    for release in ("1.31", "1.33", kubernetes_validate.latest_version()):
        kubernetes_validate.validate(manifest, release, strict=True)
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    webserver = HELM["dagsterWebserver"]
    image = webserver["image"]
    assert f"{image['repository']}:{image['tag']}" == container["image"]
    assert (webserver["securityContext"], webserver["podSecurityContext"]) == (
        container["securityContext"],
        pod["securityContext"],
    )
    assert [{"secretRef": each} for each in webserver["envSecrets"]] == container["envFrom"]
    assert {each["name"]: each["value"] for each in container["env"] if "value" in each}.items() <= SHARED.items()
    # It opens no instance of Dagster's, and gets neither its settings nor its password.
    assert [] == [each for each in container["env"] if "DAGSTER" in each["name"]]
    assert [] == [each for each in pod["volumes"] if "emptyDir" not in each]
    assert {each["name"] for each in pod["volumes"]} == {each["name"] for each in container["volumeMounts"]}
    in_compose = loaded(DEPLOY / "compose.yaml")["services"]["syncs-page"]["command"]
    assert [Template(word).substitute(SHARED) for word in in_compose] == container["command"]
    assert [{"name": "Host", "value": "localhost"}] == container["livenessProbe"]["httpGet"]["httpHeaders"]


@pytest.mark.thorough
def test_dagster_makes_its_launcher_of_what_helm_renders(
    rendered: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that launches Jobs in the namespace which the chart names, and the one that needs no settings."""
    from dagster_k8s import K8sRunLauncher

    monkeypatch.setenv("DAGSTER_K8S_PIPELINE_RUN_NAMESPACE", "syncs")
    assert {} == yaml.safe_load(rendered[FILES[0]]["launcher"])
    of_jobs = yaml.safe_load(rendered[FILES[1]]["launcher"])
    with running_cluster(tmp_path, {}, {}) as cluster:
        here = {"load_incluster_config": False, "kubeconfig_file": str(cluster.kubeconfig)}
        inner = of_jobs["launcher"]
        inner["config"] |= here
        made = ConfigurableClassData(inner["module"], inner["class"], yaml.safe_dump(inner["config"])).rehydrate(
            as_type=K8sRunLauncher
        )
        assert ("syncs", ["reverse-etl-state", "reverse-etl-syncs"]) == (made.job_namespace, made.env_secrets)
        assert isinstance(HeartbeatRunLauncher.from_config_value(None, of_jobs), HeartbeatRunLauncher)


def deployment_of(part: dict[str, Any]) -> dict[str, Any]:
    """The Deployment that the chart's templates make of a part of the values; a code server's probe asks by gRPC.

    Source: templates/deployment-daemon.yaml, templates/helpers/_deployment-webserver.tpl and
    charts/dagster-user-deployments/templates/deployment-user.yaml of the chart, 2026-11-28.
    """
    probe = part["livenessProbe"]
    if not {"exec", "httpGet"} & probe.keys():
        probe = {"exec": {"command": ["dagster", "api", "grpc-health-check", "-p", str(part["port"])]}, **probe}
    image = part["image"]
    container: dict[str, Any] = {
        "name": "dagster",
        "image": f"{image['repository']}:{image['tag']}",
        "imagePullPolicy": image["pullPolicy"],
        "env": part["env"],
        "envFrom": [{"secretRef": each} for each in part["envSecrets"]],
        "livenessProbe": probe,
        **{key: part[key] for key in ("securityContext", "resources", "volumeMounts", "readinessProbe") if key in part},
    }
    labels = {"component": "dagster"}
    pod = {"securityContext": part["podSecurityContext"], "containers": [container], "volumes": part["volumes"]}
    if "initContainers" in part:
        pod["initContainers"] = part["initContainers"]
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if "deploymentStrategy" in part:
        spec["strategy"] = part["deploymentStrategy"]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "dagster"}, "spec": spec}
