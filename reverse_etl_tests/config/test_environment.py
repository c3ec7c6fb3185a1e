from __future__ import annotations

import pickle

import pytest
from pydantic import BaseModel, ValidationError

from reverse_etl.config.environment import EnvText, PlacedText, Secret
from reverse_etl.errors import UnsetVariableError


class Login(BaseModel):
    """A text and a secret."""

    user: EnvText
    password: Secret


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("${HOST}", "db"),
        ("${HOST}.${ZONE:-internal}:5432", "db.internal:5432"),
        ("${EMPTY:-default}", "default"),
        ("${UNSET:-}", ""),
        ("${UNSET:-http://127.0.0.1:8700}", "http://127.0.0.1:8700"),
        ("$HOST", "$HOST"),
    ],
)
def test_variables_are_replaced_when_asked_for(template: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A default stands in for an unset or empty variable; only ``${…}`` is a variable."""
    text = EnvText(template)
    monkeypatch.setenv("HOST", "db")
    monkeypatch.setenv("EMPTY", "")

    assert text.resolve() == value


@pytest.mark.parametrize("template", ["", "  ", "${", "${1A}", "${A", "${A-b}", "${A B}", "${Ä}"])
def test_a_malformed_template_is_refused(template: str) -> None:
    """When it is made, not when it is needed."""
    with pytest.raises(ValueError, match=r"must not be empty|a variable is written"):
        EnvText(template)


@pytest.mark.parametrize("template", ["hunter2", "${A}b", "b${A}", "${A:-hunter2}", "${A}${B}", "", " ${A}", "${A}\n"])
def test_a_secret_is_one_variable_and_nothing_else(template: str) -> None:
    """A literal, in whole or in part or as a default, is refused and not repeated."""
    with pytest.raises(ValueError, match="never written in a file") as caught:
        Secret(template)

    assert "hunter2" not in str(caught.value)


def test_only_the_template_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither text nor representation nor a dump holds the value."""
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    login = Login(user=EnvText("${SHOP_USER:-reader}"), password=Secret("${SHOP_PASSWORD}"))

    assert login.password.resolve() == "hunter2"
    assert str(login.password) == "${SHOP_PASSWORD}"
    assert "hunter2" not in repr(login)
    assert login.model_dump() == {"user": "${SHOP_USER:-reader}", "password": "${SHOP_PASSWORD}"}


@pytest.mark.parametrize(("value", "state"), [(None, "not set"), ("", "empty")])
def test_a_variable_without_a_value_is_named(value: str | None, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With file and line where it was read from one, without where it was made in code."""
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    if value is not None:
        monkeypatch.setenv("SHOP_PASSWORD", value)
    login = Login.model_validate({"user": "x", "password": PlacedText("${SHOP_PASSWORD}", "syncs/connections.yaml", 8)})

    with pytest.raises(UnsetVariableError) as placed:
        login.password.resolve()
    with pytest.raises(UnsetVariableError) as made:
        Secret("${SHOP_PASSWORD}").resolve()

    assert placed.value.message == (f"the environment variable SHOP_PASSWORD is {state} (syncs/connections.yaml:8).")
    assert made.value.message == f"the environment variable SHOP_PASSWORD is {state}."


def test_the_place_is_no_part_of_the_value() -> None:
    """Two values with one template are equal wherever they stand, and survive pickling."""
    placed = Login.model_validate({"user": PlacedText("${A}", "a.yaml", 1), "password": "${B}"})
    elsewhere = Login.model_validate({"user": PlacedText("${A}", "b.yaml", 2), "password": "${B}"})
    text = PlacedText("${A}", "a.yaml", 1)

    assert placed == elsewhere
    assert pickle.loads(pickle.dumps(placed)) == placed  # noqa: S301 - our own bytes
    assert pickle.loads(pickle.dumps(text)).line == 1  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("value", "message"),
    [(5, "must be text: put it in quotes"), (["a"], "must be text"), (None, "must be text")],
)
def test_what_is_no_text_is_refused(value: object, message: str) -> None:
    """A number in YAML needs quotes to be text."""
    with pytest.raises(ValidationError) as caught:
        Login.model_validate({"user": value, "password": "${B}"})

    assert caught.value.errors()[0]["msg"] == f"Value error, {message}"


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\n\n"])
def test_line_ends_at_the_end_of_a_value_are_left_out(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As mounted files have them; blanks and line ends inside a value belong to it."""
    monkeypatch.setenv("TOKEN", f" two words\nand a line {ends}")
    assert " two words\nand a line " == Secret("${TOKEN}").resolve()
    assert "x two words\nand a line y" == EnvText("x${TOKEN}y").resolve()
    monkeypatch.setenv("TOKEN", ends)
    with pytest.raises(UnsetVariableError, match="TOKEN is empty"):
        Secret("${TOKEN}").resolve()
    assert "nobody" == EnvText("${TOKEN:-nobody}").resolve()
