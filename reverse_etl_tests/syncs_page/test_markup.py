"""HTML from Python: what was written elsewhere is never markup."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reverse_etl.syncs_page.frame import prose
from reverse_etl.syncs_page.markup import element, html


def test_texts_and_attributes_are_escaped_and_markup_stays() -> None:
    """A quote does not end an attribute, and what was made here is not escaped twice."""
    made = element("p", "<b>", element("b", "&"), None, ["a", 1], title='"><script>', class_="", hidden=True, lang=None)
    assert '<p title="&quot;&gt;&lt;script&gt;" hidden>&lt;b&gt;<b>&amp;</b>a1</p>' == made
    assert '<input name="find" aria-label="x">' == element("input", name="find", aria_label="x")


@given(st.text())
def test_no_text_makes_an_element_or_turns_others(text: str) -> None:
    """Whatever it is, in a sentence or an attribute."""
    for made in (html(text), prose(text), element("i", title=text).removeprefix("<i ").removesuffix("></i>")):
        inner = made.replace("<code>", "").replace("</code>", "")
        assert not {"<", ">", "\u202e", "\u2066", "\x00", "\x1b"} & set(inner)


def test_what_is_in_backticks_is_set_apart() -> None:
    """A backtick alone stays."""
    assert "see <code>a &lt; b</code>." == prose("see `a < b`.")
    assert "a ` b" == prose("a ` b")
