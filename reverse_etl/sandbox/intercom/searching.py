"""``POST /contacts/search``: filters over what was written some time ago, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

from reverse_etl.sandbox.intercom.answers import NotAllowed
from reverse_etl.sandbox.intercom.showing import show_contact
from reverse_etl.sandbox.intercom.workspace import IntercomWorkspace, Shown

MAX_PAGE: Final = 150
MAX_FILTERS: Final = 15
MAX_DEPTH: Final = 2
_FIELDS: Final = frozenset(
    "id role name email phone external_id created_at signed_up_at updated_at last_seen_at owner_id tag_id".split()  # noqa: SIM905
)
_Test = Callable[[Shown], bool]
_Compare = Callable[[Any, Any], bool]
_OPERATORS: Final[dict[str, _Compare]] = {
    "=": lambda held, value: _key(held) == _key(value),
    "!=": lambda held, value: _key(held) != _key(value),
    "IN": lambda held, value: _key(held) in {_key(each) for each in _values(value)},
    "NIN": lambda held, value: _key(held) not in {_key(each) for each in _values(value)},
    ">": lambda held, value: _is_number(held, value) and held > float(value),
    "<": lambda held, value: _is_number(held, value) and held < float(value),
    "~": lambda held, value: str(value).lower() in str(held or "").lower(),
    "!~": lambda held, value: str(value).lower() not in str(held or "").lower(),
    "^": lambda held, value: str(held or "").lower().startswith(str(value).lower()),
    "$": lambda held, value: str(held or "").lower().endswith(str(value).lower()),
}


def search(workspace: IntercomWorkspace, sent: Shown, now: float, lag_s: float) -> Shown:
    """A page of contacts that a query lets through, as they were ``lag_s`` ago.

    Raises:
        NotAllowed: The query or the page is none.
    """
    passes = _test(sent.get("query"), 1)
    visible = (
        show_contact(workspace, contact) if now - contact.changed_at >= lag_s else contact.indexed
        for contact in workspace.contacts.values()
        if not contact.is_archived
    )
    return page([each for each in visible if each is not None and passes(each)], sent.get("pagination") or {})


def page(found: list[Shown], wanted: Shown, *, most: int = MAX_PAGE, usual: int = 50) -> Shown:
    """A page of a list, and where the next one starts.

    Raises:
        NotAllowed: What is asked for is no page.
    """
    per_page, after = wanted.get("per_page", usual), wanted.get("starting_after")
    try:
        per_page, start = int(per_page), int(after or 0)
    except (TypeError, ValueError):
        raise NotAllowed(400, "parameter_invalid", "pagination is invalid") from None
    if not 0 < per_page <= most:
        raise NotAllowed(400, "parameter_invalid", f"per_page must be between 1 and {most}")
    pages: Shown = {
        "type": "pages",
        "page": start // per_page + 1,
        "per_page": per_page,
        "total_pages": -(-len(found) // per_page),
    }
    if start + per_page < len(found):
        pages["next"] = {"page": pages["page"] + 1, "starting_after": str(start + per_page)}
    data = list(islice(found, start, start + per_page))
    return {"type": "list", "data": data, "total_count": len(found), "pages": pages}


def _test(query: Any, depth: int) -> _Test:
    if not isinstance(query, dict):
        raise NotAllowed(400, "parameter_not_found", "query is required")
    operator, value = query.get("operator"), query.get("value")
    if operator in ("AND", "OR"):
        if not isinstance(value, list) or not 0 < len(value) <= MAX_FILTERS or depth > MAX_DEPTH:
            raise NotAllowed(400, "parameter_invalid", f"a group has at most {MAX_FILTERS} filters, {MAX_DEPTH} deep")
        tests = [_test(each, depth + 1) for each in value]
        every = all if operator == "AND" else any
        return lambda shown: every(test(shown) for test in tests)
    name = query.get("field")
    if not isinstance(name, str) or not (name in _FIELDS or name.startswith("custom_attributes.")):
        raise NotAllowed(400, "parameter_invalid", f"field {name} cannot be searched")
    compare = _OPERATORS.get(str(operator))
    if compare is None or (operator in ("IN", "NIN") and not isinstance(value, list)):
        raise NotAllowed(400, "parameter_invalid", f"operator {operator} is invalid")
    return lambda shown: compare(_field(shown, name), value)


def _field(shown: Shown, name: str) -> Any:
    if name.startswith("custom_attributes."):
        return shown["custom_attributes"].get(name.removeprefix("custom_attributes."))
    return shown.get(name)


def _key(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _values(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]


def _is_number(held: Any, value: Any) -> bool:
    return isinstance(held, int | float) and str(value).replace(".", "", 1).removeprefix("-").isdecimal()
