"""The part of JSON Schema 2020-12 that the shipped schemas use. A keyword that is not known here is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
ANNOTATIONS = {"description", "default", "examples", "title", "$schema", "$defs", "format"}


def errors(schema: dict[str, Any], value: Any, root: dict[str, Any] | None = None) -> list[str]:
    """Why a value does not fit; empty when it does."""
    return list(_errors(schema, value, root or schema, ""))


def _errors(schema: dict[str, Any], value: Any, root: dict[str, Any], at: str) -> Iterator[str]:
    for keyword, wanted in schema.items():
        if keyword in ANNOTATIONS:
            continue
        if keyword == "$ref":
            yield from _errors(root["$defs"][wanted.removeprefix("#/$defs/")], value, root, at)
        elif keyword == "allOf":
            for form in wanted:
                yield from _errors(form, value, root, at)
        elif keyword in ("anyOf", "oneOf"):
            fitting = sum(not list(_errors(form, value, root, at)) for form in wanted)
            if fitting == 0 or (keyword == "oneOf" and fitting > 1):
                yield f"{at}: fits {fitting} of {keyword}"
        elif keyword in ("properties", "patternProperties", "additionalProperties", "propertyNames", "required"):
            if isinstance(value, dict):
                yield from _of_object(keyword, schema, value, root, at)
        elif keyword == "items":
            for index, item in enumerate(value if isinstance(value, list) else []):
                yield from _errors(wanted, item, root, f"{at}[{index}]")
        elif not _fits(keyword, wanted, value):
            yield f"{at}: {keyword} {wanted}"


def _of_object(
    keyword: str, schema: dict[str, Any], value: dict[str, Any], root: dict[str, Any], at: str
) -> Iterator[str]:
    wanted, known, patterns = schema[keyword], schema.get("properties", {}), schema.get("patternProperties", {})
    if keyword == "required":
        yield from (f"{at}: lacks {name}" for name in wanted if name not in value)
    for name, inner in value.items():
        if keyword == "properties" and name in known:
            yield from _errors(known[name], inner, root, f"{at}.{name}")
        elif keyword == "propertyNames":
            yield from _errors(wanted, name, root, f"{at}.{name}")
        elif keyword == "patternProperties":
            for pattern in (each for each in patterns if re.search(each, name)):
                yield from _errors(wanted[pattern], inner, root, f"{at}.{name}")
        elif keyword == "additionalProperties" and not (name in known or any(re.search(p, name) for p in patterns)):
            if wanted is False:
                yield f"{at}.{name}: unknown"
            else:
                yield from _errors(wanted, inner, root, f"{at}.{name}")


def _fits(keyword: str, wanted: Any, value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match keyword:
        case "type":
            return isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
        case "const":
            return bool(value == wanted)
        case "enum":
            return value in wanted
        case "pattern":
            return not isinstance(value, str) or re.search(wanted, value) is not None
        case "minLength":
            return not isinstance(value, str) or len(value) >= wanted
        case "minItems":
            return not isinstance(value, list) or len(value) >= wanted
        case "minimum":
            return not number or value >= wanted
        case "maximum":
            return not number or value <= wanted
        case "exclusiveMinimum":
            return not number or value > wanted
        case _:
            raise AssertionError(f"unknown keyword {keyword}")
