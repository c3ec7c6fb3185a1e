"""A user's function of a row: values exact both ways, and a bad row is one row, whatever it does."""
# ruff: noqa: E501 - functions of a line each

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.config.transforms import Transform, read_transform
from reverse_etl.errors import ConfigError, QueryError
from reverse_etl.report import Outcome
from reverse_etl.shaping.transform import Made, Transformer
from reverse_etl.sources.base import logical_type, marked

FIELDS = {
    "n": pa.field("n", pa.int64()),
    "f": pa.field("f", pa.float64()),
    "d": marked("d", "decimal"),
    "b": pa.field("b", pa.bool_()),
    "t": pa.field("t", pa.timestamp("us", "UTC")),
    "day": pa.field("day", pa.date32()),
    "j": marked("j", "json"),
    "s": pa.field("s", pa.string()),
    "raw": pa.field("raw", pa.binary()),
}


def batch(**columns: list[Any]) -> pa.RecordBatch:
    """Rows with columns of ``FIELDS``."""
    fields = [FIELDS[name] for name in columns]
    arrays = [pa.array(values, FIELDS[name].type) for name, values in columns.items()]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


@contextmanager
def opened(source: str, language: str = "py", **limits: float) -> Iterator[Transformer]:
    """A function in its process, ended afterwards."""
    if language == "py":
        found = Transform("t.py", "python", source, by_batch="transform_batch" in source)
    else:
        found = Transform("t.js", "javascript", source)
    transformer = Transformer(found, "Europe/Berlin")
    for name, value in limits.items():
        setattr(transformer.child, name, value)
    with closing(transformer):
        yield transformer


def made(source: str, language: str, of: pa.RecordBatch, **limits: float) -> Made:
    """One call."""
    with opened(source, language, **limits) as transformer:
        return transformer.made(of)


def rows(found: Made) -> list[Any]:
    """The results, in order."""
    return found.batch.to_pylist()


def messages(found: Made) -> dict[int, str]:
    """Why rows have none, by their place."""
    return {place: why.cause.why.message for place, why in found.whys}


SAME = {
    "py": "def transform(row):\n    return row\n",
    "js": "const transform = (row) => row;",
    "batch": "def transform_batch(table):\n    return table\n",
}
NUMBERED = batch(n=list(range(10)))


@pytest.mark.parametrize("language", ["py", "js", "batch"])
def test_values_come_back_exact(language: str) -> None:
    """Whatever their type; text of a time is an instant, of a decimal its digits."""
    of = batch(
        n=[2**53 - 1, -(2**53) + 1, None],
        f=[0.1, 5e-324, None],
        d=["0.10", "12345678901234567890.000000000000000001", None],
        b=[True, False, None],
        t=[datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), None],
        day=[date(1, 1, 1), date(9999, 12, 31), None],
        j=['{"a": [1, null]}', '"text"', None],
        s=['ünï \U0001f600 \\ " \n', "", None],
    )
    found = made(SAME[language], language.replace("batch", "py"), of)
    assert [] == found.whys
    if language == "js":
        assert {
            "n": 2**53 - 1,
            "f": 0.1,
            "d": "0.10",
            "b": True,
            "t": "0001-01-01T00:00:00Z",
            "day": "0001-01-01",
            "s": 'ünï \U0001f600 \\ " \n',
        } == {name: value for name, value in rows(found)[0].items() if name != "j"}
        assert "9999-12-31T23:59:59.999999Z" == rows(found)[1]["t"]
    else:
        assert of.drop_columns(["j"]).to_pylist() == found.batch.drop_columns(["j"]).to_pylist()
        assert "decimal" == logical_type(found.batch.schema.field("d"))
    assert ["n", "f", "d", "b", "t", "day", "j", "s"] == found.batch.schema.names
    assert dict.fromkeys(of.schema.names) == rows(found)[2]


