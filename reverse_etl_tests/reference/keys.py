"""The keys of the YAML files, read from the JSON Schemas that the models give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from reverse_etl.config.shaping import ShapedModel
from reverse_etl_tests.schemas import connections_schema, dictionary_schema, sync_schema

NAME: Final = "NAME"
"""Stands for a name of the reader's own in a path."""

Schema = dict[str, Any]
Path = tuple[str, ...]

_WORDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "object": "keys of its own",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key that a file may have.

    Attributes:
        path: Its place: names of keys, with the name of a database, workspace or channel left out.
        takes: What its value may be, in words.
        default: The value when it is left out; empty when there is none.
        required: Whether it may not be left out.
        meaning: The model's description.
    """

    path: Path
    takes: str
    default: str
    required: bool
    meaning: str


def sync_keys() -> list[Key]:
    """The keys of a sync's file, but for those of its checks; what shapes rows stands after the query."""
    schema = sync_schema()
    shaping = ShapedModel.model_json_schema()["properties"]
    names = [name for name in schema["properties"] if name not in {"checks", *shaping}]
    after = names.index("query_file") + 1
    names[after:after] = shaping
    keys = {name: schema["properties"][name] for name in names}
    return list(_keys({**schema, "properties": keys}, schema["$defs"], ()))


def check_keys() -> dict[str, tuple[str, list[Key]]]:
    """The checks that a sync can ask for, each with its meaning and its keys."""
    schema = sync_schema()
    found = {}
    for item in schema["properties"]["checks"]["items"]["anyOf"]:
        (name,) = item["required"]
        check = item["properties"][name]
        found[name] = (check["description"], list(_keys(check["anyOf"][0], schema["$defs"], (name,))))
    return found


def database_keys() -> dict[str, list[Key]]:
    """The keys of each engine's entry under ``databases``."""
    return _by_type("databases")


def channel_keys() -> dict[str, list[Key]]:
    """The keys of each channel's entry under ``notify``."""
    return _by_type("notify")


def workspace_keys() -> list[Key]:
    """The keys of an entry under ``workspaces``."""
    schema = connections_schema()
    return list(_keys(schema["properties"]["workspaces"]["additionalProperties"], schema["$defs"], ()))


def destination_keys() -> dict[str, list[Key]]:
    """The keys of each kind's entry under ``destinations``."""
    return _by_type("destinations")


def retention_keys() -> list[Key]:
    """The keys of ``retention``."""
    schema = connections_schema()
    return list(_keys(schema["properties"]["retention"], schema["$defs"], ("retention",)))


def faulty_files_keys() -> list[Key]:
    """The key ``faulty_files``."""
    schema = connections_schema()
    return list(_keys({"properties": {"faulty_files": schema["properties"]["faulty_files"]}}, schema["$defs"], ()))


def monitoring_keys() -> list[Key]:
    """The keys of ``monitoring``."""
    schema = connections_schema()
    return list(_keys(schema["properties"]["monitoring"], schema["$defs"], ("monitoring",)))


def dictionary_keys() -> list[Key]:
    """The keys of ``dictionary.yaml``."""
    schema = dictionary_schema()
    return list(_keys(schema, schema["$defs"], ()))


def _by_type(section: str) -> dict[str, list[Key]]:
    schema = connections_schema()
    entries = schema["properties"][section]["additionalProperties"]["oneOf"]
    return {entry["properties"]["type"]["const"]: list(_keys(entry, schema["$defs"], ())) for entry in entries}


def _keys(schema: Schema, definitions: Schema, path: Path, shown: dict[str, Path] | None = None) -> Iterator[Key]:
    """The keys of a mapping and of those in it; what is under a name of the reader's own, where it stands first."""
    shown = {} if shown is None else shown
    required = schema.get("required", [])
    for name, found in schema["properties"].items():
        here = (*path, name)
        nested = _nested(found, definitions)
        named = None if nested else _named(found, definitions)
        meaning = found.get("description") or (nested or named or {}).get("description", "")
        default = "" if "default" not in found else _yaml(found["default"])
        if named is not None and (same := shown.get(repr(named))) is not None:
            meaning = f"{meaning} Keys as in `{'.'.join(same)}`.".strip()
            named = None
        yield Key(here, _takes(found, definitions), default, name in required, meaning)
        if nested is not None:
            yield from _keys(nested, definitions, here, shown)
        if named is not None:
            shown[repr(named)] = (*here, NAME)
            yield from _keys(named, definitions, (*here, NAME), shown)


def _nested(schema: Schema, definitions: Schema) -> Schema | None:
    """The mapping that a key takes, or each entry of its list, where that is a mapping."""
    for form in (schema, *schema.get("anyOf", [])):
        target: Schema = definitions[form["$ref"].rpartition("/")[2]] if "$ref" in form else form
        if "properties" in target:
            return target
        if target.get("type") == "array" and (found := _nested(target.get("items", {}), definitions)):
            return found
    return None


def _named(schema: Schema, definitions: Schema) -> Schema | None:
    """The mapping that each entry of a key is whose names are the reader's, as those of ``attributes``."""
    values = schema.get("additionalProperties")
    return _nested(values, definitions) if isinstance(values, dict) else None


def _takes(schema: Schema, definitions: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_takes(form, definitions) for form in schema["anyOf"]))
    if "$ref" in schema:
        return _takes(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "const" in schema:
        return f"`{_yaml(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{_yaml(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"a list: {_takes(schema.get('items', {'type': 'string'}), definitions)}"
    if schema.get("type") == "string" and (special := _special_text(schema)):
        return special
    words = _WORDS[schema["type"]] if "type" in schema else "a value"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    if low is not None and high is not None:
        return f"{words}, {low} to {high}"
    return f"{words}, {low} or more" if low else words


def _special_text(schema: Schema) -> str:
    pattern, form = str(schema.get("pattern", "")), str(schema.get("format", ""))
    if pattern.startswith(r"^\$\{"):
        return "`${NAME}`"
    if schema.get("examples") and pattern:
        return f"text such as {', '.join(f'`{example}`' for example in schema['examples'])}"
    if form in ("date", "date-time"):
        return form
    return "a path" if form == "path" else ""


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        said = ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items() if item not in (None, False))
        return f"{{{said}}}"
    return "" if value in (None, "", [], ()) else str(value)
