"""No value of a row stays in a message that Customer.io wrote, however it is spelt there."""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.destinations.base import Refusal
from reverse_etl.destinations.customerio.masking import Masking, shortened
from reverse_etl.destinations.customerio.words import GRAMMAR, WORDS
from reverse_etl.report import Reason
from reverse_etl.sandbox.customerio.settings import SandboxSettings
from reverse_etl.sandbox.customerio.validation import Validator

COLUMNS = ("id", "email", "plan", "balance", "note", "list", "First Name", "2024")


def item(**attributes: object) -> bytes:
    """One person as it is sent."""
    operation = {
        "type": "person",
        "identifiers": {"id": "customer-42"},
        "action": "identify",
        "attributes": attributes,
    }
    return json.dumps(operation, separators=(",", ":"), ensure_ascii=False).encode()


ITEM = item(
    email="Ann@example.com",
    plan="pro",
    balance=1234567,
    note='a "b"\nc',
    list=["secret1"],
    status=" Deleted ",
    b="not set",
)


def masked_refusal(reason: str, field: str, message: str, *items: bytes) -> Reason:
    """A refusal of the first of some items, masked."""
    [refusal] = Masking(COLUMNS).refusals([Refusal(0, Reason(reason, field, message))], items or (ITEM,))
    return refusal.why


def masked(message: str, *items: bytes) -> str:
    """A message about the first of some items, masked."""
    return masked_refusal("", "", message, *items).message


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("ann@example.com is taken", "… is taken"),
        ("value 'pro' is not allowed", "value '…' is not allowed"),
        ("pro is not allowed", "… is not allowed"),
        (r"value \"pro\" is not allowed", r"value \"…\" is not allowed".replace("\\", "")),
        ("value “pro” is not allowed", 'value "…" is not allowed'),
        ("improper", "…"),
        ("value 1000 is not allowed", "value … is not allowed"),
        ("'1234567' is 1234567.", "'…' is …."),
        ("1.234567e+06, 1,234,567 or 1234567.0", "…, … or …"),
        ('"a \\"b\\" c" is wrong', '"…" is wrong'),
        ("\"email isn't 'closed", '"…"'),
        ("two\nlines\tand  no more", "… and no more"),
        ("attribute 'First Name' or \"2024\" is missing", "attribute 'First Name' or \"…\" is missing"),
        ("attributes.plan (email) is missing", "attributes.plan (email) is missing"),
        ("list.secret1 and attributes.list[secret1] are wrong", "list.… and attributes.list.… are wrong"),
        ("john.doe@exam… or delete... is wrong", "… or … is wrong"),
        ("status deleted is wrong, 'email' is not", "status … is wrong, 'email' is not"),
        ("the value not set cannot be used", "the value not … cannot be used"),
        ("J&#252;rgen &lt;b&gt; &amp; a%40b.com", "…"),
    ],
)
def test_what_is_known_stays_and_all_else_is_masked(message: str, expected: str) -> None:
    """Known are words of messages and names; a word that is a value of the request, and what is quoted, is not."""
    assert expected == masked(message)


@pytest.mark.parametrize(
    "message",
    [
        "id attribute must be present",
        "id attribute must be a string value",
        "cannot identify more than 300 attributes in one request",
        "value for attribute 'plan' cannot be longer than 1000 bytes",
        "property value cannot be longer than 1000 bytes",
        "event data cannot be longer than 100000 bytes",
        "event name must be less than 500 characters",
        "subscription_topic_id is required",
        "The specified Object Type does not exist.",
        "the request was refused with HTTP 400",
        "the answer was HTTP 207 without a reason; the row may have been applied",
        "refused without a message",
    ],
)
def test_documented_messages_are_whole(message: str) -> None:
    """As Customer.io's documentation has them, and those of our own for answers without one."""
    kept = Masking([*COLUMNS, "subscription_topic_id"]).refusals([Refusal(0, Reason("invalid", "", message))], [ITEM])
    assert [Refusal(0, Reason("invalid", "", message))] == kept