def test_what_a_python_function_is_given_and_may_give() -> None:
    """Decimals, aware times, lists; integers of any size; a naive time is one of the database's zone."""
    source = """
from datetime import datetime
from decimal import Decimal
def transform(row):
    kinds = {k: type(v).__name__ for k, v in row.items()}
    return {"kinds": kinds, "d": row["d"] * 3, "later": datetime(2026, 7, 1, 12), "big": 2**70, "zone": str(row["t"].tzinfo),
            "list": row["j"]["a"] + [Decimal("0.10")], "raw": row["raw"], "mixed": 1 if row["n"] else 1.5}
"""
    of = batch(n=[1, 0], d=["0.1"] * 2, t=[datetime(2026, 1, 1, tzinfo=UTC)] * 2, j=['{"a": [1]}'] * 2, raw=[b"\0"] * 2)
    found = made(source, "py", of)
    assert [] == found.whys
    kinds = '{"n":"int","d":"Decimal","t":"datetime","j":"dict","raw":"bytes"}'
    assert {
        "kinds": kinds,
        "d": "0.3",
        "later": datetime(2026, 7, 1, 10, tzinfo=UTC),
        "big": str(2**70),
        "zone": "UTC",
        "list": "[1,0.10]",
        "raw": b"\0",
        "mixed": "1",
    } == rows(found)[0]
    assert "1.5" == rows(found)[1]["mixed"]


def test_what_a_javascript_function_may_give() -> None:
    """A BigInt as its digits, a Date as ISO text, undefined as nothing; half a surrogate is left to the checks."""
    source = """function transform(row) {
      return { big: 9007199254740993n, at: new Date(0), none: row.n ? undefined : 1, half: 'a\\ud800', list: [1, {a: 'x'}] };
    }"""
    found = made(source, "js", batch(n=[1, 0]))
    one = {
        "big": "9007199254740993",
        "at": "1970-01-01T00:00:00.000Z",
        "none": None,
        "half": "\0",
        "list": '[1,{"a":"x"}]',
    }
    assert ([one, {**one, "none": 1}], []) == (rows(found), found.whys)


def test_javascript_is_given_no_number_that_it_would_round() -> None:
    """The row is rejected with a reason of its own; others arrive."""
    of = batch(n=[1, 2**53, None, -(2**63)], j=['{"id": 12345678901234567}', None, None, None])
    found = made(SAME["js"], "js", of)
    assert {0, 1, 3} == {place for place, _ in found.whys}
    assert {("integer_too_large", "n"), ("integer_too_large", "j")} == {why.cause.why[:2] for _, why in found.whys}
    assert [None, None] == [rows(found)[2]["n"], rows(found)[0]["n"]]
    assert {0: "t.js: the transform raised RangeError."} == {
        place: text.replace(":1:", ":")
        for place, text in messages(made("transform = () => ({x: 2**60})", "js", batch(n=[1]))).items()
    }


