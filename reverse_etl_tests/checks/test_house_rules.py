"""What holds for every check module, so that a new one cannot be added without its proof."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from reverse_etl.checks.base import Gate
from reverse_etl.checks.rules import rules_for
from reverse_etl.config.checks import CheckConfig
from reverse_etl.plugins import load, names
from reverse_etl_tests.checks.conformance import EVENTS, MEMBERSHIPS, OBJECTS, PEOPLE, every_rule

for _module in Path(__file__).parent.glob("test_*.py"):
    # A rule's conformance class is in any of them.
    importlib.import_module(f"reverse_etl_tests.checks.{_module.stem}")


def test_every_check_module_is_put_through_the_suite() -> None:
    """A module with rules and no conformance class fails here."""
    requestable = {name for name in names("reverse_etl.checks") if hasattr(load("reverse_etl.checks", name), "Config")}
    rules = "reverse_etl.destinations.customerio.rules"
    builtin = {f"builtin.{name}" for package in ("reverse_etl.checks.builtin", rules) for name in names(package)}
    builtin.discard("builtin.of_sync")
    assert {each.module for each in every_rule()} == requestable | builtin


def test_every_check_that_can_be_asked_for_has_its_keys_and_rules() -> None:
    """The loader finds Config, its short key and rules(), and the check carries its module's name."""
    for name in names("reverse_etl.checks"):
        module = load("reverse_etl.checks", name)
        if hasattr(module, "Config"):
            assert issubclass(module.Config, CheckConfig)
            assert module.Config.SHORT in {"", *module.Config.model_fields}
            assert module.Config.model_fields["check"].default == name
            assert callable(module.rules)


def test_rule_names_are_snake_case_and_distinct_within_a_query() -> None:
    """Dagster takes letters, digits and underscores, and one name once."""
    for config in (PEOPLE, OBJECTS, EVENTS, MEMBERSHIPS):
        for rules in rules_for(config).values():
            found = [each.rule.name for each in rules]
            assert len(set(found)) == len(found)
            assert all(name.isidentifier() and name == name.lower() and name.isascii() for name in found)
            assert all(each.rule.description.endswith(".") for each in rules)
            assert not any(isinstance(each, Gate) for each in rules)


def test_modules_stay_small() -> None:
    """One idea a module: at most 300 lines."""
    for package in ("reverse_etl.checks", "reverse_etl.checks.builtin"):
        for file in importlib.resources.files(package).iterdir():
            if file.name.endswith(".py"):
                assert len(file.read_text().splitlines()) <= 300, file.name
