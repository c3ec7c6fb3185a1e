"""The dictionary's contract: columns are those that it names, of its types, and hold what it allows.

Columns break ``contract`` as a whole, whatever their rows hold; rows break ``contract_values``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER, numbers_where
from reverse_etl.checks import accepted_values
from reverse_etl.checks._batch import columns, empty, text
from reverse_etl.checks.base import BatchRule, ColumnFinding, Finding, Rule, Severity
from reverse_etl.config.contracts import quoted
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    from reverse_etl.checks.base import AnyRule
    from reverse_etl.config.contracts import Contract, Term

_TAKES: Final = {
    # Whole numbers are numbers; Unix seconds are times.
    "number": ("number", "integer"),
    "timestamp": ("timestamp", "integer", "number"),
}
_CASTS: Final = {"text": "text", "integer": "integer", "number": "number", "boolean": "boolean", "date": "date"}


def contract_rules(contract: Contract | None) -> list[AnyRule]:
    """The rules of a stream's contract; none without one."""
    if contract is None:
        return []
    columns_severity, values_severity = (
        (Severity.STOP, Severity.REJECT) if contract.enforce else (Severity.WARN, Severity.WARN)
    )
    rule = Rule(
        "contract",
        columns_severity,
        "Columns are those of the dictionary and of its types; `contract: enforce` stops the run.",
    )
    found: list[AnyRule] = [ContractColumns(rule, contract)]
    of_values = Rule(
        "contract_values",
        values_severity,
        "Rows have what the dictionary requires and allows; `contract: enforce` rejects the others.",
    )
    limited = tuple(
        (term, _allowed(term))
        for term in contract.terms.values()
        if term.definition.required or term.definition.allowed_values
    )
    return [*found, ContractValues(of_values, limited)] if limited else found


@dataclass(frozen=True, slots=True)
class ContractColumns:
    """The columns of a stream are as its contract has them."""

    rule: Rule
    contract: Contract

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[ColumnFinding]:  # noqa: ARG002
        """Columns that are not declared, are missing, have another name, or another type in this batch.

        The message of the first is about all of them, because it is what stops a run.
        """
        found = list(self._broken(batch))
        if found:
            together = "; ".join(each.message.removesuffix(".") for each in found)
            yield ColumnFinding(found[0].field, f"{together}.")
            yield from found[1:]

    def _broken(self, batch: pa.RecordBatch) -> Iterator[ColumnFinding]:
        terms = self.contract.terms
        names = [name for name, _, _ in columns(batch)]
        unknown, renamed = self.contract.undeclared(names)
        for name, meant in renamed.items():
            yield ColumnFinding(name, f"column `{name}` is called `{meant}` in {terms[meant].at}: rename it.")
        if unknown:
            them, are = ("it", "is") if len(unknown) == 1 else ("them", "are")
            what = "column" if len(unknown) == 1 else "columns"
            where = self.contract.declared_in
            message = f"{what} {quoted(unknown)} {are} not in the dictionary: declare {them} under {where}."
            yield ColumnFinding(unknown[0], message)
        for term in self.contract.missing(names):
            if term.name not in renamed.values():
                message = f"there is no column `{term.name}`, which {term.at} declares: select it."
                yield ColumnFinding(term.name, message)
        for name, column, field in columns(batch):
            if name in terms and (message := _mistyped(terms[name], column, field)):
                yield ColumnFinding(name, message)


@dataclass(frozen=True, slots=True)
class ContractValues:
    """Required columns have a value in every row, and none that is not allowed.

    Attributes:
        limited: The names with such limits, each with the rule of its allowed values where it has some.
    """

    rule: Rule
    limited: tuple[tuple[Term, BatchRule | None], ...]

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:
        """Rows without a value, and with another one."""
        for term, allowed in self.limited:
            texts = text(batch, term.name)
            if texts is None:
                continue
            missing = empty(texts)
            if term.definition.required and len(rows := numbers_where(batch, missing)):
                yield Finding(rows, term.name, f"column `{term.name}` is empty, and {term.at} requires it.")
            if allowed is not None:
                there = batch.select([term.name, ROW_NUMBER]).filter(pc.invert(missing))
                message = f"column `{term.name}` holds a value that {term.at} does not allow."
                yield from _with(allowed.findings(there, started_at), message)


def _with(findings: Iterable[Finding | ColumnFinding], message: str) -> Iterator[Finding]:
    for finding in findings:
        if isinstance(finding, Finding):
            yield Finding(finding.rows, finding.field, message)


def _allowed(term: Term) -> BatchRule | None:
    values = term.definition.allowed_values
    if not values:
        return None
    (found,) = accepted_values.rules(accepted_values.Config(column=term.name, values=values))
    return found if isinstance(found, BatchRule) else None


def _mistyped(term: Term, column: pa.Array, field: pa.Field) -> str:
    """A sentence where a column with values is of another type than its definition's; empty otherwise."""
    wanted = term.definition.type
    if wanted is None or column.null_count == len(column):
        return ""
    found = _type(field)
    if found in _TAKES.get(wanted, (wanted,)) or (wanted == "integer" and _is_whole(column, field)):
        return ""
    way_out = f"make it one, with `as: {wanted}` under columns or a CAST in the query" if wanted in _CASTS else ""
    way_out = way_out or "convert it in the query"
    return f"column `{term.name}` is {found}, and {term.at} says {wanted}: {way_out}, or correct the type there."


def _type(field: pa.Field) -> str:
    """A canonical type in the dictionary's words."""
    kind, logical = field.type, logical_type(field)
    if logical == "json":
        return "json"
    if logical == "decimal" or pa.types.is_floating(kind):
        return "number"
    for word, is_type in (
        ("boolean", pa.types.is_boolean),
        ("integer", pa.types.is_integer),
        ("text", pa.types.is_string),
        ("timestamp", pa.types.is_timestamp),
        ("date", pa.types.is_date),
    ):
        if is_type(kind):
            return word
    return "binary" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else str(kind)


def _is_whole(column: pa.Array, field: pa.Field) -> bool:
    """Whether decimals have no fraction: what engines call NUMERIC(38, 0)."""
    if logical_type(field) != "decimal":
        return False
    return not pc.any(pc.match_substring_regex(column, "[.eEn]")).as_py()