FAILS_IN_PYTHON = """
import os, sys
def transform(row):
    n = row["n"]
    if n == 1:
        raise KeyError("secret")
    if n == 2:
        return [1]
    if n == 3:
        return {1: 2}
    if n == 4:
        sys.exit("secret")
    if n == 5:
        return transform(row)
    if n == 6:
        return {"x": "a" * 2**40}
    if n == 7:
        os._exit(0)
    if n == 8:
        os.kill(os.getpid(), 9)
    return row
"""
FAILS_IN_JAVASCRIPT = """
const deep = (n) => deep(n + 1);
function transform(row) {
  if (row.n === 1) throw new TypeError(row.n);
  if (row.n === 2) throw row;
  if (row.n === 3) return [row];
  if (row.n === 4) return undefined;
  if (row.n === 5) return (async () => 1)();
  if (row.n === 6) return { x: NaN, y: 2 };
  if (row.n === 7) return deep(0);
  if (row.n === 8) { const a = []; for (;;) a.push(new Array(1e6).fill(1)); }
  if (row.n === 9) { const e = new Error('x'); e.name = 'secret value'; throw e; }
  if (row.n === 10) return { n: 1, x: 2 ** 60 };
  return row;
}
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        (
            "py",
            FAILS_IN_PYTHON,
            {
                1: "t.py:6: the transform raised KeyError.",
                2: "t.py: the transform returned no object but list.",
                3: "t.py: the transform raised TypeError.",
                4: "t.py:12: the transform raised SystemExit.",
                5: "t.py:14: the transform raised RecursionError.",
                6: "t.py:16: the transform raised MemoryError.",
                7: "t.py: the transform ended its process.",
                8: "t.py: the transform ended its process.",
            },
        ),
        (
            "js",
            FAILS_IN_JAVASCRIPT,
            {
                1: "t.js:4: the transform raised TypeError.",
                2: "t.js: the transform raised Error.",
                3: "t.js: the transform returned no object but array.",
                4: "t.js: the transform returned no object but undefined.",
                5: "t.js: the transform returned no object but Promise.",
                6: "t.js: the transform raised RangeError.",
                7: "t.js:2: the transform raised RangeError.",
                8: "t.js:11: the transform raised InternalError.",
                9: "t.js:12: the transform raised Error.",
                10: "t.js: the transform raised RangeError.",
            },
        ),
    ],
    ids=["py", "js"],
)
def test_a_row_that_fails_is_one_row(language: str, source: str, expected: dict[int, str]) -> None:
    """With the class and the line of the function's own file, and never a value; the others have their results."""
    found = made(source, language, batch(n=list(range(13))))
    assert expected == messages(found)
    assert {(Outcome.REJECTED, "transform", "transform_failed")} == {
        (why.outcome, why.cause.stage, why.cause.why.reason) for _, why in found.whys
    }
    assert [n if n not in expected else None for n in range(13)] == [row["n"] for row in rows(found)]


@pytest.mark.parametrize(
    ("language", "source"),
    [
        pytest.param("py", "def transform(row):\n    while row['n'] == 3:\n        pass\n    return row", id="loop"),
        pytest.param("py", "import time\ndef transform(row):\n    time.sleep(9 if row['n'] == 3 else 0)\n    return row", id="sleep", marks=pytest.mark.thorough),
        pytest.param("py", "def transform(row):\n    try:\n        while row['n'] == 3:\n            pass\n    except Exception:\n        pass\n    return row", id="caught", marks=pytest.mark.thorough),
        pytest.param("py", "import re\ndef transform(row):\n    if row['n'] == 3:\n        re.match('(a+)+b', 'a' * 40)\n    return row", id="regex", marks=pytest.mark.thorough),
        pytest.param("py", "import signal, time\ndef transform(row):\n    if row['n'] == 3:\n        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n        time.sleep(99)\n    return row", id="deaf", marks=pytest.mark.thorough),
        pytest.param("py", "import pyarrow as pa, time\ndef transform_batch(table):\n    while 3 in table['n'].to_pylist():\n        pass\n    return table", id="batch", marks=pytest.mark.thorough),
        pytest.param("js", "function transform(row) { while (row.n === 3); return row; }", id="js"),
        pytest.param("js", "function transform(row) { try { while (row.n === 3); } catch (e) {} return row; }", id="js-caught", marks=pytest.mark.thorough),
        pytest.param("js", "function transform(row) { if (row.n === 3) /(a+)+b/.exec('a'.repeat(40)); return row; }", id="js-regex", marks=pytest.mark.thorough),
    ],
)  # fmt: skip
def test_a_row_that_hangs_costs_itself_alone(language: str, source: str) -> None:
    """The rows before it and after it have their results."""
    found = made(source, language, NUMBERED, row_s=1.0, gone_s=3)
    assert [3] == [place for place, _ in found.whys]
    assert {3: f"t.{language}: the transform took too long and was stopped, after 3 s at most."} == messages(found)
    assert [n for n in range(10) if n != 3] == [row["n"] for row in rows(found) if row["n"] is not None]


