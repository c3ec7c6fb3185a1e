"""What is asked for a first sync to Intercom."""

from __future__ import annotations

from reverse_etl.destinations.first_sync import Asks, FirstRows, NeededColumn


def first_rows(asks: Asks) -> FirstRows:
    """Contacts or companies, and what identifies them."""
    kind = asks.choice("What is a row", ("contacts", "companies"))
    if kind == "companies":
        column = NeededColumn("company_id", "Column that holds the company_id", named_alike=False)
        return FirstRows("intercom", {"object": kind}, (column,))
    by = asks.choice("What identifies a contact", ("external_id", "email"))
    column = NeededColumn(by, f"Column that holds the {by}", named_alike=by == "email")
    return FirstRows("intercom", {"object": kind, "identify_by": by}, (column,), address="email")
