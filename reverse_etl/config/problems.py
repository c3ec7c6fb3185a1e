"""Everything that is wrong with the files, as lines for people: ``file:line: key: what is wrong``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import ValidationError

from reverse_etl.config.document import Document
from reverse_etl.config.model import YamlModel, nearest

Path = tuple[str | int, ...]

_QUOTED: Final = re.compile(r"'([^']*)'")
_SENTENCES: Final = {
    "missing": "is missing",
    "string_type": "must be text: put it in quotes",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "datetime_type": "must be a date and time",
    "datetime_parsing": "must be a date and time",
    "datetime_from_date_parsing": "must be a date and time",
    "date_type": "must be a date",
    "date_parsing": "must be a date",
    "date_from_datetime_parsing": "must be a date",
    "path_type": "must be a path: put it in quotes",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be keys and values",
    "mapping_type": "must be keys and values",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "too_short": "needs {min_length} or more",
    "too_long": "takes {max_length} at most",
}
_TEXT_AND_STRUCTURE: Final = (dict, list)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One line of the list. ``key`` is empty where no key is at fault.

    Attributes:
        about: The files that cannot be used because of it, where that is more or less than ``file``: a key of
            ``_defaults.yaml`` is one sync's problem, and two syncs in conflict are a problem of both. One that ends
            with ``/`` is a folder of which nothing is known.
    """

    file: str
    line: int
    key: str
    text: str
    about: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}"


def lines(problems: Iterable[Problem]) -> list[str]:
    """The problems as text, sorted by file and line, without repeats."""
    return [str(problem) for problem in sorted(set(problems))]


def did_you_mean(word: object, known: Iterable[str], *, otherwise: str = "") -> str:
    """The end of a sentence: ``; did you mean `postgres`?``, or what is known, or nothing."""
    names = list(known)
    near = nearest(word, names)
    if near is not None:
        return f"; did you mean `{near}`?"
    return f"; {otherwise}: {', '.join(names)}" if otherwise and names else ""


def key_text(path: Path) -> str:
    """A path as messages show it: without positions in lists, which the line number gives."""
    return ".".join(part for part in path if isinstance(part, str))


def problem_at(file: str, document: Document, path: Path, text: str) -> Problem:
    """A problem of one key. Where another file than ``file`` has it, it is reported there."""
    elsewhere = document.place.origin_of(path)
    line, key = document.place.line_of(path), key_text(path)
    return Problem(elsewhere or file, line, key, f"{text} (for {file})" if elsewhere else text, (file,))


def problem_in_text(file: str, document: Document, path: Path, line: int, text: str) -> Problem:
    """A problem of one line of a key's text, from 1; of the text as a whole where its lines are none of the file."""
    place = document.place.at(*path)
    if place is None:
        return problem_at(file, document, path, text)
    at = place.text_line + (line - 1 if place.block else 0)
    return Problem(place.file or file, at, key_text(path), text, (file,))


def model_problems(
    error: ValidationError, *, model: type[YamlModel], file: str, document: Document, under: Path = ()
) -> Iterator[Problem]:
    """What pydantic found, in plain words and at its lines. No value is repeated, unless it is one of few words.

    Args:
        error: From validating ``model``.
        model: For the keys that are known.
        file: As people are shown it.
        document: Where the values came from.
        under: The path of the model's mapping in the document.
    """
    found: dict[Path, list[str]] = {}
    details = error.errors(include_url=False)
    meant = {
        (*detail["loc"][:-1], nearest(detail["loc"][-1], _known_keys(model, detail["loc"][:-1])))
        for detail in details
        if detail["type"] == "extra_forbidden"
    }
    for detail in details:
        inner = detail["loc"]
        if detail["type"] == "missing" and inner in meant:
            continue
        path, of_union = _written(document, (*under, *inner), at_least=len(under), missing=detail["type"] == "missing")
        place = document.place.at(*path)
        if detail["type"] == "extra_forbidden" and place is not None and place.file:
            continue  # the key that names the file is unknown, too
        text = _sentence(detail, model, inner, path)
        if of_union and detail["type"] in ("missing", "extra_forbidden"):
            text = f"must be keys and values; known are: {', '.join(_known_keys(model, inner[:-1]))}"
        if text not in found.setdefault(path, []):
            found[path].append(text)
    for path, texts in found.items():
        # Each member of a union gives its own reason.
        yield problem_at(file, document, path, _together(texts))


def _written(document: Document, path: Path, *, at_least: int, missing: bool) -> tuple[Path, bool]:
    """The path without what pydantic adds for members of a union, and whether the key at its end is in one of them.

    A key that is missing has its own name at the end of the path.
    """
    length = len(path) - missing
    while length > at_least and document.place.at(*path[:length]) is None:
        length -= 1
    of_union = length < len(path) - 1
    if missing and not of_union:
        return path, False
    return (path[:length] if length > at_least else path), of_union


def _sentence(detail: Any, model: type[YamlModel], inner: Path, written: Path) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "misfit":
        return str(context["text"])
    if kind == "extra_forbidden":
        known = _known_keys(model, inner[:-1])
        return "unknown key" + did_you_mean(inner[-1], known, otherwise="known are")
    if isinstance(given, str) and "${" in given and kind not in ("value_error", "missing"):
        return "an environment variable cannot be used here"
    if kind in ("literal_error", "enum"):
        words = _QUOTED.findall(str(context["expected"]))
        near = did_you_mean(given, words) if isinstance(given, str) else ""
        return f"must be {_either(words)}{near}"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("model_type", "model_attributes_type", "dataclass_type"):
        known = _known_keys(model, inner)
        such_as = f", such as `{written[-1]}: {{{known[0]}: …}}`" if isinstance(given, str) and inner and known else ""
        state = "is empty" if given is None else f"must be keys and values{such_as}"
        return f"{state}; known are: {', '.join(known)}"
    if kind in ("string_type", "path_type") and (given is None or isinstance(given, _TEXT_AND_STRUCTURE)):
        return "is empty" if given is None else "must be text"
    if kind in _SENTENCES:
        return _SENTENCES[kind].format_map({name: _short(value) for name, value in context.items()})
    return str(detail["msg"]).replace("Input should", "must").replace("Value error, ", "")


def _together(texts: list[str]) -> str:
    if len(texts) > 1 and all(text.startswith("must be ") for text in texts):
        return f"must be {_either([text.removeprefix('must be ') for text in texts])}"
    return " or ".join(texts)


def _either(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _short(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _known_keys(model: type[YamlModel], path: Path) -> list[str]:
    """The keys of the mapping at a path within a model."""
    at: type[YamlModel] | None = model
    for part in path:
        if isinstance(part, str) and at is not None and part in at.model_fields:
            at = _model_in(at.model_fields[part].annotation)
    return at.keys() if at is not None else []


def _model_in(annotation: Any) -> type[YamlModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, YamlModel):
        return annotation
    if get_origin(annotation) in (Annotated, Union, UnionType, tuple, list):
        return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
    return None
