"""A suppression list is read whole, from a query or a file, and kept as what rows can be compared with."""

from __future__ import annotations

import csv
import re
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.parts import RunFolder
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.customerio.sections import PeopleConfig
from reverse_etl.destinations.customerio.suppression import list_of, store_suppressed
from reverse_etl.destinations.customerio.suppression_config import SuppressionListConfig
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.errors import ConfigError
from reverse_etl.sources import connect
from reverse_etl.sources.sqlite import Config as SQLite
from reverse_etl_tests.dialects import DIALECTS as SPOKEN


def sync(**listed: object) -> Sync:
    """A sync of people with a list."""
    return Sync(
        name="people",
        database="shop",
        workspace="main",
        schedule=ScheduleConfig(),
        people=PeopleConfig(suppression_list=SuppressionListConfig.model_validate(listed) if listed else None),
        query="SELECT '1' AS id",
    )


def quoted(name: str) -> str:
    """A name as SQL has it between quotes."""
    return '"' + name.replace('"', '""') + '"'


def stored(config: Sync, folder: Path) -> list[tuple[str | None, str | None]]:
    """The list as it is kept."""
    run = RunFolder(folder)
    store_suppressed(config, run, None)
    return [(row["id"], row["email"]) for row in pq.read_table(list_of(run.parts("rows"))).to_pylist()]


def test_a_csv_is_text_in_every_column(tmp_path: Path) -> None:
    """Ids keep their zeros, addresses lose their case, empty fields are missing; other columns do not matter."""
    file = tmp_path / "list.csv"
    file.write_text('\ufeffid,note,email\r\n007,"a, ""b""\n",\r\n,x,Ann@Example.com \r\n', encoding="utf-8")
    assert [("007", None), (None, "ann@example.com")] == stored(sync(file=file), tmp_path)


def test_parquet_ids_may_be_numbers(tmp_path: Path) -> None:
    """They are compared as the rows' are: as text."""
    file = tmp_path / "list.parquet"
    pq.write_table(pa.table({"id": pa.array([7, 8], pa.int32()), "big": [b"x", b"y"]}), file)
    assert [("7", None), ("8", None)] == stored(sync(file=file), tmp_path)


