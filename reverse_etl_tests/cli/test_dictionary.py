"""``dictionary``: the pages and the lock, and what the page about it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reverse_etl.config.dictionary_lock import locked
from reverse_etl.config.loader import inspect_project, load_project
from reverse_etl_tests.project import SHOP, Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

PAGE = Path(__file__).parents[2] / "docs" / "dictionary.md"
DICTIONARY = """\
attributes:
  plan: {type: text, description: "What is <b>paid</b> | for", allowed_values: [free, pro], owner: team:data}
  email:
  plan_name: {deprecated_by: plan}
"""


def shop(folder: Path, url: str = "http://127.0.0.1:9") -> Project:
    """A project with one sync of people, of whom one has no plan."""
    project = Project(folder)
    fill(folder / "shop.db", [("1", "ann@example.com", "free"), ("2", "bob@example.com", None)])
    project.connections(SHOP, url)
    project.write("customers.yaml", people("SELECT id, email AS email, plan AS plan FROM customers"))
    project.write("dictionary.yaml", DICTIONARY)
    return project


@pytest.mark.thorough
def test_the_pages_have_meaning_lineage_and_what_was_seen(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Names that no sync writes are there too; no value of a row is."""
    project = shop(tmp_path, sandbox.url)
    assert project.reverse_etl("run", "customers").returncode == 0

    done = project.reverse_etl("dictionary", "--output", "pages")
    assert (done.returncode, done.stderr) == (0, "3 names, 3 defined.\n")
    assert done.stdout.split() == [f"pages/dictionary.{ending}" for ending in ("html", "md", "json")]
    (chapter,) = json.loads((tmp_path / "pages/dictionary.json").read_text())
    names = {each["name"]: each for each in chapter["names"]}
    assert (chapter["title"], list(names)) == ("People", ["email", "plan", "plan_name"])
    assert names["plan"]["null_share"] == 0.5
    assert names["plan"]["last_seen_at"].endswith("Z")
    (writer,) = names["plan"]["writers"]
    assert (writer["sync"], writer["destination"], writer["tables"]) == ("customers", "main", ["customers.plan"])
    assert (writer["seen"]["rows"], writer["seen"]["nulls"]) == (2, 1)
    assert (names["plan_name"]["writers"], names["plan_name"]["last_seen_at"]) == ([], None)
    pages = [(tmp_path / f"pages/dictionary.{ending}").read_text() for ending in ("html", "md", "json")]
    assert not [page for page in pages if "ann@example.com" in page]


def test_the_page_is_one_file_and_every_text_is_escaped(tmp_path: Path) -> None:
    """It loads nothing, has a dark and a narrow form, and a description is no markup."""
    project = shop(tmp_path)
    project.write("dictionary.yaml", DICTIONARY + "  '<script>alert(1)</script>': {description: '](javascript:1)'}\n")
    assert project.reverse_etl("dictionary").returncode == 0

    html = (tmp_path / "home/dictionary/dictionary.html").read_text()
    assert not re.findall(r"<script|<link|<img|https?:|url\(|@import", html)
    assert "What is &lt;b&gt;paid&lt;/b&gt; | for" in html
    assert {"prefers-color-scheme: dark", "max-width: 48rem", "width=device-width"} <= set(
        re.findall(r"prefers-color-scheme: dark|max-width: 48rem|width=device-width", html)
    )
    markdown = (tmp_path / "home/dictionary/dictionary.md").read_text()
    assert "What is &lt;b&gt;paid&lt;/b&gt; \\| for" in markdown
    assert "<script>" not in markdown
    assert len({line.count(" | ") for line in markdown.splitlines() if line.startswith("| ")}) == 1


def test_a_changed_meaning_is_told_until_it_is_accepted(tmp_path: Path) -> None:
    """Only what was locked is compared; the lock holds no word of a definition, and changes when it is asked to."""
    project = shop(tmp_path)
    assert project.reverse_etl("dictionary", "--lock").stderr == "Wrote syncs/dictionary.lock: 3 names, 3 new.\n"
    lock = tmp_path / "syncs/dictionary.lock"
    before = lock.read_bytes()
    assert b"paid" not in before
    assert inspect_project(tmp_path / "syncs").warnings == []

    changed = DICTIONARY.replace("paid", "ordered").replace("text", "integer").replace("[free, pro]", "[1]")
    project.write("dictionary.yaml", changed.replace("  email:\n", "") + "  tier: {type: text}\n")
    told = project.reverse_etl("validate").stdout.splitlines()
    assert told == [
        "warning: syncs/customers.yaml:6: query: returns `email`, which is not in the dictionary: declare it under "
        "attributes in syncs/dictionary.yaml, or leave it out",
        "warning: syncs/dictionary.lock: attributes.email: was defined, and is not any more: keep it with "
        "`deprecated_by`, or accept that with `reverse-etl dictionary --lock`",
        "warning: syncs/dictionary.yaml:2: attributes.plan: its type and description changed, and segments and "
        "campaigns still mean what `plan` was: give it a new name and set `deprecated_by` here, or accept the change "
        "with `reverse-etl dictionary --lock`",
    ]
    assert lock.read_bytes() == before
    wrote = project.reverse_etl("dictionary", "--lock").stderr
    assert wrote == "Wrote syncs/dictionary.lock: 3 names, 1 new, 1 changed, 1 gone.\n"
    lock.write_text("<<<<<<< HEAD\n{}\n")
    assert [str(each) for each in inspect_project(tmp_path / "syncs").warnings if "lock" in each.file] == [
        f"{lock}: cannot be read, so that changed definitions are not found: write it with `reverse-etl dictionary "
        "--lock`"
    ]
    assert locked("[" * 100_000) is None
    assert project.reverse_etl("dictionary", "--lock", "--json").returncode == 2


def test_the_files_that_the_page_shows_are_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the one warning that it shows, as the error that it is where the sync enforces."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert [name for name, _ in blocks] == [
        f"syncs/{name}.yaml" for name in ("connections", "newsletter", "dictionary", "customers")
    ]
    (tmp_path / "syncs").mkdir()
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    project = load_project(tmp_path / "syncs")
    assert project.warnings == ()
    contract = project.syncs["customers"].contract_of("rows")
    assert contract is not None
    assert (contract.enforce, contract.terms["plan"].own) == (True, True)
    assert contract.terms["plan"].definition.allowed_values == ("free", "pro", "team")

    customers = dict(blocks)["syncs/customers.yaml"]
    without = re.sub(r"  country: .*\n", "", customers)
    (tmp_path / "syncs/customers.yaml").write_text(without)
    (shown,) = re.findall(r"```text\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert [str(each) for each in inspect_project(tmp_path / "syncs").problems] == [shown]


def test_the_commands_that_the_page_shows_run(tmp_path: Path) -> None:
    """As they are typed."""
    project = shop(tmp_path)
    for command in re.findall(r"^\$ reverse-etl (.*)$", PAGE.read_text(), re.MULTILINE):
        assert project.reverse_etl(*command.split()).returncode == 0, command
    assert (tmp_path / "docs/dictionary.html").exists()
    assert (tmp_path / "syncs/dictionary.lock").exists()
