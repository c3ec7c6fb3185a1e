"""Values that come from the environment. They are resolved when a run needs them, never when a file is read."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from reverse_etl.errors import UnsetVariableError

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE: Final = re.compile(rf"\$\{{({_NAME})(?::-([^}}]*))?\}}", re.ASCII)
_ONE_VARIABLE: Final = re.compile(rf"\$\{{({_NAME})\}}", re.ASCII)

_NO_LITERAL: Final = (
    "a secret is never written in a file, not as a default either: write ${NAME} and set NAME in the environment"
)


class PlacedText(str):
    """Text that remembers the file and line it was read from."""

    __slots__ = ("file", "line")

    file: str
    line: int

    def __new__(cls, text: str, file: str, line: int) -> Self:
        """Makes the text; ``line`` counts from 1."""
        placed = super().__new__(cls, text)
        placed.file = file
        placed.line = line
        return placed

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, int]]:
        return type(self), (str(self), self.file, self.line)


@dataclass(frozen=True, slots=True)
class EnvText:
    """Text that may contain ``${NAME}`` or ``${NAME:-default}``.

    Attributes:
        template: The text as written; the only thing that is ever shown.
        file: Where it was written; empty for values made in code.
        line: From 1; 0 for values made in code.

    Raises:
        ValueError: The template is malformed. The message does not repeat it.
    """

    json_pattern: ClassVar[str] = ""

    template: str
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not self.template.strip():
            raise ValueError("must not be empty")
        if "${" in _VARIABLE.sub("", self.template):
            raise ValueError("a variable is written ${NAME} or ${NAME:-default}; NAME has letters, digits and _")

    def resolve(self) -> str:
        """The text with every variable replaced by its value. A default also stands in for an empty value.

        Line ends at the end of a value are left out: a mounted file has one, a password never does.

        Raises:
            UnsetVariableError: A variable without a default is unset or empty.
        """
        return _VARIABLE.sub(self._value, self.template)

    def _value(self, variable: re.Match[str]) -> str:
        name, default = variable[1], variable[2]
        value = os.environ.get(name, "").rstrip("\r\n") or default
        if value is None:
            place = f" ({self.file}:{self.line})" if self.file else ""
            state = "empty" if name in os.environ else "not set"
            raise UnsetVariableError(
                f"the environment variable {name} is {state}{place}.", hint=f"Set {name} in the environment."
            )
        return value

    def __str__(self) -> str:
        return self.template

    @classmethod
    def _not_text(cls, value: object) -> str:
        return "must be text: put it in quotes" if isinstance(value, (int, float)) else "must be text"

    @classmethod
    def _read(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, PlacedText):
            return cls(str(value), value.file, value.line)
        if isinstance(value, str):
            return cls(value)
        raise ValueError(cls._not_text(value))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Takes text from YAML or a ready value from code; is serialised as its template."""
        return core_schema.no_info_plain_validator_function(
            cls._read, serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.template)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Text, with a pattern where one is set."""
        return {"type": "string", "minLength": 1} | ({"pattern": cls.json_pattern} if cls.json_pattern else {})


@dataclass(frozen=True, slots=True)
class Secret(EnvText):
    """Exactly one ``${NAME}``: a secret is never written in a file, so there are no literals and no defaults."""

    json_pattern: ClassVar[str] = rf"^\$\{{{_NAME}\}}$"

    def __post_init__(self) -> None:
        if _ONE_VARIABLE.fullmatch(self.template) is None:
            raise ValueError(_NO_LITERAL)

    @classmethod
    def _not_text(cls, value: object) -> str:
        return "is empty" if value is None else _NO_LITERAL