def test_a_query_is_run_with_the_changeset(tmp_path: Path) -> None:
    """On the sync's own database, in the session of its other queries."""
    database = SQLite(name="shop", path=tmp_path / "shop.db")
    sqlite3.connect(database.path).close()
    config = sync(query="SELECT 7 AS id UNION ALL SELECT 8")
    run = RunFolder(tmp_path / "run")
    with connect(database) as session:
        facts = extract(config, session, run, before=Before(), dialect=SPOKEN["sqlite"])
    assert 1 == facts.total
    assert ["7", "8"] == pq.read_table(list_of(run.parts("rows"))).column("id").to_pylist()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.csv", None, "cannot be read"),
        ("gone.parquet", None, "cannot be read"),
        ("a.csv", b"name\n1\n", "neither a column `id` nor `email`"),
        ("a.csv", b"", "does not have the format that its ending names"),
        ("a.csv", b"id,email\n1\n", "does not have the format that its ending names"),
        ("a.csv", "\ufeffid\n1\n".encode("utf-16-le"), "does not have the format that its ending names"),
        ("a.csv", b"id\nGr\xf6\n", "does not have the format that its ending names"),
        ("a.csv", b"id,email,id\n1,,2\n", "more than one column `id`"),
        ("a.csv", b"id;email\n1;\n", "not separated by commas"),
        ("a.csv", b"name\tEMAIL\n1\ta@example.com\n", "not separated by commas"),
        ("a.csv", b"id,email;note\n1,a@example.com;x\n", "not separated by commas"),
        ("a.csv", b"7,a@example.com\n", "neither a column `id` nor `email`"),
        ("a.csv", b"id\n1.23457E+18\n", r"a\.csv:2: .* cuts off the last digits"),
        ("a.parquet", b"id\n1\n", "does not have the format that its ending names"),
    ],
)
def test_a_list_that_cannot_be_used_stops_the_run(name: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    """Nobody is sent past a list that is missing, broken or about something else."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        stored(sync(file=tmp_path / name), tmp_path)


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("ID,email", "id"),
        ("Id", "id"),
        ("id,Email", "email"),
        ("id,E-Mail", "email"),
        ("id,e_mail", "email"),
        ("id,Email Address", "email"),
        (" id,email", "id"),
        ("id,email ", "email"),
        ("'id'", "id"),
        ('"""id"""', "id"),
        ('id,"ID"', "id"),
        ("email,\ufeffid", "id"),
        ("email,\xa0id", "id"),
        ("email,\uff49\uff44", "id"),
        ("id,mail", "email"),
        ("id,e-mail", "email"),
        ("id,mailaddress", "email"),
        ("id,user_email", "email"),
        ("id,customer.email", "email"),
        ("id,email,email_2", "email"),
        ("customer_id,email", "id"),
        ("customer.id,email", "id"),
        ("customerId,email", "id"),
        ("user_id,email", "id"),
        ("userID,email", "id"),
        ("cio_id,email", "id"),
        ("cio-id,email", "id"),
        ("external_id,email", "id"),
        ("account_id,email", "id"),
        ("uuid,email", "id"),
        ("customer,email", "id"),
        ("customer_no,email", "id"),
        ("id,user_id", "id"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet", "query"])
def test_a_column_in_another_spelling_is_not_passed_over(kind: str, header: str, meant: str, tmp_path: Path) -> None:
    """Whoever it names would be sent: the error has the spelling that is read."""
    (names,) = csv.reader([header])
    if kind == "query":
        config = sync(query=f"SELECT {', '.join(f'1 AS {quoted(name)}' for name in names)}")
    else:
        config = sync(file=tmp_path / f"list.{kind}")
        (tmp_path / "list.csv").write_text(f"{header}\n{','.join('1' for _ in names)}\n", encoding="utf-8")
        pq.write_table(pa.table([pa.array(["1"])] * len(names), names), tmp_path / "list.parquet")
    database = SQLite(name="shop", path=tmp_path / "shop.db")
    sqlite3.connect(database.path).close()
    with connect(database) as session, pytest.raises(ConfigError) as told:
        store_suppressed(config, RunFolder(tmp_path), session)
    assert f"Write `{meant}`" in (told.value.hint or "")
    assert not list_of(RunFolder(tmp_path).parts("rows")).exists()


def test_blanks_and_fractions_of_zeros_are_no_part_of_an_id(tmp_path: Path) -> None:
    """Whoever fills a list by hand, or from a spreadsheet, means the same person; zeros in front do count."""
    file = tmp_path / "list.csv"
    file.write_text("id,email\n42.0, Ann@Example.com \nacme      ,\n 007,\n1.50,\n12e4,\n", encoding="utf-8")
    expected = [("42", "ann@example.com"), ("acme", None), ("007", None), ("1.50", None), ("12e4", None)]
    assert expected == stored(sync(file=file), tmp_path)


IDS = [
    ('"=""007"""', "007"),
    ("'007", "007"),
    ('"""007"""', "007"),
    ("\u200b007\xa0", "007"),
    ("42.", "42"),
    ('"=""42.0"""', "42"),
    ("{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("+42", "42"),
    ("+42.0", "42"),
    ("o'brien", "o'brien"),
    ("auth0|5f7c", "auth0|5f7c"),
    ('"="""""', ""),
]
EMAILS = [
    ("mailto:ann@example.com", "ann@example.com"),
    ("MAILTO:Ann@Example.com?subject=stop", "ann@example.com"),
    ("<ann@example.com>", "ann@example.com"),
    ("Ann <ann@example.com>", "ann@example.com"),
    ('"""Smith, Ann"" <ann@example.com>"', "ann@example.com"),
    ("<mailto:ann@example.com>", "ann@example.com"),
    ("'ann@example.com'", "ann@example.com"),
    ('"=""ann@example.com"""', "ann@example.com"),
    ("ann@example.com;", "ann@example.com"),
    ('"""ann smith""@example.com"', '"ann smith"@example.com'),
    ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
    ("o'ann@example.com", "o'ann@example.com"),
]


@pytest.mark.parametrize(("cell", "person"), IDS)
def test_an_id_is_read_in_every_certain_spelling(cell: str, person: str, tmp_path: Path) -> None:
    """What spreadsheets and hands put around it is no part of it."""
    file = tmp_path / "list.csv"
    file.write_text(f"id,email\n{cell},\n", encoding="utf-8")
    assert [(person, None)] == stored(sync(file=file), tmp_path)


@pytest.mark.parametrize(("cell", "person"), EMAILS)
def test_an_address_is_read_in_every_certain_spelling(cell: str, person: str, tmp_path: Path) -> None:
    """Links, names and quotes around it are no part of it."""
    file = tmp_path / "list.csv"
    file.write_text(f"email\n{cell}\n", encoding="utf-8")
    assert [(None, person)] == stored(sync(file=file), tmp_path)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("id", "=T(A1)"),
        ("id", "#N/A"),
        ("id", "#####"),
        ("id", '"1,234,567"'),
        ("id", "7; 8"),
        ("id", '"7\n8"'),
        ("id", "1.2e+18"),
        ("id", '"1,23E18"'),
        ("id", "+1.23E+18"),
        ("id", "2-Jan"),
        ("id", "Mar-07"),
        ("id", "TRUE"),
        ("id", "false"),
        ("id", "Yes"),
        ("id", "J\ufffdrgen"),
        ("email", "j\ufffdrgen@example.com"),
        ("email", "ann(at)example.com"),
        ("email", "ann@example.com bob@example.com"),
        ("email", '"ann@example.com, bob@example.com"'),
        ("email", "ann@example.com (Ann)"),
        ("email", "mailto:ann%40example.com"),
        ("email", "ann@ex\xe4mple.de"),
        ("email", "ann%2Blist@example.com"),
        ("email", "TRUE"),
        ("email", "+42"),
    ],
)
def test_an_uncertain_cell_stops_the_run(column: str, cell: str, tmp_path: Path) -> None:
    """With the line on which it stands and without its value; whoever is meant would be sent."""
    file = tmp_path / "list.csv"
    file.write_text(f'\ufeffnote,{column}\n\n"two\nlines",\nx,{cell}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"list\.csv:5: the suppression list has an `(id|email)` that") as told:
        stored(sync(file=file), tmp_path)
    assert cell not in str(told.value)
    assert "one in a cell" in (hint := told.value.hint) or "one address in a cell" in hint


PATTERNS = [
    *[("email", cell) for cell in ("*@b.com", "%@b.com", "@b.com", "b.com", "*", "%", "ann*@b.com", "a?n@b.com")],
    *[
        ("email", cell)
        for cell in (
            "ann@*",
            "ann@*.com",
            "ann@%.com",
            "'*@b.com",
            ".+@b.com",
            "a\u2022\u2022n@b.com",
            "Ann <*@b.com>",
            "*@[192.0.2.1]",
        )
    ],
    *[
        ("id", cell)
        for cell in ("*@b.com", "%@b.com", "@b.com", "*", "%", "user_*", "user%", "%7", "12?", "12\u2026", '"=""7*"""')
    ],
]


@pytest.mark.parametrize(("column", "cell"), PATTERNS)
@pytest.mark.parametrize("other", [False, True])
def test_a_pattern_stops_the_run(column: str, cell: str, other: bool, tmp_path: Path) -> None:
    """As written it is compared with whole ids and addresses, and finds none of those that are meant."""
    names = {"id": ("id", "email", "7"), "email": ("email", "id", "ann@example.com")}
    first, second, good = names[column]
    beside = {"id": "7", "email": "ann@example.com"}[second] if other else ""
    file = tmp_path / "list.csv"
    file.write_text(f"{first},{second}\n{good},\n{cell},{beside}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"list\.csv:3: .* an `{column}` that is a pattern or a domain") as stopped:
        stored(sync(file=file), tmp_path)
    assert cell not in str(stopped.value)
    assert "matches whole values only" in (stopped.value.hint or "")


NO_VALUES = [
    *[
        "NULL",
        "null",
        "Null",
        "<null>",
        "(null)",
        "\\N",
        "nil",
        "None",
        "nan",
        "NaN",
        "NaT",
        "<NA>",
        "NA",
        "N/A",
        "n.a.",
    ],
    *["-", "--", "\u2014", ".", "?", "/", "(none)", "(blank)", "undefined", "unknown", "'NULL", '"=""NULL"""', " n/a "],
]


@pytest.mark.parametrize("cell", NO_VALUES)
def test_a_word_for_no_value_is_an_empty_cell_where_the_row_names_its_person(cell: str, tmp_path: Path) -> None:
    """An export's ``NULL`` beside an id or an address adds nothing to it."""
    file = tmp_path / "list.csv"
    file.write_text(f"id,email\n7,{cell}\n{cell},ann@example.com\n", encoding="utf-8")
    assert [("7", None), (None, "ann@example.com")] == stored(sync(file=file), tmp_path)


@pytest.mark.parametrize(
    ("cell", "header", "beside"),
    [
        *((cell, "id,email", "") for cell in NO_VALUES),
        *(("NULL", header, "") for header in ("id", "email", "email,id")),
        ("NULL", "id,email", "NULL"),
        ("\\N", "email,id", "-"),
    ],
)
def test_a_word_for_no_value_alone_stops_the_run(cell: str, header: str, beside: str, tmp_path: Path) -> None:
    """Nothing says whom the row means; perhaps the one whose id it is."""
    file = tmp_path / "list.csv"
    good = {"id": "7", "email": "ann@example.com"}[header.split(",")[0]]
    cells = [f"{row},{second}" if "," in header else row for row, second in ((good, ""), (cell, beside))]
    file.write_text("\n".join([header, *cells, ""]), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"list\.csv:3: .* an `(id|email)` that is a word for no value") as stopped:
        stored(sync(file=file), tmp_path)
    assert "leave the cell empty" in (stopped.value.hint or "")


def test_nan_is_a_word_for_no_value(tmp_path: Path) -> None:
    """A DataFrame with missing ids has floats."""
    file = tmp_path / "list.parquet"
    pq.write_table(pa.table({"id": [7.0, float("nan")], "email": [None, "ann@example.com"]}), file)
    assert [("7", None), (None, "ann@example.com")] == stored(sync(file=file), tmp_path)
    pq.write_table(pa.table({"id": [7.0, float("nan")]}), file)
    with pytest.raises(ConfigError, match=r"list\.parquet, row 2: .* that is a word for no value"):
        stored(sync(file=file), tmp_path)


UNREAD = [
    ("id,username\n7,x\n,ann\n", "`username`"),
    ("id,email,login\n7,,x\n,,ann\n", "`login`"),
    ("email,kunde nr\nann@example.com,\n,0815\n", "`kunde nr`"),
    ("id,phone,reason\n7,,\n,+4930123,spam\n", "`phone`"),
    ("id,answer,reason\n7,,\n,ann@example.com,spam\n", "`answer`"),
    ("id,\n7,\n,ann\n", "column 2, which has no name"),
    ("id, ,note\n7,,\n,ann,\n", "column 2, which has no name"),
    ("id,cio_id\n7,x\n,y\n", "`cio_id`"),
    ("id,uuid\n7,x\n,y\n", "`uuid`"),
    ("id,email,note\n7,,by phone\n,,ann@example.com\n", "`note`"),
    ("id,Kontakt\n7,\n,Ann <ann@example.com>\n", "`Kontakt`"),
]


@pytest.mark.parametrize(("content", "column"), UNREAD)
@pytest.mark.parametrize("kind", ["csv", "parquet", "query"])
def test_a_row_that_names_its_person_by_another_column_stops_the_run(
    kind: str, content: str, column: str, tmp_path: Path
) -> None:
    """It would be passed over, and its person sent."""
    (tmp_path / "list.csv").write_text(content, encoding="utf-8")
    names, *rows = csv.reader(content.splitlines())
    columns = [pa.array([row[number] or None for row in rows], pa.string()) for number in range(len(names))]
    pq.write_table(pa.table(columns, names), tmp_path / "list.parquet")
    database = SQLite(name="shop", path=tmp_path / "shop.db")
    with closing(sqlite3.connect(database.path)) as shop, shop:
        shop.execute(f"CREATE TABLE listed ({', '.join(f'{quoted(name)} TEXT' for name in names)})")
        shop.executemany(f"INSERT INTO listed VALUES ({', '.join('?' * len(names))})", rows)
    config = sync(query="SELECT * FROM listed") if kind == "query" else sync(file=tmp_path / f"list.{kind}")
    place = {
        "csv": r"list\.csv:3: ",
        "parquet": r"list\.parquet, row 2: ",
        "query": "row 2 of suppression_list.query: ",
    }
    with connect(database) as session, pytest.raises(ConfigError) as stopped:
        store_suppressed(config, RunFolder(tmp_path), session)
    assert re.search(f"{place[kind]}.*neither `id` nor `email`, only {re.escape(column)}", str(stopped.value))
    assert "to `id` or `email`" in (stopped.value.hint or "")
    assert "ann" not in f"{stopped.value} {stopped.value.hint}"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([None, 815]),
        pa.array([None, 8.15]),
        pa.array([None, b"x"]),
        pa.array([None, False]),
        pa.array([None, date(2026, 1, 5)]),
        pa.array([None, ["ann"]]),
        pa.array([None, {"name": "ann"}]),
    ],
    ids=lambda values: str(values.type),
)
def test_other_columns_may_have_any_type(values: pa.Array, tmp_path: Path) -> None:
    """A number may be a customer's; a row with anything in it is about a person."""
    file = tmp_path / "list.parquet"
    pq.write_table(pa.table({"id": ["7", None], "other": values}), file)
    with pytest.raises(ConfigError, match=r"row 2: .*neither `id` nor `email`, only `other`"):
        stored(sync(file=file), tmp_path)


