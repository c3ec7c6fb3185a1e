"""What `validate` says of `gone`: who is gone is known of a whole reading alone, and of other syncs that compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl.config.loader import inspect_project

CONNECTIONS = """\
databases: {shop: {type: sqlite, path: shop.db}}
workspaces: {main: {region: us, site_id: "${KEY}", track_api_key: "${KEY}"}}
"""
HEAD = "database: shop\nworkspace: main\nschedule: manual\n"


def problems(folder: Path, **syncs: str) -> list[str]:
    """What is wrong with syncs, by the problem's place and text."""
    files = {name: HEAD + text for name, text in syncs.items()}
    for name, text in {"connections": CONNECTIONS, **files}.items():
        (folder / f"{name}.yaml").write_text(text)
    return [f"{each.key}: {each.text}" for each in inspect_project(folder).problems]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("people: {gone: delete}\nquery: SELECT id FROM t\n", "people.gone: needs to know which rows are gone: write"),
        (
            "people: {gone: delete}\nchanges: {by: compare}\nquery: SELECT id FROM t WHERE at >= {{last_sync_time}}\n",
            "people.gone: needs to know which rows are gone: leave {{last_sync_time}} out",
        ),
        ("people: {gone: delete}\nchanges: {by: compare}\nquery: SELECT id FROM t LIMIT 10\n", "LIMIT decides"),
        (
            "people: {gone: delete}\nchanges: {by: compare}\n"
            "query: SELECT id FROM (SELECT id, rank() OVER (ORDER BY x) AS n FROM t) AS s WHERE n < 9\n",
            "rank decides",
        ),
        (
            "objects: {gone: delete}\nchanges: {by: compare}\nquery: SELECT id AS object_id FROM t "
            "WHERE at > datetime('now', '-1 day')\n",
            "the clock decides",
        ),
        (
            "people: {gone: delete}\nchanges: {by: compare}\n"
            "query: SELECT id, d AS deleted FROM t WHERE at >= {{last_sync_time}} LIMIT 5\n",
            "LIMIT decides",
        ),
        (
            "people: {}\nrelationships: {gone: delete, query: 'SELECT id, o AS object_id FROM r LIMIT 5'}\n"
            "changes: {by: compare}\nquery: SELECT id FROM t\n",
            "relationships.query: relationships.gone removes everything",
        ),
        ("people: {gone_wait: 2h}\nquery: SELECT id FROM t\n", "people.gone_wait: goes with `gone`"),
        (
            "people: {gone: suppress, gone_wait: 0s}\nchanges: {by: compare}\nquery: SELECT id FROM t\n",
            "suppress cannot be undone",
        ),
        ("people: {gone: remove}\nchanges: {by: compare}\nquery: SELECT id FROM t\n", "people.gone: must be"),
        ("people: {gone: {sett: {a: 1}}}\nchanges: {by: compare}\nquery: SELECT id FROM t\n", "people.gone"),
    ],
)
def test_what_cannot_tell_who_is_gone_is_refused(tmp_path: Path, text: str, found: str) -> None:
    """With the key or the line, and the way out."""
    texts = problems(tmp_path, one=text)
    assert any(found in each for each in texts), texts


@pytest.mark.parametrize(
    "text",
    [
        "people: {gone: delete}\nquery: SELECT id, d AS deleted FROM t WHERE at >= {{last_sync_time}} LIMIT 5\n",
        "people: {gone: {set: {left: true}}, gone_max: 20%}\nchanges: {by: compare}\nquery: SELECT id FROM t\n",
        "objects: {gone: delete}\nchanges: {by: compare}\nquery: SELECT id AS object_id FROM t\n",
    ],
)
def test_what_can_is_taken(tmp_path: Path, text: str) -> None:
    """A column that says so, or a whole reading that is compared."""
    assert [] == problems(tmp_path, one=text)


WHOLE = "changes: {by: compare}\nquery: SELECT id, email FROM t\n"


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("people: {}\nquery: SELECT id FROM u\n", "sync two sends people to main too, and does not compare"),
        (f"people: {{identify_by: email}}\n{WHOLE}", "sync two sends people to main too, by another identifier"),
        (f"people: {{}}\n{WHOLE}", ""),
        ("objects: {}\nquery: SELECT id AS object_id FROM t\n", ""),
    ],
)
def test_where_one_deletes_the_others_are_known(tmp_path: Path, other: str, found: str) -> None:
    """Whoever another sync still sends stays, so it must be known whom it sends."""
    texts = problems(tmp_path, one=f"people: {{gone: delete}}\n{WHOLE}", two=other)
    assert (len(texts) == 1 and found in texts[0]) if found else texts == []


@pytest.mark.parametrize(
    ("gone", "query", "other", "held", "found"),
    [
        ("{set: {paid: false}}", "id, 1 AS paid", "SELECT id, email FROM u", False, ""),
        ("{set: {paid: false}}", "id, 1 AS paid", "SELECT id, paid FROM u", True, "or set attributes that the query"),
        ("{set: {paid: false}}", "id, 1 AS paid", "SELECT * FROM u", True, "write `changes: {by: compare}` in "),
        ("{set: {paid: false}}", "id, email", "SELECT id, email FROM u", True, "it is never known who is gone"),
        ("clear", "id, 1 AS paid", "SELECT id, email FROM u", True, "sync two sends people to main too"),
    ],
)
def test_who_is_marked_waits_for_no_sync_that_does_not_send_the_mark(
    tmp_path: Path, gone: str, query: str, other: str, held: bool, found: str
) -> None:
    """An attribute that this query returns and the other does not is this sync's alone; otherwise a warning says so."""
    one = f"people: {{gone: {gone}}}\nchanges: {{by: compare}}\nquery: SELECT {query} FROM t\n"
    two = f"people: {{}}\nquery: {other}\n"
    assert [] == problems(tmp_path, one=one, two=two)
    inspected = inspect_project(tmp_path)
    assert inspected.project is not None
    sync = inspected.project.syncs["one"]
    assert (("rows", "two", "rows"),) * held == sync.beside
    assert ["two"] * held == [name for name, _ in sync.uncompared]
    texts = [each.text for each in inspected.warnings if each.key == "people.gone"]
    assert (len(texts) == 1 and found in texts[0] and "two.yaml" in texts[0]) if held else texts == []
    problems(tmp_path, one=one, two=two.replace("query", "changes: {by: compare}\nquery", 1))
    assert [] == [each.text for each in inspect_project(tmp_path).warnings if each.key == "people.gone"]


