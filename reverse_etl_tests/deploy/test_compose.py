"""Compose takes its files, starts what the units start, and confines it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reverse_etl_tests.deploy.files import PAGE, PASSWORDS, SHARED, loaded
from reverse_etl_tests.servers.deployment import DEPLOY, SYNCS_PAGE, UNITS, WORKER, command, unit

PROGRAMS = Path(sys.executable).parent
COMPOSE = loaded(DEPLOY / "compose.yaml")


SCRATCH = "/tmp"  # noqa: S108 - in a container
DAGSTERS = {"migrate", "code", "webserver", "daemon", "syncs-page"}
OVERLAYS = ((), ("celery/compose.yaml",), ("proxy/compose.yaml",), ("prometheus/compose.yaml",))


def with_values(words: list[str]) -> list[str]:
    """A command of the Compose file with its variables replaced."""
    return [re.sub(r"\$\{(\w+)[^}]*\}", lambda match: {**SHARED, **PASSWORDS}[match[1]], word) for word in words]


def compose(*overlays: str, without: str = "") -> subprocess.CompletedProcess[str]:
    """What Compose makes of its files, in a shell that has the passwords, but for one."""
    files = [word for name in ("compose.yaml", *overlays) for word in ("-f", str(DEPLOY / name))]
    words = [str(PROGRAMS / "docker-compose"), "--env-file", str(DEPLOY / "dagster.env"), *files, "config"]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **PASSWORDS}
    environment.pop(without, None)
    return subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment, check=False)


def services(*overlays: str) -> dict[str, Any]:
    """Every service, with its variables replaced."""
    done = compose(*overlays)
    assert (0, "") == (done.returncode, done.stderr)
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


@pytest.mark.parametrize(
    ("missing", "overlay"), [("DAGSTER_PG_PASSWORD", ()), ("REVERSE_ETL_BROKER_PASSWORD", ("celery/compose.yaml",))]
)
def test_nothing_starts_without_a_password(missing: str, overlay: tuple[str, ...]) -> None:
    """Compose ends with the variable's name and the file that it belongs to."""
    assert "" == SHARED[missing]
    done = compose(*overlay, without=missing)
    assert 0 != done.returncode
    assert (
        f"{missing} is missing a value: write a password of letters and digits into deploy/dagster.env" in done.stderr
    )


@pytest.mark.parametrize("overlay", OVERLAYS, ids=["alone", "celery", "proxy", "prometheus"])
def test_every_service_is_confined(overlay: tuple[str, ...]) -> None:
    """No rights, nothing written but where it is mounted, limits for memory, processes and logs, a health check."""
    for name, service in services(*overlay).items():
        assert (True, ["ALL"]) == (service["read_only"], service["cap_drop"]), name
        assert ["no-new-privileges:true"] == service["security_opt"]
        assert {"max-size", "max-file"} == service["logging"]["options"].keys()
        assert int(service["mem_limit"]) <= 6 * 2**30
        assert service["pids_limit"] > 0
        assert name == "migrate" or "test" in service["healthcheck"]
        writable = [each.split(":")[0] for each in service.get("tmpfs") or []]
        writable += [each["target"] for each in service["volumes"] if not each.get("read_only")]
        assert SCRATCH in writable or name == "redis"
        if service["image"] == "reverse-etl":
            assert any(SHARED["DAGSTER_HOME"].startswith(path) for path in writable), name


def test_a_file_of_your_own_limits_a_service(tmp_path: Path) -> None:
    """The page's example, named last."""
    (example,) = (text for text in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL) if "cpus" in text)
    (tmp_path / "limits.yaml").write_text(example)
    assert 3 == services(str(tmp_path / "limits.yaml"))["code"]["cpus"]


def test_the_proxy_alone_is_reached_from_outside() -> None:
    """With the overlay nothing else has a port."""
    found = services("proxy/compose.yaml")
    published = {name: [port["published"] for port in each["ports"]] for name, each in found.items() if "ports" in each}
    assert {"proxy": [SHARED["REVERSE_ETL_LOGIN_PORT"]]} == published


