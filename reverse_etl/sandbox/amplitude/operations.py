"""What ``$set`` and the other operations on properties do. Documented; `$preInsert` and the like from the SDK."""

from __future__ import annotations

from typing import Any, Final

OPERATIONS: Final = (
    "$set",
    "$setOnce",
    "$add",
    "$append",
    "$prepend",
    "$preInsert",
    "$postInsert",
    "$remove",
    "$unset",
    "$clearAll",
)
_KNOWN: Final = frozenset(OPERATIONS)


def is_mixed(properties: dict[str, Any]) -> bool:
    """Whether operations and plain properties stand side by side, or an operation's value is no object."""
    operations = [name for name in properties if name in _KNOWN]
    if not operations:
        return False
    return len(operations) != len(properties) or any(
        not isinstance(properties[name], dict) for name in operations if name != "$clearAll"
    )


def apply(held: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Changes properties: by operations, or as ``$set`` where there is none."""
    if not any(name in _KNOWN for name in wanted):
        _set(held, wanted)
        return
    if "$clearAll" in wanted:
        held.clear()
    for operation in OPERATIONS[:-1]:
        if operation in wanted:
            _APPLY[operation](held, wanted[operation])


def _set(held: dict[str, Any], values: dict[str, Any]) -> None:
    # A null stores nothing, and clears nothing.
    held.update({name: value for name, value in values.items() if value is not None})


def _set_once(held: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        held.setdefault(name, value)


def _add(held: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        before = held.get(name, 0)
        if isinstance(value, int | float) and isinstance(before, int | float):
            held[name] = before + value


def _append(held: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        held[name] = _list(held.get(name)) + _list(value)


def _prepend(held: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        held[name] = _list(value) + _list(held.get(name))


def _pre_insert(held: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        before = _list(held.get(name))
        held[name] = [each for each in _list(value) if each not in before] + before


def _post_insert(held: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        before = _list(held.get(name))
        held[name] = before + [each for each in _list(value) if each not in before]


def _remove(held: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name in held:
            held[name] = [each for each in _list(held[name]) if each not in _list(value)]


def _unset(held: dict[str, Any], values: dict[str, Any]) -> None:
    for name in values:
        held.pop(name, None)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


_APPLY: Final = {
    "$set": _set,
    "$setOnce": _set_once,
    "$add": _add,
    "$append": _append,
    "$prepend": _prepend,
    "$preInsert": _pre_insert,
    "$postInsert": _post_insert,
    "$remove": _remove,
    "$unset": _unset,
}
