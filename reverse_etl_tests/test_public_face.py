"""What `import reverse_etl` gives a user's project: a written list of names, documented, typed, and cheap."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import reverse_etl

PUBLIC = {
    "CustomerIOResource",
    "DatabaseResource",
    "DestinationResource",
    "Frames",
    "HomeResource",
    "ReverseEtlComponent",
    "SyncAsset",
    "SyncTranslator",
    "build_definitions",
}
"""A name that is here stays: projects of users import it."""

TYPED = """\
import dagster as dg

import reverse_etl
from reverse_etl import CustomerIOResource, DatabaseResource, Frames, HomeResource, SyncAsset, SyncTranslator


class Ours(SyncTranslator):
    def get_asset_spec(self, asset: SyncAsset) -> dg.AssetSpec:
        return super().get_asset_spec(asset).replace_attributes(group_name=asset.sync)

    def get_table_key(self, database: str, table: tuple[str, ...]) -> dg.AssetKey:
        return dg.AssetKey([database, *table])


def counted(rows: Frames, shop: DatabaseResource, main: CustomerIOResource, home: HomeResource) -> int:
    for frame in shop.frames("SELECT 1 AS id"):
        main.push(frame, people={"identify_by": "id"})
    return sum(len(frame) for frame in rows) + len(str(home.home.path))


defs: dg.Definitions = reverse_etl.build_definitions("syncs", translator=Ours())
"""
MISTYPED = """\
import reverse_etl

reverse_etl.build_definitions(translator="ours")
reverse_etl.nonsense
"""


def test_the_public_names_are_the_written_ones() -> None:
    """Each can be imported, from a place that also says so."""
    assert PUBLIC == set(reverse_etl.__all__)
    assert set(dir(reverse_etl)) >= PUBLIC
    assert len(PUBLIC) == len({id(getattr(reverse_etl, name)) for name in PUBLIC})
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        reverse_etl.nonsense  # type: ignore[attr-defined]  # noqa: B018 - looking it up is the test


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_what_is_public_says_what_it_is_for(name: str) -> None:
    """The thing itself and each of its own public methods and properties."""
    public = getattr(reverse_etl, name)
    own = vars(public).items() if isinstance(public, type) else ()
    members = [member for each, member in own if not each.startswith("_") and _is_method(member)]
    assert [] == [str(each) for each in (public, *members) if not inspect.getdoc(each)]


def _is_method(member: object) -> bool:
    return callable(member) or isinstance(member, property)


def test_importing_the_package_imports_no_dagster() -> None:
    """Nor anything else of ours, so that a project pays for what it uses."""
    program = "import sys, reverse_etl; print([m for m in sys.modules if m.startswith(('dagster', 'reverse_etl.'))])"
    assert "[]\n" == subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


@pytest.mark.thorough
def test_a_users_type_checker_sees_the_types(tmp_path: Path) -> None:
    """In a project of its own: good code passes, and what is wrong is named by its line."""
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "mistyped.py").write_text(MISTYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path / "c")]
    done = subprocess.run([*command, "typed.py", "mistyped.py"], cwd=tmp_path, capture_output=True, text=True)
    found = {":".join(line.split(":")[:2]) for line in done.stdout.splitlines() if ": error:" in line}
    assert {"mistyped.py:3", "mistyped.py:4"} == found, done.stdout + done.stderr
