from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl.config.inline import parse_sync
from reverse_etl.config.loader import inspect_project, load_project
from reverse_etl_tests.config.projects import CONNECTIONS, write_project

COMPANIES = """\
database: shop
workspace: main
schedule: manual
objects: {}
query_file: sql/companies.sql
relationships:
  query_file: sql/memberships.sql
  suppression_list: {query_file: ../suppressed.sql}
"""
IN_LINE = """\
database: shop
workspace: main
schedule: manual
objects: {}
query: |
  SELECT id AS object_id, name
  FROM companies
relationships:
  query: |
    SELECT person_id AS id, company_id AS object_id FROM memberships
  suppression_list: {query: "SELECT id FROM suppressed\\n"}
"""
FILES = {
    "connections.yaml": CONNECTIONS,
    "crm/companies.yaml": COMPANIES,
    "crm/sql/companies.sql": "SELECT id AS object_id, name\nFROM companies\n",
    "crm/sql/memberships.sql": "SELECT person_id AS id, company_id AS object_id FROM memberships\n",
    "suppressed.sql": "SELECT id FROM suppressed\n",
}


def test_a_query_in_a_file_of_its_own_is_as_one_in_the_syncs_file(tmp_path: Path) -> None:
    """Of the rows, of relationships and of a suppression list: what is sent, and as what, is the same."""
    project = load_project(write_project(tmp_path, {**FILES, "in_line.yaml": IN_LINE}))

    apart, in_line = project.syncs["companies"], project.syncs["in_line"]

    assert [stream.query for stream in in_line.streams] == [stream.query for stream in apart.streams]
    assert in_line.asked() == apart.asked()


@pytest.mark.parametrize("name", ["crm/sql/companies.sql", "crm/sql/memberships.sql", "suppressed.sql"])
def test_another_text_in_the_file_is_another_version_of_the_sync(tmp_path: Path, name: str) -> None:
    """A run reads the file again, and what was made of the text before is not continued."""
    syncs = write_project(tmp_path, FILES)
    before = load_project(syncs).syncs["companies"].version
    assert before == load_project(syncs).syncs["companies"].version

    (syncs / name).write_text(FILES[name].replace("FROM", "-- all of them\nFROM"), encoding="utf-8")

    assert before != load_project(syncs).syncs["companies"].version


def test_what_is_wrong_in_a_querys_file_concerns_its_sync_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`validate companies` shows the line of the file; `validate in_line` does not."""
    monkeypatch.chdir(tmp_path)
    wrong = {**FILES, "in_line.yaml": IN_LINE, "crm/sql/companies.sql": "SELECT id AS object_id\nINTO x FROM companies"}
    found = inspect_project(write_project(tmp_path, wrong))

    problems, _ = found.concerning(["companies"])

    assert [("syncs/crm/sql/companies.sql", 2)] == [(each.file, each.line) for each in problems]
    assert ([], []) == found.concerning(["in_line"])


def test_a_sync_in_code_has_its_query_in_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path counts from the current folder; the text is part of the version there, too."""
    monkeypatch.chdir(tmp_path)
    settings = {"database": "shop", "workspace": "main", "schedule": "manual", "people": {}, "query_file": "all.sql"}
    versions = set()
    for text in ("SELECT id FROM a", "SELECT id FROM b"):
        (tmp_path / "all.sql").write_text(text, encoding="utf-8")
        sync = parse_sync("everyone", settings)
        assert text == sync.query
        versions.add(sync.version)

    assert 2 == len(versions)


def test_a_file_elsewhere_in_the_folder_is_shown_by_its_shortest_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As people would open it; behind a link, where `..` is another folder, as it is written."""
    monkeypatch.chdir(tmp_path)
    syncs = write_project(tmp_path, FILES)
    assert "syncs/suppressed.sql" in inspect_project(syncs).syncs["companies"].query_files
    (tmp_path / "elsewhere" / "below").mkdir(parents=True)
    (tmp_path / "elsewhere" / "suppressed.sql").write_text(FILES["suppressed.sql"])
    (syncs / "crm" / "link").symlink_to(tmp_path / "elsewhere" / "below")
    (syncs / "crm" / "companies.yaml").write_text(COMPANIES.replace("../suppressed", "link/../suppressed"))
    assert "syncs/crm/link/../suppressed.sql" in inspect_project(syncs).syncs["companies"].query_files
