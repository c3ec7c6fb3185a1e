"""Units, Compose and Helm files say the same, and name only what there is. That they work: `e2e/test_deployment`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reverse_etl.files.storage import STORAGE_URL_VARIABLE
from reverse_etl_tests.servers.deployment import DEPLOY, INSTALLED, UNITS, WORKER, command, unit

ROOT = DEPLOY.parent
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
PROGRAMS = Path(sys.executable).parent


def variables(name: str) -> dict[str, str]:
    """A file of variables."""
    lines = [line for line in (DEPLOY / name).read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def loaded(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


SHARED = variables("dagster.env")
COMPOSE = loaded(DEPLOY / "compose.yaml")
HELM = loaded(DEPLOY / "helm" / "values.yaml")
SQLITE = loaded(ROOT / "reverse_etl" / "defs" / "dagster.yaml")


def with_values(words: list[str]) -> list[str]:
    """A command of the Compose file with its variables replaced."""
    return [re.sub(r"\$\{(\w+)\}", lambda match: SHARED[match[1]], word) for word in words]


def without_host(words: list[str]) -> list[str]:
    """A command without the address that it listens on, its program and workspace by their names."""
    at = words.index("-h") if "-h" in words else len(words)
    return [Path(word).name if "/" in word else word for word in words[:at] + words[at + 2 :]]


@pytest.mark.parametrize("name", [*UNITS, WORKER])
def test_a_unit_names_programs_files_and_variables_that_exist(name: str) -> None:
    """Programs are in the environment, files in the repository, variables in `dagster.env`."""
    service = unit(name)
    for line in [*service["ExecStart"], *service.get("ExecStartPre", [])]:
        words = command(line, SHARED)
        assert (PROGRAMS / Path(words[0]).name).is_file()
        assert all(
            (DEPLOY / Path(word).name).is_file() for word in words if "/deploy/" in word or word.endswith(".yaml")
        )
        assert [] == [word for word in words if INSTALLED in word]
    for file in service["EnvironmentFile"]:
        assert (DEPLOY / Path(file).name).is_file()
        assert str(Path(file).parent) in PAGE
    assert [INSTALLED] == service["WorkingDirectory"]
    assert SHARED["REVERSE_ETL_HOME"] == f"/var/lib/{service['StateDirectory'][0]}"
    assert SHARED["REVERSE_ETL_SYNCS"].startswith(INSTALLED)


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Its own check of the files, with this environment's programs in place of those of an installation."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    for name in (*UNITS, WORKER):
        text = (DEPLOY / "systemd" / f"{name}.service").read_text()
        (tmp_path / f"{name}.service").write_text(text.replace(f"{INSTALLED}/.venv/bin", str(PROGRAMS)))
    verify = [
        "systemd-analyze",
        "verify",
        "--man=no",
        *(str(tmp_path / f"{name}.service") for name in (*UNITS, WORKER)),
    ]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert "" == "\n".join(line for line in done.stderr.splitlines() if "reverse-etl" in line)


@pytest.mark.parametrize("name", [*UNITS, WORKER])
def test_a_unit_may_do_little(name: str) -> None:
    """By systemd's own measure, from 0 to 10."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    file = DEPLOY / "systemd" / f"{name}.service"
    rating = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(file)]
    done = subprocess.run(rating, capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stdout.splitlines()[-1:]


def test_celery_has_the_settings_of_dagster_yaml() -> None:
    """All but the launcher's own launcher and the number of runs."""
    postgres, celery = loaded(DEPLOY / "dagster.postgres.yaml"), loaded(DEPLOY / "celery" / "dagster.yaml")
    assert celery["run_launcher"].pop("config")["launcher"]["class"] == "CeleryRunLauncher"
    for each in (postgres, celery):
        del each["concurrency"]["runs"]["max_concurrent_runs"]
    assert postgres == celery


@pytest.mark.parametrize("overlay", [(), ("celery/compose.yaml",)], ids=["alone", "celery"])
def test_compose_takes_the_files(overlay: tuple[str, ...]) -> None:
    """Its own check; every service that needs the broker's address has it, and workers run what the unit runs."""
    files = [word for name in ("compose.yaml", *overlay) for word in ("-f", str(DEPLOY / name))]
    command_line = [str(PROGRAMS / "docker-compose"), "--env-file", str(DEPLOY / "dagster.env"), *files]
    done = subprocess.run([*command_line, "config"], capture_output=True, text=True, timeout=60)
    assert (0, "") == (done.returncode, done.stderr)
    services = yaml.safe_load(done.stdout)["services"]
    if not overlay:
        assert "worker" not in services
        return
    dagsters = {"migrate", "code", "webserver", "daemon", "worker"}
    assert dagsters | {"postgres", "redis"} == services.keys()
    for name in dagsters:
        assert "redis://redis:6379/0" == services[name]["environment"]["REVERSE_ETL_BROKER_URL"]
        mounted = {mount["target"]: mount["source"] for mount in services[name]["volumes"]}
        assert str(DEPLOY / "celery" / "dagster.yaml") == mounted["/var/lib/reverse-etl/dagster/dagster.yaml"]
    without_name = [
        word for word in command(unit(WORKER)["ExecStart"][0], SHARED)[1:] if "@" not in word and word != "-n"
    ]
    assert without_name == services["worker"]["command"][1:]
    (path,) = (each.partition("=")[2] for each in unit(WORKER)["Environment"])
    assert path == services["worker"]["environment"]["PYTHONPATH"]


@pytest.mark.parametrize(("name", "service"), list(zip(UNITS, ("code", "webserver", "daemon"), strict=True)))
def test_compose_starts_what_the_units_start(name: str, service: str) -> None:
    """The same commands with the same ports; only the addresses they listen on are those of containers."""
    described = COMPOSE["services"][service]
    words = with_values(described["command"])
    assert without_host(command(unit(name)["ExecStart"][0], SHARED)) == without_host(words)
    files = {Path(file).name for file in unit(name)["EnvironmentFile"]}
    assert files == set(described["env_file"])
    assert {"DAGSTER_PG_HOST", "REVERSE_ETL_CODE_HOST", "REVERSE_ETL_STATE_URL"} <= described["environment"].keys()
    assert described["environment"].keys() <= SHARED.keys()


def test_compose_names_services_files_and_variables_that_exist() -> None:
    """What is waited for, mounted, built and interpolated is there; the UI is for this machine only."""
    services = COMPOSE["services"]
    for described in services.values():
        assert set(described.get("depends_on", {})) <= services.keys()
        mounts = [mount.split(":")[0] for mount in described.get("volumes", [])]
        assert all((DEPLOY / mount).exists() if "." in mount else mount in COMPOSE["volumes"] for mount in mounts)
        assert all((DEPLOY / file).is_file() for file in described.get("env_file", []))
    assert set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text())) <= SHARED.keys()
    assert (DEPLOY / services["code"]["build"]["context"] / services["code"]["build"]["dockerfile"]).is_file()
    assert ["127.0.0.1:3000:3000"] == with_values(services["webserver"]["ports"])
    assert services["code"]["environment"]["REVERSE_ETL_CODE_HOST"] in services
    assert services["code"]["environment"]["DAGSTER_PG_HOST"] in services
    url = with_values([services["code"]["environment"]["REVERSE_ETL_STATE_URL"]])[0]
    assert SHARED["REVERSE_ETL_STATE_URL"].replace("127.0.0.1", "postgres") == url


