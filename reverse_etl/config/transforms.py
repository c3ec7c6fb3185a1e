"""A sync's ``transform``: a file with a function of a row, read and looked at without calling it.

How it is called is ``shaping.transform``.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from reverse_etl.config.connections import FOLDER

Language = Literal["python", "javascript"]

LANGUAGES: Final[dict[str, Language]] = {".py": "python", ".js": "javascript"}
BY_ROW: Final = "transform"
BY_BATCH: Final = "transform_batch"

_LINE: Final = re.compile(r"<(?:input|eval)>:(\d+)")
_CHECK_S: Final = 1
_CHECK_BYTES: Final = 64 * 1024 * 1024
_LONGEST: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Transform:
    """A function of a row.

    Attributes:
        file: Its file, as it is written in the sync.
        language: What it is written in.
        source: The file's text.
        by_batch: Whether it takes many rows at once.
    """

    file: str
    language: Language
    source: str
    by_batch: bool = False


def read_transform(written: Any, folder: Path) -> Transform:
    """Reads the file and makes sure that it has the function.

    Args:
        written: The value of ``transform``.
        folder: That of the sync's file.

    Raises:
        ValueError: There is none, with a sentence as what follows the key.
    """
    if not isinstance(written, str) or not written.strip():
        raise ValueError("must be the path of a .py or .js file, relative to this file")
    path = folder / written
    language = LANGUAGES.get(path.suffix.lower())
    if language is None:
        raise ValueError("must be a .py or .js file")
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{written} is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"{written} cannot be read: {error.strerror}") from None
    if len(source) > _LONGEST:
        raise ValueError(f"{written} is larger than 1 MB")
    if language == "python":
        return Transform(written, language, source, by_batch=_is_python_by_batch(written, source))
    _look_at_javascript(written, source)
    return Transform(written, language, source)


def _is_python_by_batch(file: str, source: str) -> bool:
    """Whether the function takes many rows at once. Raises ValueError where there is none."""
    try:
        tree = ast.parse(source, filename=file)
        compile(tree, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ValueError(f"{file}:{line}: cannot be read as Python: {getattr(error, 'msg', 'null bytes')}") from None
    names: dict[str, ast.stmt] = {}
    for statement in tree.body:
        names |= dict.fromkeys(_names(statement), statement)
    wanted = [name for name in (BY_ROW, BY_BATCH) if name in names]
    if len(wanted) != 1:
        has = f"has both {BY_ROW} and {BY_BATCH}: keep one of them" if wanted else f"has no function {BY_ROW}(row)"
        raise ValueError(f"{file}: {has}")
    found = names[wanted[0]]
    if isinstance(found, ast.AsyncFunctionDef):
        raise ValueError(f"{file}:{found.lineno}: {wanted[0]} must be a plain function")  # noqa: TRY004 - of the text
    if isinstance(found, ast.FunctionDef) and not _takes_one(found.args):
        raise ValueError(f"{file}:{found.lineno}: {wanted[0]} must take one argument")
    return wanted[0] == BY_BATCH


def _names(statement: ast.stmt) -> list[str]:
    """What a statement at the top of a module names."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in statement.names]
    return []


def _takes_one(arguments: ast.arguments) -> bool:
    positional = [*arguments.posonlyargs, *arguments.args]
    needed = len(positional) - len(arguments.defaults)
    keywords = [default for default in arguments.kw_defaults if default is None]
    return needed <= 1 and bool(positional or arguments.vararg) and not keywords


def _look_at_javascript(file: str, source: str) -> None:
    try:
        import quickjs
    except ImportError:
        hint = 'Run: pip install "reverse-etl[javascript]"'
        raise ValueError(f"{file}: the package quickjs-ng is not installed. {hint}") from None
    context = quickjs.Context()
    context.set_memory_limit(_CHECK_BYTES)
    context.set_time_limit(_CHECK_S)
    try:
        context.eval(source)
        kind = context.eval(f"typeof {BY_ROW}")
    except quickjs.JSException as error:
        line = _LINE.search(str(error))
        what = str(error).partition("\n")[0]
        # What a program throws may hold anything; what the reader of its text says does not.
        said = what if what.startswith("SyntaxError") else what.partition(":")[0]
        raise ValueError(f"{file}:{line.group(1) if line else 1}: cannot be read as JavaScript: {said}") from None
    if kind != "function":
        raise ValueError(f"{file}: has no function {BY_ROW}(row)")


def _read(written: Any, info: ValidationInfo) -> Transform:
    if isinstance(written, Transform):
        return written
    return read_transform(written, (info.context or {}).get(FOLDER) or Path.cwd())


TransformBesideFile = Annotated[Transform, BeforeValidator(_read), WithJsonSchema({"type": "string"})]
"""A pydantic field whose value in the file is a path."""