@pytest.mark.thorough
def test_a_javascript_row_that_only_the_run_can_end_is_found() -> None:
    """Its process is ended, and those of its rows are called one by one."""
    source = "function transform(row) { while (row.n === 3); return row; }"
    found = made(source, "js", NUMBERED, row_s=60, gone_s=0.8)
    assert [3] == [place for place, _ in found.whys]
    assert 9 == len([row for row in rows(found) if row["n"] is not None])


@pytest.mark.thorough
def test_a_function_that_fails_for_all_rows_ends_the_run() -> None:
    """After some processes, not after one for each row."""
    with opened("import os\ndef transform(row):\n    os._exit(1)") as transformer:
        transformer.most_gone = 2
        with pytest.raises(QueryError, match="for more than 2 rows") as caught:
            transformer.made(batch(n=list(range(100))))
    assert caught.value.hint


@pytest.mark.parametrize("language", ["py", "js"])
def test_a_row_may_be_left_out(language: str) -> None:
    """It is excluded, no failed row."""
    source = {
        "py": "def transform(row):\n    return row if row['n'] % 2 else None",
        "js": "transform = (row) => row.n % 2 ? row : null",
    }
    found = made(source[language], language, NUMBERED)
    assert [0, 2, 4, 6, 8] == [place for place, _ in found.whys]
    assert {(Outcome.EXCLUDED, "left_out")} == {(why.outcome, why.cause.why.reason) for _, why in found.whys}


def test_keys_may_differ_from_row_to_row() -> None:
    """NULL where a row has none."""
    for language, source in (
        ("py", "def transform(row):\n    return {'n': row['n'], **({'odd': True} if row['n'] % 2 else {})}"),
        ("js", "transform = (row) => row.n % 2 ? {n: row.n, odd: true} : {n: row.n}"),
    ):
        found = made(source, language, batch(n=[0, 1]))
        assert [{"n": 0, "odd": None}, {"n": 1, "odd": True}] == rows(found)


