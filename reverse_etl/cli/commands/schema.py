"""``reverse-etl schema``: JSON Schemas of the files in ``syncs/``, for completion and checks while typing."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

EXAMPLES: Final = ("schema --output .",)

TYPES: Final = "transform.d.ts"
"""Of a transform in JavaScript."""


class Kind(StrEnum):
    """Which file."""

    SYNC = "sync"
    CONNECTIONS = "connections"
    DICTIONARY = "dictionary"
    DEFAULTS = "defaults"


Which = Annotated[
    Kind,
    typer.Argument(metavar="KIND", help=f"Which file's schema to print: {', '.join(Kind)}.", show_choices=False),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help="Write all schemas, and the types of transforms, into this folder."),
]


def schema(which: Which = Kind.SYNC, output: Output = None) -> None:
    """Print the JSON Schema of one kind of file, or write those of all, and types for JavaScript.

    An editor with the YAML language server uses a schema when the first line of the file names it:
    `# yaml-language-server: $schema=sync.schema.json` (relative to the file). A transform in JavaScript has the types
    when its first line is `/// <reference path="transform.d.ts" />`.
    """
    import importlib.resources

    import orjson

    from reverse_etl.config.schema import connections_schema, defaults_schema, dictionary_schema, sync_schema
    from reverse_etl.errors import StateError

    schemas = {
        Kind.SYNC: sync_schema,
        Kind.CONNECTIONS: connections_schema,
        Kind.DICTIONARY: dictionary_schema,
        Kind.DEFAULTS: defaults_schema,
    }
    if output is None:
        print(orjson.dumps(schemas[which](), option=orjson.OPT_INDENT_2).decode())  # noqa: T201
        return
    pretty = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    files = {f"{kind}.schema.json": orjson.dumps(made(), option=pretty) for kind, made in schemas.items()}
    files[TYPES] = importlib.resources.files("reverse_etl.shaping").joinpath(TYPES).read_bytes()
    for name, content in files.items():
        path = output / name
        try:
            output.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise StateError(
                f"{path} cannot be written: {error.strerror}.", hint="Name a folder that is yours with --output."
            ) from None
        print(f"Wrote {path}", file=sys.stderr)  # noqa: T201
