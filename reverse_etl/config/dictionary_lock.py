"""``dictionary.lock``: what each name meant when somebody last looked, kept in Git beside the dictionary.

It holds a short hash of a definition's type, description and source, no word of them. ``reverse-etl dictionary --lock``
writes it; nothing else does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.config.contracts import Subject, Term
from reverse_etl.config.definitions import PARTS, digest
from reverse_etl.config.problems import Problem, problem_at

if TYPE_CHECKING:
    from reverse_etl.config.dictionary_file import Dictionary

LOCK: Final = "dictionary.lock"
AGAIN: Final = "`reverse-etl dictionary --lock`"

Digests = dict[str, dict[str, str]]
"""By a name's place in the dictionary (``attributes.plan``), a hash of each part of its meaning."""


def digests_of(dictionary: Dictionary) -> Digests:
    """What every name means now: attributes, and events."""
    found = {_key(subject, name): term.definition.digests() for subject, name, term in _terms(dictionary)}
    for name, event in dictionary.events.items():
        found[f"events.{name}"] = {part: digest(getattr(event, part)) for part in ("description", "source")}
    return dict(sorted(found.items()))


def locked(text: str) -> Digests | None:
    """What a lock holds; None where it is not one, as after a merge of two."""
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(stored, dict) or not all(isinstance(parts, dict) for parts in stored.values()):
        return None
    return stored


def lock_text(digests: Digests) -> str:
    """The file: a name a line, so that two branches that change two names merge."""
    names = ",\n".join(f"  {json.dumps(name)}: {json.dumps(parts)}" for name, parts in digests.items())
    return f"{{\n{names}\n}}\n" if names else "{}\n"


def lock_warnings(folder: Path, shown: str, dictionary: Dictionary) -> Iterator[Problem]:
    """Names that mean something else than when they were locked, or mean nothing any more.

    Args:
        folder: Where the dictionary is; without a lock there is nothing to hold it against.
        shown: The lock as people are shown it.
        dictionary: Every name of the project.
    """
    try:
        text = (folder / LOCK).read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError):
        text = ""
    before = locked(text)
    if before is None:
        yield Problem(shown, 0, "", f"cannot be read, so that changed definitions are not found: write it with {AGAIN}")
        return
    now = digests_of(dictionary)
    for subject, name, term in _terms(dictionary):
        if changed := changed_parts(before.get(_key(subject, name)), now[_key(subject, name)]):
            file, _, line = term.at.rpartition(":")
            yield Problem(file, int(line), _key(subject, name), _changed(name, changed))
    for name in dictionary.events:
        key = f"events.{name}"
        if (changed := changed_parts(before.get(key), now[key])) and dictionary.document is not None:
            yield problem_at(dictionary.file, dictionary.document, ("events", name), _changed(name, changed))
    for key in before.keys() - now.keys():
        text = f"was defined, and is not any more: keep it with `deprecated_by`, or accept that with {AGAIN}"
        yield Problem(shown, 0, key, text)


def changed_parts(before: Mapping[str, str] | None, now: Mapping[str, str]) -> list[str]:
    """The parts of a meaning that are not as they were; none of a name that is new."""
    return [part for part in PARTS if part in now and before is not None and before.get(part) != now[part]]


def _changed(name: str, parts: list[str]) -> str:
    what = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    return (
        f"its {what} changed, and segments and campaigns still mean what `{name}` was: give it a new name and set "
        f"`deprecated_by` here, or accept the change with {AGAIN}"
    )


def _terms(dictionary: Dictionary) -> Iterator[tuple[Subject, str, Term]]:
    for subject, named in dictionary.terms.items():
        for name, term in named.items():
            yield subject, name, term


def _key(subject: Subject, name: str) -> str:
    return ".".join((*subject, name))
