"""The public names of the package as their docstrings describe them: signature, meaning, arguments, members."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import dagster as dg

import reverse_etl

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):\n((?:    .*\n?|\n)+)", re.MULTILINE)


def public_names() -> Iterator[str]:
    """The lines of the page: a section for each name of ``__all__``."""
    for name in sorted(reverse_etl.__all__, key=str.lower):
        public = getattr(reverse_etl, name)
        yield from ("", f"## {name}", "")
        yield from _described(public, name)
        if isinstance(public, type):
            yield from _settings(public)
            yield from _members(public)


def _described(documented: Any, name: str) -> Iterator[str]:
    """Signature, meaning, and a table for what the docstring lists."""
    if inspect.isfunction(documented):
        yield from (f"`{name}({_parameters(documented)})`", "")
    text = inspect.getdoc(documented) or ""
    yield from _markdown(_SECTION.sub("", text).strip()).splitlines()
    for title, listed in _SECTION.findall(text):
        if title in ("Args", "Attributes"):
            yield from ("", "| name | meaning |", "|---|---|")
            entries = re.findall(r"^    (\S+): (.*(?:\n        .*)*)", listed, re.MULTILINE)
            yield from (f"| `{each.lstrip('*')}` | {_markdown(' '.join(means.split()))} |" for each, means in entries)
        else:
            yield from ("", f"{title}: {_markdown(' '.join(listed.split()))}")


def _settings(public: type) -> Iterator[str]:
    """The fields of a resource or a component, each with its own description."""
    if issubclass(public, dg.ConfigurableResource | dg.Model):
        yield from ("", "| setting | default | meaning |", "|---|---|---|")
        for name, field in public.model_fields.items():
            default = "needed" if field.is_required() else f"`{field.default!r}`"
            yield f"| `{name}` | {default} | {field.description} |"


def _members(public: type) -> Iterator[str]:
    """Its own public methods and properties; not those that Dagster calls."""
    for name, member in vars(public).items():
        if any(hasattr(base, name) for base in public.__mro__[1:]):
            continue
        function = member.fget if isinstance(member, property) else inspect.unwrap(member) if callable(member) else None
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        yield from ("", f"### {public.__name__}.{name}", "")
        yield from _described(member if isinstance(member, property) else function, name)


def _parameters(function: Any) -> str:
    """As they are written, without their types."""
    parameters = list(inspect.signature(function).parameters.values())
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters if each.name != "self"]
    return str(inspect.Signature(plain))[1:-1]


def _markdown(text: str) -> str:
    return text.replace("``", "`")
