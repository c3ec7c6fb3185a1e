"""A value that fits no form of a key is a problem of the key as it is written, in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import isabstract
from pathlib import Path

import pytest
from pydantic import ValidationError

from reverse_etl.config.document import read_document
from reverse_etl.config.loader import inspect_project
from reverse_etl.config.model import YamlModel
from reverse_etl.config.problems import lines, model_problems
from reverse_etl_tests.schemas import connections_schema, defaults_schema, dictionary_schema, sync_schema

CONNECTIONS = """\
databases: {shop: {type: sqlite, path: s.db}}
workspaces: {main: {region: us, site_id: "${S}", track_api_key: "${S}"}}
"""
GONE = """\
database: shop
workspace: main
schedule: manual
changes: {by: compare}
people: {gone: %s}
query: SELECT id FROM t
"""
FORMS = "people.gone: must be nothing, delete, suppress or clear or keys and values; known are: set"


def models(of: type[YamlModel] = YamlModel) -> Iterator[type[YamlModel]]:
    """Every mapping that people write."""
    for model in of.__subclasses__():
        if not isabstract(model):
            yield model
        yield from models(model)


@pytest.mark.parametrize("wrong", ["{zz: 1}", "{zz: {zz: [1]}}", "[zz]", "[{zz: 1}]", "[[1]]", "''", "1.5", "true"])
def test_no_key_of_any_file_shows_the_form_that_was_tried(wrong: str) -> None:
    """Of every key of every model there is: only names that a file may have."""
    for schema in (connections_schema, defaults_schema, dictionary_schema, sync_schema):
        schema()  # loads every plugin
    found = 0
    for model in {*models()}:
        keys = model.keys()
        for key in keys:
            document = read_document(f"{key}: {wrong}\n".encode(), "a.yaml")
            try:
                model.model_validate(document.values)
            except ValidationError as error:
                for problem in model_problems(error, model=model, file="a.yaml", document=document):
                    found += 1
                    assert re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*|", problem.key), (model, problem)
                    assert "function-" not in problem.text
    assert found > 100


@pytest.mark.parametrize("written", ["{action: delete}", "{}", "[set]"])
def test_what_may_be_written_is_named(tmp_path: Path, written: str) -> None:
    """The words, and the keys of the form that is a mapping: one line."""
    (tmp_path / "connections.yaml").write_text(CONNECTIONS)
    (tmp_path / "a.yaml").write_text(GONE % written)
    (line,) = lines(inspect_project(tmp_path).problems)
    assert line.endswith(FORMS)
