"""The built-in rules, read from what each kind of sync really has."""

from __future__ import annotations

from dataclasses import dataclass

from reverse_etl.checks.rules import rules_for
from reverse_etl.config.loader import load_project
from reverse_etl_tests.reference.examples import FOLDER


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """One rule: the name that failed rows have as reason, what it does, for what, and its sentence."""

    name: str
    severity: str
    kinds: str
    meaning: str


def builtin() -> list[BuiltIn]:
    """Every built-in rule that some sync of the example has, in the order of its first appearance."""
    found: dict[tuple[str, str], tuple[list[str], str]] = {}
    for sync in load_project(FOLDER).syncs.values():
        for query, rules in rules_for(sync.model_copy(update={"checks": ()})).items():
            for each in rules:
                kinds, _ = found.setdefault((each.rule.name, each.rule.severity.value), ([], each.rule.description))
                kind = sync.kind if query == "rows" else query
                if kind not in kinds:
                    kinds.append(kind)
    return [
        BuiltIn(name, severity, ", ".join(sorted(kinds)), meaning)
        for (name, severity), (kinds, meaning) in found.items()
    ]
