"""Dagster's `dg` in a clone of this repository, and in a project that a user scaffolds our component into."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from reverse_etl_tests.project import Project

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
DG = str(Path(sys.executable).with_name("dg"))
PYPROJECT = """\
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "own_project"
"""
DEFINITIONS = """\
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


def dg(project: Project, *arguments: str) -> str:
    """What a command of `dg` prints; it ends well."""
    done = project.command(DG, *arguments, timeout=170)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_a_clone_is_a_project_of_dg(new_project: Project) -> None:
    """`dg list defs` shows the syncs of the folder that the environment names."""
    new_project.environment["REVERSE_ETL_SYNCS"] = str(new_project.folder / "syncs")
    listed = json.loads(dg(Project(ROOT, new_project.env()), "list", "defs", "--json"))
    assert "people/people_delivery" in {asset["asset_key"] for asset in listed["assets"]}


def test_the_component_is_scaffolded_into_a_project(project: Project) -> None:
    """`dg scaffold defs` writes its file with the folder of the syncs, and `dg check defs` finds nothing wrong."""
    package = project.folder / "own_project"
    (package / "defs").mkdir(parents=True)
    for file, text in {
        "__init__.py": "",
        "defs/__init__.py": "",
        "definitions.py": DEFINITIONS,
        "../pyproject.toml": PYPROJECT,
    }.items():
        (package / file).write_text(text)
    project.environment["PYTHONPATH"] = str(project.folder)

    dg(project, "scaffold", "defs", "reverse_etl.ReverseEtlComponent", "crm")

    made = package / "defs" / "crm" / "defs.yaml"
    assert "type: reverse_etl.ReverseEtlComponent" in made.read_text()
    assert "syncs: '{{ context.project_root }}/syncs'" in made.read_text()
    assert "All definitions loaded successfully" in dg(project, "check", "defs")