def test_what_is_printed_goes_nowhere_and_there_is_no_environment(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither into the answers nor to the terminal."""
    os.environ["PLANTED_SECRET"] = "hunter2"
    source = """
import os, sys
def transform(row):
    print("noise"); sys.stderr.write("noise"); os.write(1, b"noise"); sys.stdin.read()
    return {"env": sorted(os.environ), "cwd": os.getcwd()}
"""
    [row] = rows(made(source, "py", batch(n=[1])))
    del os.environ["PLANTED_SECRET"]
    assert ("/", True) == (row["cwd"], "PLANTED" not in row["env"])
    assert ("", "") == capfd.readouterr()


def test_javascript_has_no_files_no_network_and_no_modules() -> None:
    """By the engine: there is nothing to call."""
    names = ["require", "process", "fetch", "XMLHttpRequest", "WebSocket", "std", "os", "console", "setTimeout", "Deno"]
    source = f"transform = () => ({{found: {names}.filter((n) => n in globalThis)}})"
    assert [{"found": "[]"}] == rows(made(source, "js", batch(n=[1])))


@pytest.mark.parametrize(
    ("source", "whys", "expected"),
    [
        ("def transform_batch(table):\n    return table.take([n for n in table['n'].to_pylist() if n % 2])", [0, 2], [1, 3]),
        ("def transform_batch(table):\n    return table.take(list(reversed(range(len(table)))))", [], [0, 1, 2, 3]),
        ("def transform_batch(table):\n    return table.select(['n'])", [], [0, 1, 2, 3]),
        ("def transform_batch(table):\n    return table.select(['n']).slice(1)", [0, 1, 2, 3], []),
        ("def transform_batch(table):\n    return [1]", [0, 1, 2, 3], []),
        ("def transform_batch(table):\n    return 1 / 0 if 2 in table['n'].to_pylist() else table.to_batches()[0]", [2], [0, 1, 3]),
        ("def transform_batch(table):\n    return table.slice(0, 0)", [0, 1, 2, 3], []),
    ],
    ids=["filtered", "reordered", "by position", "shorter", "no table", "raises", "none"],
)  # fmt: skip
def test_many_rows_at_once(source: str, whys: list[int], expected: list[int]) -> None:
    """Rows are told apart by a column that the table brings along; a batch that fails is halved."""
    found = made(source, "py", batch(n=[0, 1, 2, 3]))
    assert whys == [place for place, _ in found.whys]
    assert expected == [row["n"] for row in rows(found) if row.get("n") is not None]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import no_such_module\ndef transform(row): return row",
            "t.py:1: reading the file raised ModuleNotFoundError.",
        ),
        ("x = 1\ny = x / 0\ndef transform(row): return row", "t.py:2: reading the file raised ZeroDivisionError."),
        ("import os\nos._exit(1)\ndef transform(row): return row", "t.py: its process ended"),
    ],
)
def test_a_file_that_cannot_be_read_ends_the_run(source: str, message: str) -> None:
    """Before a row is called."""
    with pytest.raises(ConfigError) as caught:
        made(source, "py", NUMBERED)
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "source", "text"),
    [
        ("t.py", "def transform(row):\n    return {\n", "t.py:2: cannot be read as Python"),
        ("t.py", "def transfrom(row): return row", "t.py: has no function transform(row)"),
        ("t.py", "def transform(row): return row\ndef transform_batch(t): return t", "has both transform and transform_batch"),
        ("t.py", "async def transform(row): return row", "t.py:1: transform must be a plain function"),
        ("t.py", "\ndef transform(): return {}", "t.py:2: transform must take one argument"),
        ("t.py", "def transform(row, other): return {}", "t.py:1: transform must take one argument"),
        ("t.py", "return 1\ndef transform(row): return row", "t.py:1: cannot be read as Python"),
        ("t.py", "def transform(row): return '\0'", "cannot be read as Python"),
        ("t.js", "function transform(row) {\n  return {\n}", "t.js:3: cannot be read as JavaScript: SyntaxError"),
        ("t.js", "export function transform(row) { return row }", "t.js:1: cannot be read as JavaScript: SyntaxError: unsupported keyword: export"),
        ("t.js", "function transfrom(row) { return row }", "t.js: has no function transform(row)"),
        ("t.js", "const transform = 5", "t.js: has no function transform(row)"),
        ("t.js", "let x;\nthrow new Error('secret'); function transform(row) { return row }", "t.js:2: cannot be read as JavaScript: Error"),
        ("t.js", "for (;;);\nfunction transform(row) { return row }", "t.js:1: cannot be read as JavaScript: InternalError"),
        ("t.ts", "", "must be a .py or .js file"),
        ("t.py", b"\xff\xfe", "is not UTF-8 text"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_found_without_calling_it(
    name: str, source: str | bytes, text: str, tmp_path: Path
) -> None:
    """By `validate`, with the line."""
    path = tmp_path / name
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    with pytest.raises(ValueError) as caught:
        read_transform(name, tmp_path)
    assert text in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Nor is a folder a file."""
    with pytest.raises(ValueError, match=r"gone.py cannot be read: No such file or directory"):
        read_transform("gone.py", tmp_path)
    with pytest.raises(ValueError, match="must be the path"):
        read_transform(5, tmp_path)


def test_decimals_of_a_function_keep_their_digits() -> None:
    """As many as there are."""
    source = "def transform(row):\n    return {'d': row['d'] + 0}"
    digits = "1234567890123456789.012345678"
    assert [{"d": digits}] == rows(made(source, "py", batch(d=[digits])))
    assert Decimal(digits) == Decimal(rows(made(SAME["js"], "js", batch(d=[digits])))[0]["d"])
