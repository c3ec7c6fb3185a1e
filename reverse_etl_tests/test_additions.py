"""One more engine, destination, check, channel, command or stand-in is new files alone: module or folder, test, page.

A copy of each is put into a copy of the repository, where nothing else is edited; what then must pass is run there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path

import pytest

from reverse_etl_tests import test_house_rules

ROOT = Path(__file__).parents[1]
COPIED = ("reverse_etl", "reverse_etl_tests", "docs", "README.md", "pyproject.toml", ".importlinter")
GENERATED = {
    "docs/databases/README.md",
    "docs/destinations/README.md",
    "docs/reference/commands.md",
    "docs/reference/connections-alerts.md",
    "docs/reference/connections-databases.md",
    "docs/reference/connections-destinations.md",
    "docs/reference/checks.md",
    "docs/reference/messages.md",
    "docs/reference/messages-configuration.md",
    "docs/reference/messages-destination.md",
    "docs/reference/messages-files-kinds.md",
    "docs/reference/messages-run.md",
    "docs/reference/messages-source.md",
}
"""Pages that scripts write from the code."""

LIKE_NOT_NULL = '''"""A check that is one more."""

from reverse_etl.checks.empty_handed import Config
from reverse_etl_tests.checks.conformance import RuleConformance, sync


class TestEmptyHanded(RuleConformance):
    """As `not_null`, of which it is a copy."""

    module, rule, sync = "empty_handed", "empty_handed_plan", sync(Config(column="plan"))
    rows = (("free", False), (None, True), ("", False))
    finds_null = True
'''
A_SYNC = """\
# A check of its own.
database: shop
workspace: main
schedule: manual
objects: {}
query: SELECT id AS object_id, plan FROM accounts
checks:
  - empty_handed: plan