TABLES = """\
databases: {shop: {type: sqlite, path: shop.db}}
destinations: {crm: {type: postgres, host: h, database: d, user: u}}
"""


@pytest.mark.parametrize(
    ("rows", "rest", "found"),
    [
        ("gone: delete, gone_scope: table", "", ""),
        ("gone: {set: {deleted_at: now}}, gone_scope: table, gone_max: 20%", "", ""),
        ("gone: delete, gone_scope: table", "changes: {by: compare}\n", "changes.by: goes with `gone_scope: own`"),
        ("gone: delete, gone_scope: table, gone_wait: 2h", "", "rows.gone_wait: goes with `gone_scope: own`"),
        ("gone_scope: table", "", "rows.gone_scope: goes with `gone`"),
        ("gone: delete, write: append", "", "rows.gone: does not go with `write: append`"),
        ("updates_max: 5, write: append", "", "rows.updates_max: does not go with `write: append`"),
        ("adds_max: many", "", "rows.adds_max: must be a number of rows, as in 100, or a share of them, as in 5%"),
        ("mirror: true", "", "rows.mirror: unknown key; did you mean `gone`?"),
        ("limits: {deletes: 5%}", "", "rows.limits: unknown key; did you mean `gone_max`?"),
    ],
)
def test_rows_of_a_table_that_are_gone_or_too_many(tmp_path: Path, rows: str, rest: str, found: str) -> None:
    """Of the sync or of the table; the words of other tools lead to ours."""
    (tmp_path / "connections.yaml").write_text(TABLES)
    text = f"database: shop\ndestination: crm\nschedule: manual\nrows: {{table: t, identify_by: id, {rows}}}\n{rest}"
    (tmp_path / "one.yaml").write_text(f"{text}query: SELECT id, email FROM t\n")
    texts = [f"{each.key}: {each.text}" for each in inspect_project(tmp_path).problems]
    assert ([] == texts) if not found else any(each.startswith(found) for each in texts), texts


def test_a_table_that_is_mirrored_is_written_by_one_sync(tmp_path: Path) -> None:
    """The rows of another would be gone."""
    (tmp_path / "connections.yaml").write_text(TABLES)
    for name, gone in (("one", ", gone: delete, gone_scope: table"), ("two", "")):
        rows = f"rows: {{table: t, identify_by: id{gone}}}\n"
        head = "database: shop\ndestination: crm\nschedule: manual\n"
        (tmp_path / f"{name}.yaml").write_text(f"{head}{rows}query: SELECT id, email FROM t\n")
    [problem] = inspect_project(tmp_path).problems
    assert ("rows.gone", True) == (problem.key, "sync two writes to the table too" in problem.text)


@pytest.mark.parametrize(
    ("objects", "relationships", "warned"),
    [
        ("{object_type: 2}", "{query: 'SELECT id, o AS object_id FROM r'}", True),
        ("{object_type: 2}", "{object_type: 2, query: 'SELECT id, o AS object_id FROM r'}", False),
        ("{object_type: 2}", "{query: 'SELECT id, o AS object_id, k AS object_type FROM r'}", False),
        ("{object_type: 1}", "{query: 'SELECT id, o AS object_id FROM r'}", False),
        ("{}", "{query: 'SELECT id, o AS object_id FROM r'}", False),
    ],
)
def test_relationships_to_objects_of_another_type_are_worth_a_look(
    tmp_path: Path, objects: str, relationships: str, warned: bool
) -> None:
    """The type of the objects beside them is not theirs: who changes one of both changes what the other is about."""
    query = "query: SELECT id AS object_id FROM t\n"
    text = f"{HEAD}objects: {objects}\nrelationships: {relationships}\n{query}"
    for name, content in {"connections": CONNECTIONS, "companies": text}.items():
        (tmp_path / f"{name}.yaml").write_text(content)
    found = inspect_project(tmp_path)
    assert () == tuple(found.problems)
    warnings = [str(each) for each in found.warnings]
    assert warned == any("are to objects of type 1, and these objects are of type 2" in each for each in warnings)
    assert warned == bool(warnings)


@pytest.mark.parametrize(
    ("people", "theirs", "warned"),
    [
        ("gone: delete", "identify_by: email", True),
        ("gone: delete, identify_by: email", "identify_by: email", False),
        ("gone: delete", "empty_values: ignore", False),
        ("gone: nothing", "identify_by: email", False),
    ],
)
def test_relationships_of_who_is_back_are_named_as_people_are(
    people: str, theirs: str, warned: bool, tmp_path: Path
) -> None:
    """Otherwise they are not sent again at once, and `validate` says so."""
    query = "query: 'SELECT id, email, o AS object_id FROM r'"
    text = f"people: {{{people}}}\n{WHOLE}relationships: {{{theirs}, {query}}}\n"
    assert [] == problems(tmp_path, one=text)
    found = [str(each) for each in inspect_project(tmp_path).warnings]
    assert warned == any("write `identify_by: id` to have them sent at once" in each for each in found), found
