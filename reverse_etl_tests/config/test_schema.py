from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reverse_etl import plugins
from reverse_etl.config.document import read_document
from reverse_etl_tests.config.json_schema import errors
from reverse_etl_tests.config.projects import CONNECTIONS, CUSTOMERS
from reverse_etl_tests.schemas import connections_schema, defaults_schema, dictionary_schema, sync_schema

SHIPPED = Path(__file__).parents[2] / "syncs"


def values(text: str) -> Any:
    """What a file holds."""
    return read_document(text.encode(), "a.yaml").values


@pytest.mark.parametrize("path", sorted(SHIPPED.rglob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_files_fit(path: Path) -> None:
    """An editor shows no mistake in the files that users copy."""
    schema = connections_schema() if path.stem == "connections" else sync_schema()

    assert errors(schema, values(path.read_text(encoding="utf-8"))) == []


def test_the_files_of_the_other_tests_fit() -> None:
    """What the loader takes fits: short and long checks, severity beside a check, flow mappings."""
    assert errors(connections_schema(), values(CONNECTIONS)) == []
    assert errors(sync_schema(), values(CUSTOMERS)) == []


MINIMAL = "database: shop\nworkspace: main\nschedule: manual\npeople: {}\nquery: SELECT 1 AS id\n"


@pytest.mark.parametrize(
    "changed",
    [
        MINIMAL + "nmae: x\n",
        MINIMAL + "name: x\n",
        MINIMAL + "events: {}\n",
        MINIMAL + "max_rows: 0\n",
        MINIMAL + "checks: [{not_nul: plan}]\n",
        MINIMAL + "checks: [{not_null: {column: plan, severity: maybe}}]\n",
        MINIMAL + "checks: [{not_null: plan, check: not_null}]\n",
        MINIMAL.replace("people: {}\n", ""),
        MINIMAL.replace("query: SELECT 1 AS id\n", ""),
        MINIMAL.replace("people: {}", "people: {identify_by: phone}"),
        MINIMAL.replace("manual", "hourly"),
        MINIMAL.replace("manual", "{}"),
        MINIMAL.replace("manual", "{every: 1 fortnight}"),
        MINIMAL.replace("manual", '{every: 1h, cron: "* * * * *"}'),
    ],
)
def test_mistakes_in_a_sync_do_not_fit(changed: str) -> None:
    """The same that the loader refuses, as far as one file tells."""
    assert errors(sync_schema(), values(MINIMAL)) == []
    assert errors(sync_schema(), values(changed)) != []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("type: sqlite", "type: sqlight"),
        ("path: shop.sqlite", "pth: shop.sqlite"),
        ("path: shop.sqlite", "path: shop.sqlite, name: shop"),
        ('"${SHOP_PASSWORD}"', "hunter2"),
        ('"${SHOP_PASSWORD}"', '"${SHOP_PASSWORD:-hunter2}"'),
        ("host: localhost, ", ""),
        ("host: localhost", "host: localhost, tls: off"),
        ("  plain:", "  pl-ain:"),
        ("site_id: ${CUSTOMERIO_SITE_ID}", "site_id: ${CUSTOMERIO_SITE_ID}\n    region: asia"),
        ("workspaces:", "retention: {history: 5}\nworkspaces:"),
        ("workspaces:", "workspace:"),
    ],
)
def test_mistakes_in_connections_do_not_fit(good: str, bad: str) -> None:
    """Unknown engines and keys, literal secrets, values out of range."""
    assert good in CONNECTIONS
    assert errors(connections_schema(), values(CONNECTIONS.replace(good, bad, 1))) != []


def test_every_engine_and_check_is_in() -> None:
    """A new module is in the schema without another line."""
    engines = connections_schema()["properties"]["databases"]["additionalProperties"]["oneOf"]
    checks = sync_schema()["properties"]["checks"]["items"]["anyOf"]

    assert [engine["properties"]["type"]["const"] for engine in engines] == list(plugins.names("reverse_etl.sources"))
    assert {"not_null", "accepted_values", "max_failed_rows"} <= {check["required"][0] for check in checks}


def test_schemas_are_whole_and_for_people() -> None:
    """Every reference leads somewhere, nothing is defined in vain, no class names or docstring sections show."""
    for schema in (sync_schema(), connections_schema(), dictionary_schema(), defaults_schema()):
        text = json.dumps(schema)
        referred = set(re.findall(r'"#/\$defs/(\w+)"', text))

        assert referred == set(schema["$defs"])
        assert "Attributes:" not in text
        assert "``" not in text
        assert '"type": "null"' not in text