def _refused_items() -> list[dict[str, object]]:
    """Items for each refusal that the sandbox knows."""
    person = {"type": "person", "identifiers": {"id": "1"}, "action": "identify"}
    thing = {"type": "object", "identifiers": {"object_type_id": "1", "object_id": "x"}, "action": "identify"}
    event = person | {"action": "event", "name": "bought"}
    return [
        {},
        {"type": "thing"},
        person | {"attributes": []},
        person | {"attributes": {"a": 1} | {f"a{n}": n for n in range(300)}},
        person | {"attributes": {"plan": "x" * 1001, "x" * 151: 1, "": 2, "id": 5}, "timestamp": "x"},
        person | {"identifiers": {}},
        person | {"identifiers": {"id": "1", "email": "x"}},
        person | {"identifiers": {"id": ""}},
        person | {"identifiers": {"id": "x" * 151}},
        person | {"action": "nothing"},
        {"type": "person", "identifiers": {"id": "1"}},
        person | {"action": "add_device"},
        person | {"action": "add_relationships"},
        person | {"action": "add_relationships", "cio_relationships": [1]},
        event | {"name": " ", "id": "x", "timestamp": -1, "attributes": 5},
        event | {"name": "x" * 101},
        thing | {"identifiers": {}},
        thing | {"identifiers": {"object_id": "x"}},
        thing | {"identifiers": {"object_type_id": "x", "object_id": 5}},
        thing | {"identifiers": {"object_type_id": "99", "object_id": "x"}},
    ]


def test_the_sandboxs_messages_are_whole() -> None:
    """Each reason, field and message that it may answer with."""
    validator = Validator(SandboxSettings(unknown_object_type="error"))
    problems = [problem for item in _refused_items() for problem in validator.problems(item, 2_000)]
    problems += validator.problems({}, 100_000) + validator.problems([], 1)
    said = [Refusal(0, Reason(problem.reason, problem.field, problem.message)) for problem in problems]
    assert len({refusal.why.message for refusal in said}) > 20
    assert said == Masking(COLUMNS).refusals(said, [b"{}"])


def test_long_messages_are_cut() -> None:
    """300 characters, the last of which says that there was more; other types are no message."""
    assert 300 == len(shortened("x" * 301))
    assert "x" * 300 == shortened("x" * 300)
    assert "" == shortened({"a": 1})
    assert ("not allowed " * 25)[:299] + "…" == masked("not allowed " * 1_000)
    # A word that is cut is not shown: it may be the beginning of a value.
    assert "… not …" == masked("x" * 1_991 + " not valued" + "x" * 500)


@pytest.mark.parametrize(
    ("reason", "field", "expected"),
    [
        ("invalid", "email", ("invalid", "email")),
        ("invalid", "attributes.plan", ("invalid", "attributes.plan")),
        ("missing_value", "attributes.First Name", ("missing_value", "attributes.First Name")),
        ("required", "cio_relationships[0].identifiers.id", ("required", "cio_relationships[0].identifiers.id")),
        ("Ann@example.com is taken", "x", ("… is taken", "…")),
        ("pro", "ann@example.com", ("…", "…")),
        ("deleted", "list.secret1", ("…", "list.…")),
        ("required", "identifiers.customer-42", ("required", "identifiers.…")),
        ("value_1234567", "attributes.2024", ("…", "attributes.…")),
    ],
)
def test_reason_and_field_are_masked_as_the_message_is(reason: str, field: str, expected: tuple[str, str]) -> None:
    """Customer.io's codes and the names of columns stay."""
    assert (*expected, "…") == masked_refusal(reason, field, "secret1")


def test_a_value_that_reads_like_a_word_of_the_api_hides_no_reason() -> None:
    """Whoever has a plan `invalid` still sees why the row was refused, and in which field."""
    assert ("invalid", "email", "…") == masked_refusal(
        "invalid", "email", "invalid email", item(a="invalid", b="email")
    )


def test_names_inside_a_json_value_are_the_rows() -> None:
    """A JSON column's keys are content, whatever column names are."""
    content = item(list={"bob": {"deep": [1]}})
    assert ("…", "list.…", "… of list") == masked_refusal("bob", "list.bob", "bob of list", content)