"""
A_CHANNEL = '''"""A channel that is one more."""

from reverse_etl_tests.notify.test_channels import ALERT, Webhook, channel, load


def test_it_arrives(webhook: Webhook) -> None:
    """As JSON."""
    load("reverse_etl.notify.channels", "pager").send(channel("pager", url="${WEBHOOK_URL}"), ALERT)
    assert "people" == webhook.posts[0][2]["sync"]
'''
ITS_PAGE = "# Pager\n\n```yaml\nnotify:\n  on_call:\n    type: pager\n    url: ${PAGER_URL}\n```\n"
A_COMMAND = '''"""A command that is one more."""

import pytest

from reverse_etl.cli.commands.look_over import look_over


def test_it_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """And says so."""
    look_over()
    assert "Nothing" in capsys.readouterr().err
'''
A_STANDIN = '''"""A stand-in that is one more."""

from reverse_etl_tests.servers.saas import Saas


def test_it_answers(saas: Saas) -> None:
    """Under its own name."""
    assert "planted" == saas("planted").counts()["service"]
'''
THE_COMMAND = '''"""``reverse-etl look-over``."""

from __future__ import annotations

from typing import Final

from reverse_etl.cli import words
from reverse_etl.cli.tables import say

EXAMPLES: Final = ("look-over",)


def look_over() -> None:
    """Look at everything once more."""
    say(words.console(stderr=True), "Nothing to see.")
'''


@dataclass(frozen=True, slots=True)
class Addition:
    """What is added.

    Attributes:
        module: A module or folder, by the one that it is a copy of, or by its text where there is no such file.
        test: Its test, likewise; ``page`` likewise, None where the page is generated from the module.
        renamed: What a copy calls otherwise.
        must_pass: Tests of the repository that find it by themselves.
        own: Tests of its own.
    """

    module: tuple[str, str]
    test: tuple[str, str]
    page: tuple[str, str] | None
    renamed: dict[str, str] = field(default_factory=dict)
    must_pass: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    def put_into(self, root: Path) -> set[str]:
        """Adds the files, and gives the paths, each of which is new."""
        added = [each for each in (self.module, self.test, self.page) if each is not None]
        for to, source in added:
            assert not (root / to).exists(), to
            (root / to).parent.mkdir(exist_ok=True)
            if "\n" in source:
                (root / to).write_text(source)
            elif (root / source).is_dir():
                shutil.copytree(root / source, root / to)
            else:
                shutil.copy(root / source, root / to)
            for file in sorted((root / to).rglob("*.*")) if (root / to).is_dir() else [root / to]:
                text = file.read_text()
                for old, new in self.renamed.items():
                    text = text.replace(old, new)
                file.write_text(text)
        return {to for to, _ in added}


_OF_POSTGRES = {
    "sources.postgres": "sources.planted",
    "destinations.postgres": "destinations.planted",
    'Literal["postgres"] = Field(default="postgres"': 'Literal["planted"] = Field(default="planted"',
    'DESTINATION: ClassVar[str] = "postgres"': 'DESTINATION: ClassVar[str] = "planted"',
    'engine = "postgres"': 'engine = "planted"',
    'examples("postgres"': 'examples("planted"',
    "(postgres)": "(planted)",
    "type: postgres": "type: planted",
    'page = "postgres.md"': 'page = "planted.md"',
}
ADDITIONS = {
    "engine": Addition(
        ("reverse_etl/sources/planted", "reverse_etl/sources/postgres"),
        ("reverse_etl_tests/sources/test_planted.py", "reverse_etl_tests/sources/test_postgres.py"),
        ("docs/databases/planted.md", "docs/databases/postgres.md"),
        _OF_POSTGRES,
        ("cli/test_init.py::test_each_engine_has_a_first_query",),
        ("sources/test_planted.py",),
    ),
    # Of the engine that the one above adds.
    "destination": Addition(
        ("reverse_etl/destinations/planted", "reverse_etl/destinations/postgres"),
        ("reverse_etl_tests/destinations/planted", "reverse_etl_tests/destinations/postgres"),
        ("docs/destinations/planted.md", "docs/destinations/postgres.md"),
        _OF_POSTGRES,
        ("destinations/test_house_rules.py", "config/test_destinations.py"),
        ("destinations/planted/test_conformance.py", "destinations/planted/test_page.py"),
    ),
    "check": Addition(
        ("reverse_etl/checks/empty_handed.py", "reverse_etl/checks/not_null.py"),
        ("reverse_etl_tests/checks/test_empty_handed.py", LIKE_NOT_NULL),
        ("docs/reference/example/empty_handed.yaml", A_SYNC),
        {'"not_null"': '"empty_handed"', "`not_null`": "`empty_handed`"},
        (
            "checks/test_house_rules.py",
            "reference/test_reference.py::test_every_check_of_the_registry_is_asked_for_in_the_example",
        ),
        ("checks/test_empty_handed.py",),
    ),
    "channel": Addition(
        ("reverse_etl/notify/channels/pager.py", "reverse_etl/notify/channels/webhook.py"),
        ("reverse_etl_tests/notify/test_pager.py", A_CHANNEL),
        ("docs/channels/pager.md", ITS_PAGE),
        {'"webhook"': '"pager"'},
        (
            "notify/test_docs.py",
            "notify/test_channels.py::test_every_kind_has_what_the_registry_names",
            "reference/test_reference.py::test_every_engine_destination_and_channel_has_an_example",
        ),
        ("notify/test_pager.py",),
    ),
    "command": Addition(
        ("reverse_etl/cli/commands/look_over.py", THE_COMMAND),
        ("reverse_etl_tests/cli/test_look_over.py", A_COMMAND),
        None,
        must_pass=("reference/test_reference.py::test_every_command_has_examples_that_can_be_typed",),
        own=("cli/test_look_over.py",),
    ),
    "stand-in": Addition(
        ("reverse_etl/sandbox/planted", "reverse_etl/sandbox/amplitude"),
        ("reverse_etl_tests/sandbox/test_planted.py", A_STANDIN),
        ("docs/sandbox/planted.md", "docs/sandbox/amplitude.md"),
        {
            "sandbox.amplitude": "sandbox.planted",
            'NAME = "amplitude"': 'NAME = "planted"',
            "8701": "8799",
            "```json amplitude": "```json planted",
        },
        (
            "sandbox/test_every_standin.py::test_records_can_be_looked_at[planted]",
            "sandbox/test_every_standin.py::test_ports_of_their_own_do_not_meet",
            "sandbox/test_documentation.py::test_each_has_a_page_with_its_faults_and_settings[planted]",
        ),
        ("sandbox/test_planted.py",),
    ),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A copy of the repository with one more of each, and the paths that were added."""
    root = tmp_path_factory.mktemp("repository")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, root / name)
    return root, set().union(*(addition.put_into(root) for addition in ADDITIONS.values()))


