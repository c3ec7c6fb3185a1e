"""The base of every mapping that people write in YAML: frozen, no unknown keys, all mistakes at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

_SYNONYMS: Final = {
    synonym: key
    for key, synonyms in {
        "tls": "ssl sslmode ssl_mode tls_mode encrypt encryption use_ssl use_tls",
        "ca_file": "ca cafile ca_cert ca_certificate sslrootcert ssl_ca root_cert certificate",
        "proxy": "http_proxy https_proxy proxies proxy_url trust_env",
        "user": "username user_name login uid",
        "password": "pass passwd pwd",
        "database": "dbname db db_name catalog",
        "host": "hostname server address endpoint",
        "path": "file filename file_path",
        "type": "engine adapter kind dialect driver",
        "query_timeout": "timeout statement_timeout max_execution_time",
        "ssh_tunnel": "tunnel ssh bastion",
        "timezone": "tz time_zone",
        "service_account_file": "keyfile key_file credentials credentials_file keyfile_path",
        "track_api_key": "api_key track_key",
        "app_api_key": "app_key bearer_token",
        "every": "interval frequency period",
        "start_at": "start starts_at start_time first_run",
        "query": "sql statement select",
        "write": "mode write_mode",
        "gone": "mirror when_gone on_delete",
        "gone_max": "limits guards max_deletes",
        "gone_scope": "scope",
        "adds_max": "max_creates max_adds",
        "updates_max": "max_updates",
        "workspace": "destination_workspace",
        "identify_by": "identifier primary_key key match_by",
        "allowed_values": "accepted_values enum one_of",
        "text": "string varchar str char uuid",
        "integer": "int bigint smallint long",
        "number": "float double decimal numeric real",
        "boolean": "bool bit",
        "timestamp": "datetime date_time timestamptz timestamp_tz time",
        "json": "object array struct variant jsonb map",
    }.items()
    for synonym in synonyms.split()
}
"""What other tools call our keys."""


Misfit = tuple[str | tuple[str | int, ...], str]
"""A key, or the path to a deeper one, and a sentence."""


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None."""
    words = {name.lower(): name for name in known}
    if word in words.values():
        return str(word)
    lowered = str(word).lower().replace("-", "_")
    if (meant := _SYNONYMS.get(lowered)) in words:
        return words[meant]
    near = difflib.get_close_matches(lowered, words, n=1)
    return words[near[0]] if near else None


class YamlModel(BaseModel):
    """A mapping with known keys. What depends on several keys goes into ``misfits``.

    Attributes:
        SET_BY_LOADER: Fields that are no keys of the file.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:  # noqa: ARG003 - for subclasses
        """Keys that do not go together.

        Args:
            given: The keys as written, misspelled ones as they were meant; values not validated yet.

        Yields:
            The key at fault (empty for the mapping as a whole), or the path to a deeper one, and a sentence.
        """
        yield from ()

    @classmethod
    def keys(cls) -> list[str]:
        """The keys that the file may have."""
        keys: list[str] = []
        for name, field in cls.model_fields.items():
            if name not in cls.SET_BY_LOADER:
                either = field.validation_alias
                keys += map(str, either.choices) if isinstance(either, AliasChoices) else [field.alias or name]
        return keys

    @classmethod
    def as_meant(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The mapping with misspelled keys under the name that was meant, so that one mistake is one problem."""
        known = {*cls.model_fields, *cls.keys()}
        meant = {key: value for key, value in given.items() if key in known}
        for key, value in given.items():
            if key not in known and (near := nearest(key, cls.keys())) is not None:
                meant.setdefault(near, value)
        return meant

    @model_validator(mode="wrap")
    @classmethod
    def _with_misfits(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        found = list(cls.misfits(cls.as_meant(value))) if isinstance(value, Mapping) else []
        # An after-validator would run only when every key is fine and so hide its finding behind the others.
        misfits = [
            InitErrorDetails(
                type=PydanticCustomError("misfit", "{text}", {"text": text}),
                loc=key if isinstance(key, tuple) else (key,) if key else (),
                input=None,
            )
            for key, text in found
        ]
        try:
            model = validate(value)
        except ValidationError as error:
            if not misfits:
                raise
            raise ValidationError.from_exception_data(
                error.title, [*map(_details, error.errors()), *misfits], hide_input=True
            ) from None
        if misfits:
            raise ValidationError.from_exception_data(cls.__name__, misfits, hide_input=True)
        return model


def _details(error: Any) -> InitErrorDetails:
    kind = PydanticCustomError(error["type"], "{text}", {"text": error["msg"], **error.get("ctx", {})})
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"])
