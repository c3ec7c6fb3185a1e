"""The conventions that a reader can rely on everywhere in the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from reverse_etl.plugins import names
from reverse_etl_tests.dialects import DIALECTS

PACKAGE = Path(__file__).parents[1] / "reverse_etl"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 300
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "service", "handler", "processor", "common", "misc"}
DAGSTER_ROOMS = ("defs/", "definitions.py", "cli/")


def breaking(rule: Callable[[Path], object]) -> dict[str, object]:
    """What a rule finds wrong in each module of the package, by its path; nothing where nothing is."""
    return {path.relative_to(PACKAGE).as_posix(): found for path in MODULES if (found := rule(path))}


@cache
def parsed(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(body: list[ast.stmt], prefix: str = "", *, methods: bool = True) -> Iterator[tuple[str, Definition]]:
    """The public functions and classes of a module, with the classes' public methods if asked for, by dotted name."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef) and methods:
                yield from public(node.body, f"{prefix}{node.name}.", methods=methods)


def caught(handler: ast.ExceptHandler) -> set[str]:
    """The names of the exceptions that an `except` catches; `BaseException` for a bare one."""
    if handler.type is None:
        return {"BaseException"}
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind) for kind in types}


def imported(tree: ast.Module) -> set[str]:
    """The first parts of the names of all modules that are imported anywhere in a module."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_there_is_something_to_check() -> None:
    """The rules below look at the package, not at an empty folder."""
    assert PACKAGE / "errors.py" in MODULES
    assert 40 < len(MODULES)


def test_a_module_has_one_idea() -> None:
    """At most 300 lines, and a name that says what lives there."""

    def length(path: Path) -> int:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        return lines if lines > LONGEST else 0

    def empty_names(path: Path) -> set[str]:
        return set(path.relative_to(PACKAGE).with_suffix("").as_posix().split("/")) & EMPTY_NAMES

    assert {} == breaking(length)
    assert {} == breaking(empty_names)


def test_a_package_names_nothing_like_one_of_its_modules() -> None:
    """Importing that module would put it in the other's place."""

    def same_names(path: Path) -> set[str]:
        own = {node.name for node in parsed(path).body if isinstance(node, Definition)}
        return own & {each.stem for each in path.parent.iterdir()} if path.name == "__init__.py" else set()

    assert {} == breaking(same_names)


def test_what_is_public_is_documented() -> None:
    """Modules, functions, classes and methods; in private modules and an engine's, a protocol documents the methods."""

    def undocumented(path: Path) -> list[str]:
        tree = parsed(path)
        module = [] if ast.get_docstring(tree) else ["the module"]
        methods = not path.name.startswith("_") and path.parent.parent != PACKAGE / "sources"
        return module + [name for name, node in public(tree.body, methods=methods) if ast.get_docstring(node) is None]

    assert {} == breaking(undocumented)


ENGINES = {*names("reverse_etl.sources"), *DIALECTS}
KNOW_ENGINES = (
    "sources/",
    # The sample shop is a file of one engine.
    "demo/",
    # Scratch databases are of one engine, whatever is read.
    "checks/_sql.py",
    # The state's own database is no source.
    "state/store.py",
    "state/views.py",
    "state/rate_slots.py",
    # Resources for assets of a user's own, which name what they connect to.
    "defs/bigquery.py",
    "defs/snowflake.py",
)


def test_what_a_docstring_refers_to_exists() -> None:
    """``room.module``, or ``module.name`` of a module beside it; keys of a file's section ``changes`` are none."""

    def is_there(path: Path, first: str, second: str) -> bool:
        beside = path.parent / f"{first}.py"
        if beside.is_file():
            return re.search(rf"\b{second}\b", beside.read_text(encoding="utf-8")) is not None
        room = next((folder / first for folder in (PACKAGE, path.parent) if (folder / first).is_dir()), None)
        if room is None:
            return True
        named = (room / "__init__.py").read_text(encoding="utf-8")
        return any((room / end).exists() for end in (second, f"{second}.py")) or second in named

    def missing(path: Path) -> list[str]:
        found = re.findall(r"``([a-z_]+)\.(?!(?:\w+\.)?(?:yaml|json|lock)\b)(\w+)", path.read_text(encoding="utf-8"))
        return [f"{first}.{second}" for first, second in found if not is_there(path, first, second)]

    assert {"sources/powers.py": ["changes.tables"]} == breaking(missing)


def test_only_the_sources_know_an_engine_by_name() -> None:
    """What another room needs of one is a fact that the engine declares: nothing else asks which one it is."""

    def engines(path: Path) -> set[str]:
        if path.relative_to(PACKAGE).as_posix().startswith(KNOW_ENGINES):
            return set()
        nodes = list(ast.walk(parsed(path)))
        texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        modules = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        modules |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        parts = {module.split(".")[2] for module in modules if module.startswith("reverse_etl.sources.")}
        # A database that is written to is reached as the one that is read.
        room, own, *_ = *path.relative_to(PACKAGE).parts, ""
        return (texts | parts) & ENGINES - ({own} if room == "destinations" else set())

    assert {} == breaking(engines)


