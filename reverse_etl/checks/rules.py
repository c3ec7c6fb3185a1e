"""Which rules a sync has: those of its destination and the dictionary, then the checks it asks for, by stream.

Known from the sync's file alone, because Dagster declares what can stop a run before any row is read.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

from reverse_etl.checks.base import AnyRule, Gate, Rule, Severity
from reverse_etl.checks.builtin.contract import contract_rules
from reverse_etl.checks.builtin.plausible_times import NotIn1970, PastNotInFuture
from reverse_etl.checks.builtin.time_units import TimeUnitsEqual
from reverse_etl.checks.builtin.time_zones import TimeZonesEqual
from reverse_etl.config.streams import ROWS
from reverse_etl.plugins import load

if TYPE_CHECKING:
    from reverse_etl.config.syncs import OutgoingRows


def rules_for(rows: OutgoingRows) -> dict[str, list[AnyRule]]:
    """The sync's rules by the name of the stream, in the order of its streams.

    The order is the order of the results, and the first rule that a row breaks is its reason. A sync's own
    checks are about its rows; its gates count in every stream.
    """
    asked = [
        rule for config in rows.requested_checks for rule in load("reverse_etl.checks", config.check).rules(config)
    ]
    # A gate on a column is about the rows that have it.
    gates = [rule for rule in asked if isinstance(rule, Gate) and not rule.rule.columns]
    built_in = rows.rules()
    of_times = time_hygiene()
    return {
        stream.name: _distinct(
            [
                *built_in[stream.name],
                *of_times,
                *contract_rules(rows.contract_of(stream.name)),
                *(asked if stream.name == ROWS else gates),
            ]
        )
        for stream in rows.streams
    }


def time_hygiene() -> list[AnyRule]:
    """Warnings about times that hold for every destination; they keep no row back."""
    return [
        TimeUnitsEqual(_warn("mixed_time_units", "No column mixes seconds and milliseconds.")),
        TimeZonesEqual(_warn("mixed_time_zones", "No column mixes times with a zone and times without.")),
        NotIn1970(_warn("time_in_1970", "No column named like a time has one in 1970.")),
        PastNotInFuture(
            _warn("past_in_future", "No column such as `created_at` or `last_login_at` lies in the future.")
        ),
    ]


def _warn(name: str, description: str) -> Rule:
    return Rule(name, Severity.WARN, description)


def _distinct(rules: list[AnyRule]) -> list[AnyRule]:
    """The rules, a number added to a name that is already taken: one check may be asked for twice."""
    taken: set[str] = set()
    distinct: list[AnyRule] = []
    for each in rules:
        name, number = each.rule.name, 2
        while name in taken:
            name, number = f"{each.rule.name}_{number}", number + 1
        taken.add(name)
        distinct.append(each if name == each.rule.name else _renamed(each, name))
    return distinct


def _renamed(rule: AnyRule, name: str) -> AnyRule:
    return cast(AnyRule, dataclasses.replace(cast(Any, rule), rule=dataclasses.replace(rule.rule, name=name)))
