"""Accounts found by the domain of an e-mail address: exactly, in each way in which a website is written.

``Website LIKE '%acme.com%'`` would find notacme.com too. No account is guessed where several have the domain, and no
account is looked for by a domain at which anyone can have an address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations.base import KeptBack
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    from reverse_etl.destinations.salesforce.section import ByDomain

FREE_MAIL: Final = frozenset(
    {
        "aol.com", "fastmail.com", "free.fr", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de",
        "gmx.net", "googlemail.com", "hey.com", "hotmail.co.uk", "hotmail.com", "hotmail.fr", "icloud.com",
        "laposte.net", "libero.it", "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "naver.com",
        "orange.fr", "outlook.com", "outlook.de", "proton.me", "protonmail.com", "qq.com", "seznam.cz",
        "t-online.de", "web.de", "wp.pl", "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.de", "yahoo.fr",
        "yandex.com", "yandex.ru", "ymail.com", "zoho.com", "163.com",
    }
)  # fmt: skip
"""Providers of addresses for anyone; a sync adds its own."""

_FREE_MAIL: Final = Reason("free_mail_domain", "", "anyone can have an address of this domain.")
_NO_DOMAIN: Final = Reason("no_domain", "", "the address has no domain.")
_STARTS: Final = ("", "http://", "https://")
_HOSTS: Final = ("", "www.")
_ENDS: Final = ("", "/")


def domain_of(address: str) -> str:
    """The domain of an address, in lower case and ASCII; empty where it has none."""
    _, at, domain = address.strip().rpartition("@")
    domain = domain.strip().rstrip(".").lower()
    if not at or "." not in domain:
        return ""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def websites_of(domains: Iterable[str]) -> list[str]:
    """Each way in which a website with one of some domains is written."""
    return [
        f"{start}{host}{domain}{end}" for domain in domains for start in _STARTS for host in _HOSTS for end in _ENDS
    ]


def domain_of_website(website: str) -> str:
    """The domain of a website as ``websites_of`` writes it, in lower case."""
    written = website.strip().lower()
    host = urlsplit(written if "//" in written else f"//{written}").hostname or ""
    return host.removeprefix("www.")


def without_domain(batch: pa.RecordBatch, by_domain: ByDomain) -> list[KeptBack]:
    """The rows whose address says nothing about a company."""
    free = {*FREE_MAIL, *(each.lower() for each in by_domain.free_mail)}
    addresses = batch.column(batch.schema.get_field_index(by_domain.domain_of)).cast(pa.string()).fill_null("")
    domains = pa.array([domain_of(address) for address in addresses.to_pylist()], pa.string())
    kept = []
    for mask, outcome, why in (
        (pc.equal(domains, ""), Outcome.REJECTED, _NO_DOMAIN),
        (pc.is_in(domains, value_set=pa.array([*free])), Outcome.EXCLUDED, _FREE_MAIL),
    ):
        rows = batch.column(ROW_NUMBER).filter(mask)
        kept += [KeptBack(rows, outcome, why)] if len(rows) else []
    return kept
