"""JSON Schemas of the four kinds of file, for editors. What only all files together show is not in them.

The first line of a file names its schema: ``# yaml-language-server: $schema=sync.schema.json``.
"""

from __future__ import annotations

import inspect
import json
from copy import deepcopy
from datetime import timedelta
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from reverse_etl import plugins
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.connections import RetentionConfig
from reverse_etl.config.connections_file import CHANNELS, DESTINATIONS, SOURCES, workspace_kind
from reverse_etl.config.defaults import KEYS
from reverse_etl.config.definitions import DictionaryFile
from reverse_etl.config.environment import EnvText
from reverse_etl.config.intervals import format_interval
from reverse_etl.config.left_out import FaultyFiles
from reverse_etl.config.model import YamlModel
from reverse_etl.config.monitoring import MonitoringConfig
from reverse_etl.config.query_files import ONE_QUERY
from reverse_etl.config.sync_file import CHECKS
from reverse_etl.config.syncs import SyncConfig

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NAME_PATTERN: Final = "^[A-Za-z0-9_]+$"


def sync_schema() -> dict[str, Any]:
    """The schema of one sync's file."""
    checks: dict[str, type[CheckConfig]] = {}
    for name in plugins.names(CHECKS):
        config = getattr(plugins.load(CHECKS, name), "Config", None)
        if config is not None:
            checks[name] = config
    syncs: list[type[SyncConfig]] = [plugins.load(DESTINATIONS, name).Sync for name in plugins.names(DESTINATIONS)]
    schemas, definitions = _schemas([*syncs, *checks.values()])
    sync = schemas[syncs[0]]
    keys = {key: value for model in reversed(syncs) for key, value in schemas[model]["properties"].items()}
    keys["destination"] = keys["workspace"]
    when = {
        **definitions.pop("ScheduleConfig"),
        "oneOf": [{"anyOf": [{"required": ["every"]}, {"required": ["after"]}]}, {"required": ["cron"]}],
    }
    keys["schedule"] = {"anyOf": [{"const": "manual"}, when]}
    keys["checks"] = {
        "type": "array",
        "items": {"anyOf": [_check_schema(name, model, schemas[model]) for name, model in checks.items()]},
    }
    _name_alone(keys)
    sections = dict.fromkeys(name for model in syncs for name in model.model_fields if name in model.SECTIONS)
    # What one kind of destination needs, another does not have; what defaults may say, a file need not.
    needed = set.intersection(*(set(schemas[model]["required"]) for model in syncs)) - set(KEYS)
    named = [key for key in sync["required"] if key in needed]
    return {
        "$schema": _DIALECT,
        **sync,
        "title": "A sync",
        "properties": keys,
        "required": named,
        "oneOf": [{"required": [section]} for section in sections],
        "allOf": [ONE_QUERY],
        "$defs": definitions,
    }


def defaults_schema() -> dict[str, Any]:
    """The schema of ``_defaults.yaml``: keys of a sync, none of which must be there."""
    sync = sync_schema()
    keys = {key: value for key, value in sync["properties"].items() if key in KEYS}
    return {
        "$schema": _DIALECT,
        "title": "What syncs of a folder have in common",
        "type": "object",
        "additionalProperties": False,
        "properties": keys,
        "$defs": _referred(keys, sync["$defs"]),
    }


