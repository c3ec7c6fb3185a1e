"""The CSV of jobs, read and written column by column.

Documented: UTF-8 without a byte order mark, a header, one kind of line ending, values with quotes where they need them.
"""

from __future__ import annotations

import io
from typing import Final

import pyarrow as pa
from pyarrow import csv

DELIMITERS: Final = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS: Final = ("LF", "CRLF")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class MalformedCsvError(ValueError):
    """What makes a CSV none; the message says what."""


def read(body: bytes, delimiter: str, line_ending: str) -> pa.Table:
    """All columns as text, no value null.

    Raises:
        MalformedCsvError: It is not as documented.
    """
    if body.startswith(_BYTE_ORDER_MARK):
        raise MalformedCsvError("the data begins with a byte order mark")
    header, newline, _ = body.partition(b"\n")
    if not header.strip():
        raise MalformedCsvError("the data has no header")
    if newline and header.endswith(b"\r") != (line_ending == "CRLF"):
        raise MalformedCsvError(f"LineEnding is invalid on user data. Current LineEnding setting is {line_ending}")
    names = _names(header, delimiter)
    if len(set(names)) < len(names):
        raise MalformedCsvError("Duplicate field name in the header")
    try:
        return csv.read_csv(
            pa.BufferReader(body),
            read_options=csv.ReadOptions(block_size=8 << 20, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=DELIMITERS[delimiter], newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise MalformedCsvError(str(error)) from None


def write(table: pa.Table, delimiter: str) -> bytes:
    """A header and the rows, every value in quotes."""
    sink = io.BytesIO()
    csv.write_csv(table, sink, csv.WriteOptions(delimiter=DELIMITERS[delimiter], quoting_style="all_valid"))
    return sink.getvalue()


def _names(header: bytes, delimiter: str) -> list[str]:
    try:
        text = header.decode()
    except UnicodeDecodeError:
        raise MalformedCsvError("the data is not UTF-8") from None
    return [name.strip().strip('"') for name in text.split(DELIMITERS[delimiter])]
