"""E-mail addresses: the patterns and the library must agree, whichever of them decides."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.destinations.customerio.rules.emails import parses, valid

ACCEPTED = [
    "ann@example.com",
    "ann@mail.example.test",
    "ann@printer.local",
    "o'brien+news@sub.example.co.uk",
    "a@b.co",
    "x" * 64 + "@example.com",
    "ann@a--b.com",
    "ann@" + "d" * 63 + ".com",
    "ann@xn--bcher-kva.example",
    "x" * 60 + "@host.localhost",
    '"ann smith"@example.com',
    '"ann@work"@example.com',
    r'"say \"ann\" \\"@example.test',
    "ann@[127.0.0.1]",
    "ann@[IPv6:2001:db8::1]",
    '"ann smith"@[192.0.2.1]',
]
REFUSED = [
    "",
    "nobody",
    "@example.com",
    "ann@",
    "ann@@example.com",
    "ann@host",
    "ann@example..com",
    ".ann@example.com",
    "ann.@example.com",
    "a..b@example.com",
    "ann@-example.com",
    "ann@ab--cd.com",
    "ann@example.c-",
    "ann@127.0.0.1",
    "ann@[127.0.0.256]",
    "ann@[2001:db8::1]",
    "ann@[mail]",
    "ann@[127.0.0.1",
    "ann@[]",
    "ann smith@example.com",
    " ann@example.com",
    "ann@example.com\n",
    '""@example.com',
    '"ann"smith@example.com',
    '"ann"smith"@example.com',
    '"ann@example.com',
    '"ann\tsmith"@example.com',
    '"änn"@example.com',
    "Ann <ann@example.com>",
    "änn@example.com",
    "ann@exämple.com",
    "ann@" + "d" * 64 + ".com",
    "x" * 60 + "@" + "d.".join(["e" * 40] * 6) + ".com",
]


@pytest.mark.parametrize(
    ("address", "accepted"), [*((each, True) for each in ACCEPTED), *((each, False) for each in REFUSED)]
)
def test_addresses(address: str, accepted: bool) -> None:
    """Ordinary, unusual and impossible addresses."""
    assert valid(pa.array([address])).to_pylist() == [accepted]


def test_null_is_no_address() -> None:
    """The answer is false, never null."""
    assert valid(pa.array([None, "a@b.co"], pa.string())).to_pylist() == [False, True]


@settings(max_examples=300, deadline=None)
@given(
    st.from_regex(r"[a-z.'+\"-]{1,6}@[a-z0-9.-]{1,12}(\.com)?", fullmatch=True)
    | st.from_regex(r'"([ -~]|\\["\\]){0,6}"@([a-z]{1,3}\.com|\[[0-9.]{7,9}\]|\[IPv6:[0-9a-f:]{2,7}\])', fullmatch=True)
    | st.text(alphabet="ab.@-_ é1", max_size=12)
)
def test_the_library_agrees(address: str) -> None:
    """What a pattern settles, email-validator would have settled alike."""
    expected = address.isascii() and address == address.strip() and parses(address)
    assert valid(pa.array([address])).to_pylist() == [expected]