def without_host(words: list[str]) -> list[str]:
    """A command without the address that it listens on, its program and workspace by their names."""
    at = words.index("-h") if "-h" in words else len(words)
    return [Path(word).name if "/" in word else word for word in words[:at] + words[at + 2 :]]


def test_workers_run_what_their_unit_runs() -> None:
    """Every service that needs the broker's address has it, with its password, and the instance of Celery."""
    found = services("celery/compose.yaml")
    assert DAGSTERS | {"postgres", "redis", "worker"} == found.keys()
    for name in DAGSTERS | {"worker"}:
        address = f"redis://:{PASSWORDS['REVERSE_ETL_BROKER_PASSWORD']}@redis:6379/0"
        assert address == found[name]["environment"]["REVERSE_ETL_BROKER_URL"]
        mounted = {mount["target"]: mount.get("source") for mount in found[name]["volumes"]}
        assert str(DEPLOY / "celery" / "dagster.yaml") == mounted["/var/lib/reverse-etl/dagster/dagster.yaml"]
    without_name = [
        word for word in command(unit(WORKER)["ExecStart"][0], SHARED)[1:] if "@" not in word and word != "-n"
    ]
    assert without_name == found["worker"]["command"][1:]
    (path,) = (each.partition("=")[2] for each in unit(WORKER)["Environment"])
    assert path == found["worker"]["environment"]["PYTHONPATH"]


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


@pytest.mark.thorough
def test_the_syncs_page_is_for_this_machine_or_behind_the_login() -> None:
    """As its unit, but for the addresses of containers; with the proxy it has no port, no token and a path there."""
    port, page = SHARED["REVERSE_ETL_SYNCS_PORT"], services()["syncs-page"]
    program, *words = command(unit(SYNCS_PAGE)["ExecStart"][0], SHARED)
    public = ["--public-url", f"http://127.0.0.1:{port}"]
    assert [Path(program).name, words[0], words[1], f"0.0.0.0:{port}", *public, *words[3:]] == page["command"]
    assert [("127.0.0.1", port)] == [(each["host_ip"], each["published"]) for each in page["ports"]]
    url = SHARED["REVERSE_ETL_LOGIN_URL"]
    assert url.endswith(f":{SHARED['REVERSE_ETL_LOGIN_PORT']}")
    behind = services("proxy/compose.yaml")["syncs-page"]["command"]
    assert ["--public-url", f"{url}/syncs-page", "--dagster-url", url, "--no-token"] == behind[4:]
    for each in (page["command"], behind):
        assert 0 == subprocess.run([str(PROGRAMS / each[0]), *each[1:], "--help"], capture_output=True).returncode


def test_compose_names_services_files_and_variables_that_exist() -> None:
    """What is waited for, mounted, built and interpolated is there; the UI is for this machine only."""
    named = COMPOSE["services"]
    for described in named.values():
        assert set(described.get("depends_on", {})) <= named.keys()
        mounts = [mount.split(":")[0] for mount in described.get("volumes", [])]
        assert all((DEPLOY / mount).exists() if "." in mount else mount in COMPOSE["volumes"] for mount in mounts)
        assert all((DEPLOY / file).is_file() for file in described.get("env_file", []))
    assert set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text())) <= SHARED.keys()
    assert (DEPLOY / named["code"]["build"]["context"] / named["code"]["build"]["dockerfile"]).is_file()
    assert ["127.0.0.1:3000:3000"] == with_values(named["webserver"]["ports"])
    assert named["code"]["environment"]["REVERSE_ETL_CODE_HOST"] in named
    assert named["code"]["environment"]["DAGSTER_PG_HOST"] in named
    url = with_values([named["code"]["environment"]["REVERSE_ETL_STATE_URL"]])[0]
    assert SHARED["REVERSE_ETL_STATE_URL"].replace("127.0.0.1", "postgres") == url
