"""Domains of addresses, and the websites with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse_etl.destinations.salesforce.domains import domain_of, domain_of_website, websites_of


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ann@Acme.com", "acme.com"),
        (" ann@acme.com. ", "acme.com"),
        ('"a@b"@acme.com', "acme.com"),
        ("ann@bücher.example", "xn--bcher-kva.example"),
        ("ann@localhost", ""),
        ("acme.com", ""),
        ("ann@", ""),
        ("ann@a..b", ""),
    ],
)
def test_a_domain_is_what_follows_the_last_at(address: str, domain: str) -> None:
    """In lower case and ASCII; what has none has none."""
    assert domain == domain_of(address)


@given(
    st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z]{2,5}){1,2}", fullmatch=True).filter(lambda d: not d.startswith("www"))
)
def test_each_way_of_writing_a_website_leads_back(domain: str) -> None:
    """In any case, and to no other domain."""
    websites = websites_of([domain])
    assert 12 == len({*websites})
    assert {domain} == {domain_of_website(website.upper()) for website in websites}
    assert domain != domain_of_website(f"not{domain}")