@pytest.mark.parametrize("kind", ADDITIONS)
def test_it_is_one_module_or_folder_its_test_and_its_page(kind: str, repository: tuple[Path, set[str]]) -> None:
    """A command's page is made from its module."""
    addition = ADDITIONS[kind]
    assert (2 if addition.page is None else 3) == len(
        {addition.module[0], addition.test[0], *(addition.page or ())[:1]} & repository[1]
    )


@pytest.mark.thorough
def test_everything_finds_it(repository: tuple[Path, set[str]]) -> None:
    """House rules, the registries, the examples; and a rule, a channel, a command and a stand-in at work."""
    root, _ = repository
    found = [name for addition in ADDITIONS.values() for name in addition.must_pass]
    work = [name for kind in ("check", "channel", "command", "stand-in") for name in ADDITIONS[kind].own]
    _pass(root, *found, *work, *_house_rules(root))


@pytest.mark.thorough
@pytest.mark.parametrize("suite", ["engine", *ADDITIONS["destination"].own])
def test_the_copies_of_an_engine_and_a_destination_pass_their_suites(
    repository: tuple[Path, set[str]], suite: str
) -> None:
    """On a real server, a suite at a time; and the engine is in the rules and tables of all engines."""
    of_engines = ("sources/test_house_rules.py", "sources/test_engine_table.py", "-k", "not page_has")
    _pass(repository[0], *((*ADDITIONS["engine"].own, *of_engines) if suite == "engine" else (suite,)))


@pytest.mark.thorough
def test_no_other_file_is_edited(repository: tuple[Path, set[str]]) -> None:
    """But pages that scripts write; the import contracts hold, and golden files are as they were."""
    root, added = repository
    for script in ("reverse_etl_tests.reference", "reverse_etl_tests.sources.engine_table"):
        _run(root, "-m", script)
    _pass(root, "reference", "config/test_loader.py::test_every_mistake_is_one_line", "sources/test_engine_table.py")
    contracts = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=root, env=_environment(root), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == contracts.returncode, contracts.stdout
    files = [
        path for name in COPIED for path in ((root / name).rglob("*") if (root / name).is_dir() else [root / name])
    ]
    changed = {
        path.relative_to(root).as_posix()
        for path in files
        if path.is_file() and "__pycache__" not in path.parts and not _is_as_it_was(path, root)
    }
    new = {path for path in changed if any(path == each or path.startswith(f"{each}/") for each in added)}
    assert changed - new == GENERATED
    assert added == {each for each in added if any(path.startswith(each) for path in new)}


def _house_rules(root: Path) -> list[str]:
    """The rules that hold for each module, of each module that was added."""
    modules = [root / addition.module[0] for addition in ADDITIONS.values()]
    files = [file for module in modules for file in (module.rglob("*.py") if module.is_dir() else [module])]
    paths = [file.relative_to(root / "reverse_etl").as_posix() for file in files]
    rules = [
        name
        for name, rule in vars(test_house_rules).items()
        if name[:5] == "test_" and "path" in signature(rule).parameters
    ]
    return [f"test_house_rules.py::{rule}[{path}]" for rule in rules for path in paths]


def _is_as_it_was(path: Path, root: Path) -> bool:
    before = ROOT / path.relative_to(root)
    return before.exists() and before.read_bytes() == path.read_bytes()


def _environment(root: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(root), "COLUMNS": "200"}


def _pass(root: Path, *tests: str) -> None:
    """The tests by their paths in ``reverse_etl_tests``, then options."""
    paths = [name if name.startswith("-") or " " in name else f"reverse_etl_tests/{name}" for name in tests]
    said = _run(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(root / "tmp"), *paths)
    assert " passed" in said


def _run(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=_environment(root), capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout
