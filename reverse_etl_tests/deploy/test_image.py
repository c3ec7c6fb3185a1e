"""The image, and the page that leads through all of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from reverse_etl.files.storage import STORAGE_URL_VARIABLE
from reverse_etl_tests.deploy.files import PAGE, ROOT, SHARED, loaded, variables, version
from reverse_etl_tests.servers.deployment import DEPLOY


def test_the_page_names_what_there_is() -> None:
    """Every file under `deploy/`, every variable, the versions of chart and image, and the Helm file's secrets."""
    for name in set(re.findall(r"deploy/[\w./*-]*\w", PAGE)):
        assert name.startswith("deploy/proxy/login") or list(ROOT.glob(name)), name
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


def test_hadolint_finds_nothing_in_the_image() -> None:
    """What is left out has its reason in the file."""
    lint = [str(Path(sys.executable).with_name("hadolint")), "--no-color", str(DEPLOY / "Dockerfile")]
    done = subprocess.run(lint, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (done.returncode, done.stdout + done.stderr)