def test_empty_rows_are_passed_over(tmp_path: Path) -> None:
    """Spreadsheets end in rows of commas."""
    file = tmp_path / "list.csv"
    file.write_text("id,email,,note\n7,,,x\n,,,\n ,\xa0, ,\n", encoding="utf-8")
    assert [("7", None), (None, None), ("", "")] == stored(sync(file=file), tmp_path)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (pa.array([b"7"]), "neither text nor numbers"),
        (pa.array([True]), "neither text nor numbers"),
        (pa.array([1.0, 1234567890123456789.0]), "row 2: .* may not name exactly one person"),
        (pa.array([["7", "8"]]), "row 1: .* may not name exactly one person"),
    ],
)
def test_ids_that_cannot_be_those_of_rows_stop_the_run(ids: pa.Array, said: str, tmp_path: Path) -> None:
    """Bytes are no text, floats have lost the last digits of long numbers, a list is not one person."""
    file = tmp_path / "list.parquet"
    pq.write_table(pa.table({"id": ids}), file)
    with pytest.raises(ConfigError, match=said):
        stored(sync(file=file), tmp_path)


def test_an_uncertain_cell_of_a_query_has_its_row(tmp_path: Path) -> None:
    """Whichever batch it comes in."""
    database = SQLite(name="shop", path=tmp_path / "shop.db")
    sqlite3.connect(database.path).close()
    config = sync(query="SELECT 'ann@example.com' AS email UNION ALL SELECT 'ann'")
    with (
        connect(database) as session,
        pytest.raises(ConfigError, match=r"row 2 of suppression_list.query: .* `email`"),
    ):
        store_suppressed(config, RunFolder(tmp_path), session)


def test_other_columns_of_a_list_do_not_matter(tmp_path: Path) -> None:
    """Only those that may name people must be understood."""
    file = tmp_path / "list.csv"
    file.write_text("cio_id,id,reason,company_id,Suppressed At\nx,7,y,3,z\n", encoding="utf-8")
    assert [("7", None)] == stored(sync(file=file), tmp_path)


def test_a_query_needs_a_database(tmp_path: Path) -> None:
    """Rows of a DataFrame come without one."""
    with pytest.raises(ConfigError, match="only be queried in a run"):
        stored(sync(query="SELECT 1 AS id"), tmp_path)


def test_a_sync_without_a_list_has_none(tmp_path: Path) -> None:
    """Nothing is written."""
    store_suppressed(sync(), RunFolder(tmp_path), None)
    assert [] == list(tmp_path.iterdir())
