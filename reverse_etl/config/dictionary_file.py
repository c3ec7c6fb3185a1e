"""``dictionary.yaml`` and a sync's ``attributes`` as definitions. Syncs are checked against them in ``bound``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from reverse_etl.config.contracts import Subject, Term
from reverse_etl.config.definitions import Definition, DictionaryFile, EventDefinition, Mode, ObjectDefinition
from reverse_etl.config.document import Document
from reverse_etl.config.model import YamlModel
from reverse_etl.config.problems import Path, Problem, model_problems, problem_at

Model = TypeVar("Model", bound=YamlModel)

PEOPLE: Final[Subject] = ("attributes",)


@dataclass(slots=True)
class Dictionary:
    """What ``dictionary.yaml`` says.

    Attributes:
        file: As people are shown it; empty where there is none.
        contract: What becomes of what breaks it.
        terms: The names, by what they are names of; an event without attributes has an empty mapping.
        events: By name; ``objects`` by number.
        document: What was read; None where there is no file.
    """

    file: str = ""
    contract: Mode = "warn"
    terms: dict[Subject, dict[str, Term]] = field(default_factory=dict)
    events: dict[str, EventDefinition] = field(default_factory=dict)
    objects: dict[str, ObjectDefinition] = field(default_factory=dict)
    document: Document | None = None


def read_dictionary(document: Document, *, file: str, problems: list[Problem]) -> Dictionary:
    """Makes the definitions and adds what is wrong to ``problems``.

    Args:
        document: The file's values.
        file: Its name as people are shown it.
        problems: Grows.
    """
    reading = Reading(document, file, problems)
    found = Dictionary(file=file, document=document)
    maps = {name: document.values.get(name) for name in DictionaryFile.MAPS if name in document.values}
    rest = {key: value for key, value in document.values.items() if key not in maps}
    top = reading.model(DictionaryFile, rest, ())
    found.contract = top.contract if top is not None else "warn"
    if "attributes" in maps:
        found.terms[PEOPLE] = reading.terms(maps["attributes"], PEOPLE)
    for name, values in reading.entries(maps.get("events"), ("events",)):
        own = {key: value for key, value in values.items() if key != "attributes"}
        event = reading.model(EventDefinition, own, ("events", name))
        subject = ("events", name, "attributes")
        terms = reading.terms(values["attributes"], subject) if "attributes" in values else {}
        if event is not None:
            found.events[name], found.terms[subject] = event, terms
    for number, values in reading.entries(maps.get("objects"), ("objects",)):
        if not number.isdecimal() or number.startswith("0"):
            reading.problem(("objects", number), 'is no object type: they are numbers from 1 on, as in `"1"`')
        of = [key for key in ("attributes", "relationship_attributes") if key in values]
        own = {key: value for key, value in values.items() if key not in of}
        kind = reading.model(ObjectDefinition, own, ("objects", number))
        for key in of:
            found.terms["objects", number, key] = reading.terms(values[key], ("objects", number, key))
        if kind is not None:
            found.objects[number] = kind
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """One file with definitions in it."""

    document: Document
    file: str
    problems: list[Problem]

    def problem(self, path: Path, text: str) -> None:
        """Adds a problem of a key."""
        self.problems.append(problem_at(self.file, self.document, path, text))

    def terms(self, entries: Any, at: Path) -> dict[str, Term]:
        """The definitions at a place, each without problems of its own; the names that they refer to are among them."""
        found = {}
        for name, values in self.entries(entries, at):
            definition = self.model(Definition, values, (*at, name))
            if definition is not None:
                line = self.document.place.line_of((*at, name))
                found[name] = Term(name, definition, f"{self.file}:{line}")
        return found

    def entries(self, entries: Any, at: Path) -> list[tuple[str, dict[str, Any]]]:
        """The named entries of a mapping; a name alone is an entry without keys."""
        if entries is None:
            if self.document.place.at(*at) is not None:
                self.problem(at, "is empty")
            return []
        if not isinstance(entries, Mapping):
            self.problem(at, "must be names, each with its keys and values")
            return []
        found = []
        for name, values in entries.items():
            if values is not None and not isinstance(values, Mapping):
                self.problem((*at, name), f"must be keys and values, such as `{name}: {{type: text}}`")
            elif not name.strip():
                self.problem((*at, name), "a name is not empty")
            else:
                found.append((name, dict(values or {})))
        return found

    def model(self, model: type[Model], values: Mapping[str, Any], at: Path) -> Model | None:
        """The model, or None when there are problems."""
        try:
            return model.model_validate(values)
        except ValidationError as error:
            self.problems.extend(model_problems(error, model=model, file=self.file, document=self.document, under=at))
            return None
