"""A `dg` project whose `defs.yaml` names a folder of syncs, loaded as Dagster loads it."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster.components.core.package_entry import discover_package_objects
from dagster.components.core.snapshot import get_package_entry_snap
from dagster_shared.serdes.objects import EnvRegistryKey

from reverse_etl import ReverseEtlComponent
from reverse_etl.defs.failure import NotLoadedError
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

PYPROJECT = """\
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{name}"
"""
DEFS = """\
type: reverse_etl.ReverseEtlComponent
attributes:
  syncs: "{{ context.project_root }}/syncs"
"""
OWN = """\
import dagster as dg


@dg.asset(key=["shop", "customers"], group_name="own")
def customers() -> None: ...
"""
SUBCLASS = """\
import dagster as dg

from reverse_etl import ReverseEtlComponent


class Ours(ReverseEtlComponent):
    def get_table_key(self, database: str, table: tuple[str, ...]) -> dg.AssetKey:
        return dg.AssetKey(["models", *table])
"""

Load = Callable[[str], dg.Definitions]


@pytest.fixture
def load(project: Project, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads a `dg` project beside the folder of the syncs, of one `defs.yaml` and an asset of its own."""
    for name, value in project.env().items():
        monkeypatch.setenv(name, value)
    name = f"dg_project_{abs(hash(project.folder))}"
    own, ours = project.folder / name / "defs" / "own", project.folder / name / "defs" / "syncs"
    own.mkdir(parents=True)
    ours.mkdir()
    for folder in (project.folder / name, own.parent):
        (folder / "__init__.py").touch()
    (project.folder / "pyproject.toml").write_text(PYPROJECT.format(name=name))
    (own / "customers.py").write_text(OWN)
    (project.folder / name / "components.py").write_text(SUBCLASS)
    monkeypatch.syspath_prepend(str(project.folder))

    def loaded(text: str) -> dg.Definitions:
        (ours / "defs.yaml").write_text(text.replace("PROJECT", name))
        return dg.load_from_defs_folder(path_within_project=project.folder)

    return loaded


def test_the_folder_is_loaded_among_the_projects_own_assets(
    load: Load, instance: dg.DagsterInstance, sandbox: RunningSandbox
) -> None:
    """Its jobs, resources and checks are there, the project's asset stands upstream, and a job sends the rows."""
    definitions = load(DEFS)
    graph = definitions.resolve_asset_graph()
    assert {dg.AssetKey(["people", "people_changeset"])} == graph.get(dg.AssetKey(["shop", "customers"])).child_keys
    assert definitions.resolve_job_def("people").execute_in_process(instance=instance).success
    assert 3 == len(sandbox.people())


def test_the_file_can_change_every_asset(load: Load, project: Project) -> None:
    """By attributes, which may say what the asset is and of which sync."""
    project.write("marketing/newsletter.yaml", people())
    translation = """\
  translation:
    key: "crm/{{ asset.sync }}/{{ asset.stage }}"
    group_name: "{{ 'crm' if asset.stage == 'delivery' else spec.group_name }}"
    owners: ["team:growth"]
    tags: {file: "{{ asset.file.replace('/', '.') }}"}
    automation_condition: "{{ automation_condition.eager() }}"
"""
    specs = {spec.key.to_user_string(): spec for spec in load(DEFS + translation).resolve_all_asset_specs()}
    stages = ["changeset", "validated", "delivery"]
    keys = {f"crm/{sync}/{stage}" for sync in ("people", "newsletter") for stage in stages}
    assert {*keys, "crm/newsletter/destination", "shop/customers"} == specs.keys()
    delivery = specs["crm/newsletter/delivery"]
    assert ("crm", ["team:growth"]) == (delivery.group_name, list(delivery.owners))
    assert "main" == specs["crm/people/changeset"].group_name
    assert "marketing.newsletter.yaml" == delivery.tags["file"]
    assert dg.AutomationCondition.eager() == delivery.automation_condition
    assert ["crm/newsletter/validated"] == [dep.asset_key.to_user_string() for dep in delivery.deps]


def test_a_subclass_says_which_assets_the_tables_are(load: Load) -> None:
    """In the project's own module of components."""
    definitions = load(DEFS.replace("reverse_etl.ReverseEtlComponent", "PROJECT.components.Ours"))
    changeset = definitions.resolve_asset_graph().get(dg.AssetKey(["people", "people_changeset"]))
    assert {dg.AssetKey(["models", "customers"])} == changeset.parent_keys


def test_mistakes_in_the_syncs_are_reported_by_file_and_line(load: Load, project: Project) -> None:
    """The sentence is the cause of what Dagster raises of the component."""
    project.write("connections.yaml", "databases: {shop: {type: sqlit}}\n")
    with pytest.raises(Exception, match="Error while building definitions for") as raised:
        load(DEFS)
    assert isinstance(raised.value.__cause__, NotLoadedError)
    assert re.search(r"connections\.yaml:1: databases\.shop\.type: .*sqlite", str(raised.value.__cause__))


@pytest.mark.parametrize("text", [DEFS.replace("/syncs", "/nowhere"), "type: reverse_etl.ReverseEtlComponent\n"])
def test_a_folder_that_is_not_there_is_named_with_where_to_write_another(
    load: Load, project: Project, text: str
) -> None:
    """In a component that is the file of the component: no option and no variable says it."""
    with pytest.raises(Exception, match="Error while building definitions for") as raised:
        load(text)
    told = str(raised.value.__cause__)
    file = next(project.folder.rglob("defs.yaml"))
    folder = project.folder / "nowhere" if "nowhere" in text else file.parent / "syncs"
    assert told.startswith(
        f"there is no folder {folder}. Write where the syncs are as `syncs:` under attributes in {file}"
    )
    assert "REVERSE_ETL_SYNCS" not in told


def test_dg_finds_the_component() -> None:
    """Under the name that `defs.yaml` gives it, with a description and a schema for `dg check yaml`."""
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    modules = pyproject["project"]["entry-points"]["dagster_dg_cli.registry_modules"]
    found = discover_package_objects(list(modules.values()))
    name = EnvRegistryKey(namespace="reverse_etl", name="ReverseEtlComponent")
    assert {name: ReverseEtlComponent} == found
    snap = get_package_entry_snap(name, found[name])
    assert str(snap.description).startswith("The syncs of one folder")
    assert {"syncs", "tables", "translation"} == snap.component_schema["properties"].keys()
