"""What every check that a sync can ask for has. A check's own keys live in its module ``reverse_etl.checks.<name>``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from reverse_etl.config.model import YamlModel


class CheckConfig(YamlModel):
    """One entry of a sync's ``checks``.

    Attributes:
        SHORT: The key that a bare value fills: with ``column``, ``not_null: plan`` is ``not_null: {column: plan}``.
        check: The check's name; set by the loader.
        severity: ``warn`` only reports, ``reject`` keeps the row back, ``stop`` ends the run before anything is sent.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset({"check"})
    SHORT: ClassVar[str] = ""

    check: str = ""
    severity: Literal["warn", "reject", "stop"] = Field(
        default="reject",
        description="warn reports, reject keeps the row back, stop ends the run before anything is sent.",
    )
