"""Every `dagster.yaml`, and what it names, says the same."""

from __future__ import annotations

import re

import pytest
import yaml
from dagster._config import validate_config
from dagster._core.instance.config import dagster_instance_config_schema
from dagster._core.storage.compute_log_manager import ComputeLogManager
from dagster._serdes import ConfigurableClassData

from reverse_etl.defs.coordinator import SkippingRunCoordinator
from reverse_etl_tests.deploy.files import PAGE, ROOT, SHARED, SQLITE, loaded
from reverse_etl_tests.servers.deployment import DEPLOY, unit


@pytest.mark.parametrize("name", ["defs/dagster.yaml", "dagster.postgres.yaml", "celery/dagster.yaml"])
def test_dagster_takes_each_file(name: str) -> None:
    """Its own schema of an instance has every key; due syncs are looked at, and runs start, in threads."""
    folder = ROOT / "reverse_etl" if name.startswith("defs/") else DEPLOY
    settings = loaded(folder / name)
    found = validate_config(dagster_instance_config_schema(), settings)
    assert found.success, found.errors
    coordinator = ConfigurableClassData(
        settings["run_coordinator"]["module"],
        settings["run_coordinator"]["class"],
        yaml.safe_dump(settings["run_coordinator"]["config"]),
    ).rehydrate(as_type=SkippingRunCoordinator)
    assert (True, 4) == (coordinator.dequeue_use_threads, coordinator.dequeue_num_workers)
    assert settings["schedules"]["use_threads"]


def test_celery_has_the_settings_of_dagster_yaml() -> None:
    """All but the launcher's own launcher and the number of runs."""
    postgres, celery = loaded(DEPLOY / "dagster.postgres.yaml"), loaded(DEPLOY / "celery" / "dagster.yaml")
    assert celery["run_launcher"].pop("config")["launcher"]["class"] == "CeleryRunLauncher"
    for each in (postgres, celery):
        del each["concurrency"]["runs"]["max_concurrent_runs"]
    assert postgres == celery


def test_the_instance_on_postgres_is_the_one_on_sqlite_with_another_storage() -> None:
    """Queue, limits, monitoring and retention are the same; each variable of the storage is in `dagster.env`."""
    postgres = loaded(DEPLOY / "dagster.postgres.yaml")
    storage = postgres.pop("storage")["postgres"]["postgres_db"]
    assert SQLITE == postgres
    assert "postgresql+psycopg2" == storage.pop("scheme")
    assert {f"DAGSTER_PG_{key}" for key in ("HOST", "PORT", "USER", "PASSWORD", "DB")} == {
        each["env"] for each in storage.values()
    }


def test_the_state_is_in_dagsters_database() -> None:
    """`REVERSE_ETL_STATE_URL` says in one what the DAGSTER_PG variables say in five; neither has a password yet."""
    user, password, host, port, name = (
        SHARED[f"DAGSTER_PG_{key}"] for key in ("USER", "PASSWORD", "HOST", "PORT", "DB")
    )
    assert "" == password
    assert f"postgresql://{user}:change-me@{host}:{port}/{name}" == SHARED["REVERSE_ETL_STATE_URL"]


def test_the_workspace_names_variables_that_exist() -> None:
    """Host and port of the code server, and the location's name that the units and the UI's links use."""
    ((kind, server),) = loaded(DEPLOY / "workspace.yaml")["load_from"][0].items()
    assert "grpc_server" == kind
    assert {server["host"]["env"], server["port"]["env"]} <= SHARED.keys()
    assert f"--location-name {server['location_name']} " in unit("reverse-etl-code")["ExecStart"][0]
    assert loaded(ROOT / "workspace.yaml")["load_from"][0]["python_module"]["location_name"] == server["location_name"]


def test_dagster_makes_the_log_managers_of_the_page() -> None:
    """Both blocks with `compute_logs`: it takes the settings, and the bucket is the one that they name."""
    texts = re.findall(r"```yaml\n(compute_logs:.*?)```", PAGE, flags=re.DOTALL)
    made = []
    for text in texts:
        settings = yaml.safe_load(text)
        found = validate_config(dagster_instance_config_schema(), settings)
        assert found.success, found.errors
        named = settings["compute_logs"]
        data = ConfigurableClassData(named["module"], named["class"], yaml.safe_dump(named.get("config", {})))
        made.append(type(data.rehydrate(as_type=ComputeLogManager)).__name__)
    assert ["S3ComputeLogManager", "NoOpComputeLogManager"] == made