NAME_CUSTOMERIO = (
    "destinations/customerio/",
    # Its stand-in, the sample shop, and the commands for both.
    "sandbox/",
    "demo/",
    "cli/commands/demo.py",
    "cli/demo_d2c.py",
    "cli/demo_sandbox.py",
    "cli/commands/sandbox.py",
    # What the product is, and what users import.
    "__init__.py",
    "cli/main.py",
    "defs/resources.py",
)


def test_only_its_folder_knows_customerio() -> None:
    """Any other destination is one more folder: no room asks which one it is, or has words for one of them."""

    def words(path: Path) -> list[str]:
        if path.relative_to(PACKAGE).as_posix().startswith(NAME_CUSTOMERIO):
            return []
        return re.findall(r"(?i)customer\.?io", path.read_text(encoding="utf-8"))

    assert {} == breaking(words)


CATCHING = {
    "cli/main.py",
    "notify/sending.py",
    "run/monitoring.py",
    "shaping/_python_child.py",
    "sources/snowflake/chunks.py",
    "sources/snowflake/login.py",
    "sources/sqlserver/wire.py",
}
"""The outermost line; what never fails a run: alerts, copies; functions of users; threads that tell who waits."""


def test_only_the_outermost_line_catches_everything() -> None:
    """`except Exception` hides mistakes; what can be expected has a name. Tidying up before raising again is fine."""

    def broad(path: Path) -> list[int]:
        return [
            node.lineno
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.ExceptHandler)
            and caught(node) & {"Exception", "BaseException"}
            and ast.unparse(node.body[-1]) != "raise"
        ]

    assert CATCHING == breaking(broad).keys()


def test_ctrl_c_is_not_lost_with_an_answer_that_comes_at_once() -> None:
    """``wait_for`` of Python 3.11 drops a cancellation that comes together with the answer; ``timeout`` does not."""

    def waits(path: Path) -> bool:
        return any(isinstance(node, ast.Attribute) and node.attr == "wait_for" for node in ast.walk(parsed(path)))

    assert {} == breaking(waits)


def test_dagster_stays_in_its_room() -> None:
    """It takes seconds to import, and what a run does must be testable without it."""

    def dagsters(path: Path) -> set[str]:
        if path.relative_to(PACKAGE).as_posix().startswith(DAGSTER_ROOMS):
            return set()
        return {name for name in imported(parsed(path)) if name.startswith("dagster")}

    assert {} == breaking(dagsters)


def test_annotations_are_not_evaluated() -> None:
    """Types may be imported for type checkers alone; Dagster's asset modules need them at run time."""

    def evaluated(path: Path) -> bool:
        dagster = {"dagster", "dagster_gcp", "dagster_snowflake"} & imported(parsed(path)) and path.relative_to(
            PACKAGE
        ).parts[0] in ("defs", "definitions.py")
        only_docstring = len(parsed(path).body) == 1
        return not (
            dagster or only_docstring or "__future__" in imported(parsed(path)) or path == PACKAGE / "__init__.py"
        )

    assert {} == breaking(evaluated)


SERVERS = {"postgres", "mariadb", "redshift", "sqlserver", "bigquery", "snowflake", "clickhouse"}


def test_what_fills_a_server_of_the_session_fills_it_once() -> None:
    """A module's tests need not follow each other: what is made for a module is made again, unless it was dropped."""

    def filled_twice(path: Path) -> list[str]:
        return [
            node.name
            for node in parsed(path).body
            if isinstance(node, ast.FunctionDef)
            and any("scope='module'" in ast.unparse(decorator) for decorator in node.decorator_list)
            and SERVERS & {argument.arg for argument in node.args.args}
            and not any(isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node))
        ]

    tests = Path(__file__).parent.rglob("*.py")
    of_modules = (path for path in tests if 'scope="module"' in path.read_text(encoding="utf-8"))
    assert {} == {path.name: found for path in of_modules if (found := filled_twice(path))}


STAGES = {
    "changeset.extract.extract": {
        "cli/commands/preview.py",
        "run/plan.py",
        "run/stages.py",
        "run/sync_tests.py",
        "run/table_steps.py",
        "run/verify.py",
    },
    "checks.runner.validate": {
        "cli/commands/preview.py",
        "run/plan.py",
        "run/push.py",
        "run/stages.py",
        "run/sync_tests.py",
        "run/verify.py",
    },
    "run.send.send": {"run/push.py", "run/stages.py"},
    "delivery.deliver.deliver": {"run/send.py"},
}


@pytest.mark.parametrize("stage", STAGES)
def test_preview_push_and_run_call_the_same_stages(stage: str) -> None:
    """One function extracts, one validates, one sends; whoever needs a stage calls that one."""
    module, _, name = f"reverse_etl.{stage}".rpartition(".")
    callers = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.module == module and name in {each.name for each in node.names}
    }
    assert STAGES[stage] == callers
