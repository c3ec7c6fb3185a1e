"""Rows on their way to Slack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from reverse_etl.config.draft import has, near
from reverse_etl.config.sql_text import reads_changes
from reverse_etl.config.streams import ROWS, Stream
from reverse_etl.destinations._http.sync import ServiceRows, ServiceSync
from reverse_etl.destinations.slack.section import Slack, named_columns, templates

if TYPE_CHECKING:
    from reverse_etl.checks.base import AnyRule
    from reverse_etl.config.draft import Draft


class Outgoing(ServiceRows):
    """Messages."""

    DESTINATION: ClassVar[str] = "slack"
    TITLE: ClassVar[str] = "Slack"
    SECTIONS: ClassVar[frozenset[str]] = frozenset({"slack"})
    ANY_CASE: ClassVar[frozenset[str]] = frozenset()

    slack: Slack = Field(description="Each row is a message.")

    def rules(self) -> dict[str, list[AnyRule]]:
        """What tells messages apart is there, and each arrives whole."""
        from reverse_etl.destinations.slack.rules import rules_of

        return {ROWS: rules_of(self.slack)}


class Sync(Outgoing, ServiceSync):
    """One sync to Slack."""

    @classmethod
    def streams_of(cls, values: Mapping[str, Any]) -> list[Stream]:
        """Its rows; ``look_at`` names the columns that they lack where they are named."""
        return [Stream(ROWS, str(values.get("query") or ""))]

    @classmethod
    def look_at(cls, draft: Draft) -> None:
        """Every column that is named is there; a webhook has its channel; rows that are read again are known again."""
        section = draft.at(("slack",))
        if not isinstance(section, Mapping):
            return
        known = draft.columns.get(("query",))
        for where, names in named_columns(section):
            for name in names if known is not None else ():
                if name and not has(known or (), name):
                    draft.problem(("slack", *where), f"the query has no column {name!r}{near(name, known or ())}")
        for where, text in templates(section):
            if "\\n" in text:
                draft.warn(
                    ("slack", *where),
                    "has a backslash and an n, which are posted as they are: a new line is one between double quotes, "
                    "or in a text of several lines (`|`)",
                )
        webhook = draft.entry is not None and "webhook_url" in draft.entry
        if webhook and section.get("channel") is not None:
            draft.problem(("slack", "channel"), "goes with bot_token: a webhook posts into the channel it was made for")
        if draft.entry is not None and not webhook and section.get("channel") is None:
            draft.problem(("slack",), 'needs a channel, as in `channel: "#at-risk"`')
        sql = draft.at(("query",))
        again = isinstance(sql, str) and reads_changes(sql)
        if (again or draft.at(("changes", "by")) in ("log", "compare")) and not section.get("once_per"):
            draft.problem(
                ("slack",),
                "needs once_per: rows of the last minutes, and all those of a run with failed rows, are read again and "
                "would be posted again; name the columns that make a message new, as in `once_per: [id, updated_at]`",
            )