def test_the_state_is_in_dagsters_database() -> None:
    """`REVERSE_ETL_STATE_URL` says in one what the DAGSTER_PG variables say in five."""
    user, password, host, port, name = (
        SHARED[f"DAGSTER_PG_{key}"] for key in ("USER", "PASSWORD", "HOST", "PORT", "DB")
    )
    assert f"postgresql://{user}:{password}@{host}:{port}/{name}" == SHARED["REVERSE_ETL_STATE_URL"]


def test_the_instance_on_postgres_is_the_one_on_sqlite_with_another_storage() -> None:
    """Queue, limits, monitoring and retention are the same; each variable of the storage is in `dagster.env`."""
    postgres = loaded(DEPLOY / "dagster.postgres.yaml")
    storage = postgres.pop("storage")["postgres"]["postgres_db"]
    assert SQLITE == postgres
    assert "postgresql+psycopg2" == storage.pop("scheme")
    assert {f"DAGSTER_PG_{key}" for key in ("HOST", "PORT", "USER", "PASSWORD", "DB")} == {
        each["env"] for each in storage.values()
    }


def test_the_workspace_names_variables_that_exist() -> None:
    """Host and port of the code server, and the location's name that the units and the UI's links use."""
    ((kind, server),) = loaded(DEPLOY / "workspace.yaml")["load_from"][0].items()
    assert "grpc_server" == kind
    assert {server["host"]["env"], server["port"]["env"]} <= SHARED.keys()
    assert f"--location-name {server['location_name']} " in unit("reverse-etl-code")["ExecStart"][0]
    assert loaded(ROOT / "workspace.yaml")["load_from"][0]["python_module"]["location_name"] == server["location_name"]


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
    mounted = {mount["mountPath"] for mount in deployment["volumeMounts"]}
    assert {f"{SHARED['REVERSE_ETL_HOME']}/{folder}" for folder in ("changesets", "failed_rows")} == mounted
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
    for kind, kept in SQLITE["retention"].items():
        assert kept["purge_after_days"].items() <= HELM["retention"][kind]["purgeAfterDays"].items()
    assert SQLITE.get("run_retries", {"enabled": False})["enabled"] == daemon["runRetries"]["enabled"]


