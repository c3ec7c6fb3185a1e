"""E-mail addresses as RFC 5322 has them without its obsolete forms, and so ASCII.

Quoted local parts (``"ann smith"@example.com``) and address literals (``ann@[192.0.2.1]``) are part of it.
Addresses at special-use domains (``example.com``, ``.test``, ``.local``) are accepted, because Customer.io
accepts them. Whether an address can be delivered to is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.checks._batch import broken, empty, text
from reverse_etl.checks.base import Finding, Rule

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
_VALID = rf"^{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9]*[A-Za-z])?$"
_VALID_BYTES = 64
"""At most so long, no part of an address can exceed its own limit."""

_POSSIBLE = r"^(?:[!-?A-~]+|\"[ -~]+\")@(?:[0-9A-Za-z.-]+\.[0-9A-Za-z-]*[A-Za-z]|\[[0-9A-Za-z.:]+\])$"
_SPECIAL_USE = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})


@dataclass(frozen=True, slots=True)
class EmailValid:
    """Columns, where they are there, whose values must be e-mail addresses; empty ones are not looked at."""

    rule: Rule
    checked: tuple[str, ...]

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with something else in it."""
        for name in self.checked:
            texts = text(batch, name)
            if texts is not None:
                wrong = pc.and_not(pc.invert(valid(texts)), empty(texts))
                yield from broken(batch, wrong, name, f"column `{name}` is not a valid e-mail address.")


def valid(texts: pa.StringArray) -> pa.BooleanArray:
    """Which texts are e-mail addresses; as long as the input, false for nulls.

    One pattern settles ordinary addresses, another what cannot be one; only the few between are parsed singly.
    """
    plain = pc.and_(pc.match_substring_regex(texts, _VALID), pc.less_equal(pc.binary_length(texts), _VALID_BYTES))
    plain = pc.fill_null(plain, False)
    undecided = pc.and_not(pc.fill_null(pc.match_substring_regex(texts, _POSSIBLE), False), plain)
    if not pc.any(undecided).as_py():
        return plain
    candidates = pc.unique(pc.filter(texts, undecided)).to_pylist()
    accepted = pa.array([address for address in candidates if parses(address)], pa.string())
    return pc.or_(plain, pc.and_(undecided, pc.is_in(texts, value_set=accepted)))


def parses(address: str) -> bool:
    """Whether email-validator takes an address that is ASCII without blanks around it, whatever the patterns say."""
    from email_validator import EmailNotValidError, validate_email

    domain, _, ending = address.rpartition(".")
    if ending.lower() in _SPECIAL_USE:
        # The library refuses these endings whatever its settings; the rest of the address is still its to judge.
        address = f"{domain}.{'x' * len(ending)}"
    try:
        validate_email(
            address,
            check_deliverability=False,
            allow_smtputf8=False,
            allow_quoted_local=True,
            allow_domain_literal=True,
        )
    except EmailNotValidError:
        return False
    return True
