"""What holds for every engine that is there, and every one that will be."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

from reverse_etl.changeset.query import check_query
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.dialect import Dialect
from reverse_etl.plugins import load, names
from reverse_etl.sources.base import Engine
from reverse_etl_tests.sources.conformance import SourceConformance
from reverse_etl_tests.sources.documentation import examples, sections

PACKAGE = "reverse_etl.sources"


def test_every_engine_passes_the_conformance_suite() -> None:
    """A new engine without the suite's subclass fails here."""
    modules = [import_module(f"reverse_etl_tests.sources.test_{engine}") for engine in names(PACKAGE)]
    suites = [
        suite
        for module in modules
        for suite in vars(module).values()
        if isinstance(suite, type) and issubclass(suite, SourceConformance) and suite is not SourceConformance
    ]

    assert sorted({suite.engine for suite in suites}) == list(names(PACKAGE))


def test_every_engine_has_what_the_contract_names() -> None:
    """Config with its own type, dialect, driver and connect."""
    for engine in names(PACKAGE):
        module = load(PACKAGE, engine)
        assert issubclass(module.Config, DatabaseConfig)
        assert module.Config.model_fields["type"].default == engine
        assert isinstance(module, Engine)
        assert isinstance(module.DIALECT, Dialect)
        assert "{{last_sync_time}}" in module.LAST_SYNC_TIME
        assert isinstance(module.DRIVER, str)
        assert callable(module.connect)


def test_reading_files_costs_no_driver() -> None:
    """Commands that only look at configuration stay fast: no driver and no Arrow is imported for an engine's keys."""
    heavy = ["psycopg", "asyncmy", "pymysql", "duckdb", "pyarrow", "pandas", "sqlglot"]
    program = (
        "import sys; from reverse_etl.plugins import load, names\n"
        f"for engine in names({PACKAGE!r}): load({PACKAGE!r}, engine)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


def test_every_engine_has_a_page_with_a_query_of_what_changed() -> None:
    """The sections that each page has, and one query that a sync may hold as it stands."""
    for engine in names(PACKAGE):
        found = [section.partition(" who ")[0].partition(" that ")[0] for section in sections(engine)]
        assert found[:3] in (
            ["Connection", "A user", "TLS and firewalls"],
            ["Connection", "An account", "TLS and firewalls"],
        ), engine
        assert {"Only what changed", "Known limits"} <= set(found), engine
        (query,) = [example for example in examples(engine, "sql") if "{{last_sync_time}}" in example]
        assert check_query(query, load(PACKAGE, engine).DIALECT) == [], engine
