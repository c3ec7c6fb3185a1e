"""What is installed with the package: each has a licence that is known, and a line in the bill of materials."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from reverse_etl_tests import third_party

ROOT = Path(__file__).parents[1]
LOCKED = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
MAY_BE_CHOSEN = {"EPL-2.0 OR GPL-2.0-or-later"}
"""Of these the other one is."""


def test_the_page_is_what_the_packages_say() -> None:
    """Otherwise write it again: python -m reverse_etl_tests.third_party."""
    assert third_party.PAGE.read_text(encoding="utf-8") == third_party.page()


def test_each_package_is_locked_and_none_binds_who_uses_it() -> None:
    """A licence of the GPL itself would: the Lesser one of a driver does not."""
    found = third_party.packages()
    assert set() == found.keys() - LOCKED.keys()
    assert {"dagster", "pyarrow", "psycopg", "pyodbc"} <= found.keys()
    assert not {"pytest", "mypy", "moto"} & found.keys()
    binding = re.compile(r"(?<!L)GPL|Affero|Proprietary")
    assert [] == [name for name, text in found.items() if binding.search(text) and text not in MAY_BE_CHOSEN]


@pytest.mark.thorough
def test_the_bill_of_materials_has_every_package(tmp_path: Path) -> None:
    """`make sbom`, in a CycloneDX file that its program has validated."""
    path = tmp_path / "sbom.json"
    done = subprocess.run(
        ["make", "-s", "-o", "setup", "sbom", f"SBOM={path}", f"BIN={Path(sys.executable).parent}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert 0 == done.returncode, done.stderr
    components = {canonicalize_name(entry["name"]): entry for entry in json.loads(path.read_text())["components"]}
    assert set() == third_party.packages().keys() - components.keys()
    assert LOCKED["dagster"] == components["dagster"]["version"]