def test_values_of_other_rows_of_the_request_are_masked() -> None:
    """A word that another row has as a value, in another case, in blanks or in a list; names and types are none."""
    others = [item(email="BLANK"), item(list=["x", "\tmissing\n"]), item(person="person expected")]
    assert "… or …: person, email" == masked("blank or missing: person, email", item(), *others)
    assert "… found" == masked("person expected found", item(), *others)


def test_each_refusal_keeps_its_place() -> None:
    """Refusals in the same words or in other ones, and what the columns are is known from then on."""
    masking = Masking()
    said = [Refusal(place, Reason("invalid", "vip", f"'c{place % 3}' is no vip")) for place in range(5)]
    assert [Refusal(place, Reason("invalid", "…", "'…' is no …")) for place in range(5)] == masking.refusals(
        said, [ITEM] * 5
    )
    masking.add_columns(["vip"])
    assert [Refusal(place, Reason("invalid", "vip", "'…' is no vip")) for place in range(5)] == masking.refusals(
        said, [ITEM] * 5
    )


SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.lower,
    str.title,
    str.strip,
    str.casefold,
    repr,
    quote,
    quote_plus,
    html.escape,
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(json.dumps(text)),
    lambda text: json.dumps(text)[1:-1],
    lambda text: "".join(f"\\u{ord(c):04x}" if c in "<>&'+" else c for c in text),
    lambda text: text.replace("/", "\\/"),
    lambda text: "".join(f"&#{ord(c)};" if not c.isalnum() else c for c in text),
    lambda text: "".join(f"&#x{ord(c):x};" for c in text),
    *(lambda text, form=form: unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")),
    lambda text: f"{text[:8]}…",
    lambda text: f"{text[:5]}...",
    lambda text: text[:6],
    lambda text: text[:-1],
)
"""How a destination may repeat a text."""

FRAMES = (
    "{} is wrong",
    "value '{}' is wrong",
    'not "{}"',
    r"\"{}\": not allowed",
    "({})",
    "email={} x",
    "a `{}`, b",
    "{}",
)

NUMBERS: tuple[Callable[[float], str], ...] = (
    str,
    "{:e}".format,
    "{:g}".format,
    "{:,}".format,
    "{:_}".format,
    "{:.1f}".format,
    "{:+}".format,
    "{:%}".format,
    lambda number: f"{number:,}".replace(",", " "),
    lambda number: hex(int(number)),
)
"""How it may repeat a number."""


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(SPELLINGS),
    st.sampled_from(FRAMES),
    st.booleans(),
)
def test_no_spelling_of_a_text_is_shown(text: str, spell: Callable[[str], str], frame: str, of_another: bool) -> None:
    """Whichever row of the request has it: nothing of it is left in reason, field or message."""
    value = f" Zq{text}Zq "
    said = frame.format(spell(value))
    items = [item(), item(x=value)] if of_another else [item(x=value)]
    shown = "\n".join(masked_refusal(said, said, said, *items)).casefold()
    assert "zq" not in shown
    pieces = {piece.strip("\"'`()[]{}<>.,:;!?…") for piece in shown.split()}
    assert pieces <= {word.casefold() for word in WORDS} | {""}


@given(st.integers(10, 10**18) | st.floats(10, 1e18), st.sampled_from(NUMBERS), st.sampled_from(FRAMES))
def test_no_notation_of_a_number_is_shown(number: float, spell: Callable[[float], str], frame: str) -> None:
    """Digits are not shown but in the API's own limits."""
    said = frame.format(spell(number))
    assert not any(c.isdigit() for c in "".join(masked_refusal(said, said, said, item(x=number))))


words = st.lists(st.sampled_from(sorted({word.lower() for word in WORDS} - GRAMMAR)), min_size=1, max_size=3)


@settings(deadline=None)
@given(words, words, words, st.booleans())
def test_a_value_of_nothing_but_known_words_is_not_shown(
    value: list[str], before: list[str], after: list[str], upper: bool
) -> None:
    """The list of words is no way around: a row's `past due` is masked."""
    text = " ".join(value)
    shown = masked(" ".join([*before, *value, *after]), item(x=text.upper() if upper else text))
    assert f" {text.lower()} " not in f" {shown.lower()} "