def _referred(schema: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions that a schema leads to, itself or by others of them."""
    found: dict[str, Any] = {}
    texts = [json.dumps(schema)]
    while texts:
        text = texts.pop()
        for name in sorted(definitions.keys() - found.keys()):
            if f'"#/$defs/{name}"' in text:
                found[name] = definitions[name]
                texts.append(json.dumps(definitions[name]))
    return found


def dictionary_schema() -> dict[str, Any]:
    """The schema of ``dictionary.yaml``."""
    schemas, definitions = _schemas([DictionaryFile])
    keys = schemas[DictionaryFile]["properties"]
    for properties in (keys, *(each["properties"] for each in definitions.values())):
        _name_alone(properties)
    keys["objects"]["propertyNames"] = {"pattern": "^[1-9][0-9]*$"}
    return {
        "$schema": _DIALECT,
        "title": "What names mean",
        "type": "object",
        "additionalProperties": False,
        "properties": keys,
        "$defs": definitions,
    }


def connections_schema() -> dict[str, Any]:
    """The schema of ``connections.yaml``."""
    engines = {name: plugins.load(SOURCES, name).Config for name in plugins.names(SOURCES)}
    channels = {name: plugins.load(CHANNELS, name).Config for name in plugins.names(CHANNELS)}
    kinds = {name: plugins.load(DESTINATIONS, name).Config for name in plugins.names(DESTINATIONS)}
    models = [RetentionConfig, MonitoringConfig, *engines.values(), *kinds.values(), *channels.values()]
    schemas, definitions = _schemas(models)
    workspace = deepcopy(schemas[kinds[workspace_kind()]])
    names = {"pattern": _NAME_PATTERN}
    return {
        "$schema": _DIALECT,
        "title": "What syncs share",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "databases": {
                "type": "object",
                "propertyNames": names,
                "additionalProperties": {"oneOf": _by_type(engines, schemas)},
            },
            "workspaces": {
                "type": "object",
                "propertyNames": names,
                "additionalProperties": workspace,
            },
            "destinations": {
                "type": "object",
                "propertyNames": names,
                "additionalProperties": {"oneOf": _by_type(kinds, schemas)},
            },
            "notify": {
                "type": "object",
                "propertyNames": names,
                "additionalProperties": {"oneOf": _by_type(channels, schemas)},
            },
            "retention": schemas[RetentionConfig],
            "monitoring": schemas[MonitoringConfig],
            "faulty_files": {
                "enum": list(FaultyFiles),
                "default": FaultyFiles.STOP.value,
                "description": "`stop`: a file with a problem stops every sync of the folder. "
                "`leave_out`: it leaves out its own sync, what runs after it, and what could do harm beside it.",
            },
        },
        "$defs": definitions,
    }


def _by_type(
    models: dict[str, type[YamlModel]], schemas: dict[type[YamlModel], dict[str, Any]]
) -> list[dict[str, Any]]:
    """The schema of each module's entries, distinguished by ``type``."""
    made = []
    for name, model in models.items():
        schema = schemas[model]
        schema["properties"]["type"] = {"const": name, "description": model.model_fields["type"].description}
        schema["required"] = sorted({"type", *schema.get("required", [])})
        made.append(schema)
    return made


def _name_alone(properties: dict[str, Any]) -> None:
    """Lets a definition be a name without keys."""
    for key in properties.values():
        if "$ref" in (entries := key.get("additionalProperties") or {}):
            key["additionalProperties"] = {"anyOf": [entries, {"const": None}]}


class _Generator(GenerateJsonSchema):
    """Says what an editor shows: no titles made of key names, no null beside a key that may be left out."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        made = super().default_schema(schema)
        default = schema.get("default")
        if default is None:
            made.pop("default", None)
        elif isinstance(default, timedelta):
            made["default"] = format_interval(default)
        elif isinstance(default, EnvText):
            made["default"] = default.template
        elif isinstance(default, float) and made.get("type") == "string":
            made["default"] = f"{default:g}%"
        return made


def _schemas(models: list[type[YamlModel]]) -> tuple[dict[type[YamlModel], dict[str, Any]], dict[str, Any]]:
    """Each model's keys, and the definitions that they refer to."""
    generator = _Generator(ref_template="#/$defs/{model}")
    mode: JsonSchemaMode = "validation"
    made, found = generator.generate_definitions([(model, mode, model.__pydantic_core_schema__) for model in models])
    definitions: dict[str, Any] = {name: _for_people(schema) for name, schema in found.items()}
    schemas = {}
    for model in models:
        schema = definitions.pop(made[model, mode].get("$ref", "").removeprefix("#/$defs/"), made[model, mode])
        keys = {name: key for name, key in schema["properties"].items() if name not in model.SET_BY_LOADER}
        required = [name for name in schema.get("required", []) if name not in model.SET_BY_LOADER]
        schemas[model] = {**_for_people(schema), "properties": keys, "required": required}
    definitions.pop(CheckConfig.__name__, None)
    # A type that several keys have is defined even where each of them says itself what it takes.
    text = json.dumps([[*schemas.values()], definitions])
    return schemas, {name: schema for name, schema in definitions.items() if f"#/$defs/{name}" in text}


def _for_people(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the first paragraph of its docstring as description, without its class's name."""
    text = schema.get("description", "").split("\n\n")[0].replace("``", "`")
    return {key: value for key, value in schema.items() if key != "title"} | ({"description": text} if text else {})


def _check_schema(name: str, model: type[CheckConfig], keys: dict[str, Any]) -> dict[str, Any]:
    """``{not_null: {column: plan}}``, with the bare value where the check has one, and severity beside it."""
    text = (inspect.getdoc(plugins.load(CHECKS, name)) or "").split("\n\n")[0].replace("``", "`")
    forms = [keys]
    if model.SHORT:
        forms.append({key: value for key, value in keys["properties"][model.SHORT].items() if key != "description"})
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name],
        "properties": {
            name: {"anyOf": forms, "description": text},
            "severity": keys["properties"]["severity"],
        },
    }