def test_helm_with_pods_for_runs_is_the_same_but_for_them() -> None:
    """The same image, code server and secrets; no claim, as nothing of a run stays in the code server's pod."""
    values = loaded(DEPLOY / "helm" / "values.k8s.yaml")
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    (before,) = HELM["dagster-user-deployments"]["deployments"]
    changed = {"volumes", "volumeMounts", "podSecurityContext", "resources"}
    assert {key: value for key, value in before.items() if key not in changed} == {
        key: value for key, value in deployment.items() if key not in changed
    }
    assert ([], []) == (deployment["volumes"], deployment["volumeMounts"])
    launcher = values["runLauncher"]["config"]["customRunLauncher"]
    inner = launcher.pop("config")["launcher"]["config"]
    assert {**launcher, "config": {}} == HELM["runLauncher"]["config"]["customRunLauncher"]
    assert [each["name"] for each in deployment["envSecrets"]] == inner["env_secrets"]
    assert HELM["global"]["postgresqlSecretName"] == inner["postgres_password_secret"]
    assert SHARED["DAGSTER_HOME"] == inner["dagster_home"] == HELM["global"]["dagsterHome"]


def test_the_page_names_what_there_is() -> None:
    """Every file under `deploy/`, every variable, the versions of chart and image, and the Helm file's secrets."""
    for name in set(re.findall(r"deploy/[\w./*-]*\w", PAGE)):
        assert list(ROOT.glob(name)), name
    told = set(re.findall(r"\b(?:DAGSTER|REVERSE_ETL)_\w+", PAGE))
    assert told <= SHARED.keys() | {"REVERSE_ETL_STATE_URL", STORAGE_URL_VARIABLE}
    assert f"# {STORAGE_URL_VARIABLE}=" in (DEPLOY / "syncs.env").read_text()
    assert SHARED.keys() - {"DAGSTER_DISABLE_TELEMETRY"} <= told
    lock = (ROOT / "requirements.lock").read_text()
    (dagster,) = re.findall(r"^dagster==(\S+)", lock, flags=re.MULTILINE)
    for text in (PAGE, (DEPLOY / "helm" / "values.yaml").read_text()):
        assert f"--version {dagster}" in text
    for secret in set(
        re.findall(r"reverse-etl-(?:postgresql|state|syncs|home)", (DEPLOY / "helm" / "values.yaml").read_text())
    ):
        assert secret in PAGE
    assert f"/reverse-etl:{version()} " in PAGE


def test_the_image_copies_files_that_exist_and_ignores_none_of_them() -> None:
    """Each source of a COPY is in the repository and let through by the ignore file."""
    text = (DEPLOY / "Dockerfile").read_text()
    allowed = set((DEPLOY / "Dockerfile.dockerignore").read_text().splitlines())
    copied = [word for line in re.findall(r"^COPY (.*)$", text, flags=re.MULTILINE) for word in line.split()[:-1]]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in allowed
    for name in ("DAGSTER_HOME", "REVERSE_ETL_HOME", "REVERSE_ETL_SYNCS"):
        assert f"{name}={SHARED[name]}" in text


def test_the_variables_of_the_syncs_are_those_that_the_files_name() -> None:
    """With `syncs.env` alone, every variable without a default in the shipped files has a value."""
    named = set(re.findall(r"\$\{(\w+)\}", str(loaded(ROOT / "syncs" / "connections.yaml"))))
    assert named
    assert named <= variables("syncs.env").keys()


def snake(name: str) -> str:
    """`maxRuntimeSeconds` as `max_runtime_seconds`."""
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)


def version() -> str:
    """This project's version."""
    (found,) = re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    return str(found)
