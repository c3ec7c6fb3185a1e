"""`docs/dagster.md`, executed: every block of Python and YAML, as it stands there."""

import re
import runpy
from pathlib import Path

import dagster as dg
import pytest

from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

PAGE = (Path(__file__).parents[2] / "docs" / "dagster.md").read_text(encoding="utf-8")
BLOCKS = {
    block.splitlines()[0].removeprefix("# "): block
    for block in re.findall(r"^```(?:python|yaml)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
}
"""By the file that each names on its first line."""


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with the syncs `people` and `marketing/newsletter`, and the page's Python files."""
    for name, value in project.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project.folder)
    monkeypatch.syspath_prepend(str(project.folder))
    project.write("marketing/newsletter.yaml", people())
    for name, block in BLOCKS.items():
        if name.endswith(".py"):
            (project.folder / name).write_text(block)
    return project.folder


def shown(definitions: dg.Definitions) -> dict[str, tuple[str, list[str]]]:
    """Each asset's group, and what is upstream of it."""
    return {
        spec.key.to_user_string(): (spec.group_name or "", [dep.asset_key.to_user_string() for dep in spec.deps])
        for spec in definitions.resolve_all_asset_specs()
    }


def test_every_block_is_tried_here() -> None:
    """A new one needs a test; `assets.py` has its own in `e2e/test_readme.py`."""
    assert {"assets.py", "components.py", "definitions.py", "defs.yaml", "push.py", "translator.py"} == BLOCKS.keys()


def test_the_syncs_merge_with_the_projects_assets(here: Path) -> None:
    """Below the asset that makes their table, in the groups of their folders, with the page's condition."""
    definitions = runpy.run_path(str(here / "definitions.py"))["defs"]()
    nodes = shown(definitions)
    assert ("everyone", ["models/customers"]) == nodes["crm/people/people_changeset"]
    assert ("marketing", ["crm/newsletter/newsletter_validated"]) == nodes["crm/newsletter/newsletter_delivery"]
    assert ("default", []) == nodes["models/customers"]
    specs = {spec.key.path[-1]: spec for spec in definitions.resolve_all_asset_specs()}
    assert ["team:marketing"] == list(specs["newsletter_changeset"].owners)
    assert dg.AutomationCondition.eager() == specs["newsletter_changeset"].automation_condition


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("type_", "table"),
    [("reverse_etl.ReverseEtlComponent", "shop/customers"), ("components.Syncs", "models/customers")],
)
def test_the_component_reads_the_folder(here: Path, type_: str, table: str) -> None:
    """As the file names it, and as the page's subclass of it."""
    package = f"dg_page_{table.replace('/', '_')}"
    (here / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n'
    )
    (here / package / "defs" / "syncs").mkdir(parents=True)
    for folder in (here / package, here / package / "defs"):
        (folder / "__init__.py").touch()
    text = BLOCKS["defs.yaml"].replace("reverse_etl.ReverseEtlComponent", type_)
    (here / package / "defs" / "syncs" / "defs.yaml").write_text(text)
    nodes = shown(dg.load_from_defs_folder(path_within_project=here))
    assert ("everyone", [table]) == nodes["crm/people/people_changeset"]
    assert ("marketing", ["crm/newsletter/newsletter_validated"]) == nodes["crm/newsletter/newsletter_delivery"]


def test_the_connections_work_without_dagster(
    here: Path, sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's script pushes everyone of the table."""
    runpy.run_path(str(here / "push.py"))
    assert "3 delivered, 0 failed\n" == capsys.readouterr().out
    assert [1, 1, 1] == [person["attributes"]["newsletter"] for person in sandbox.people()]
