"""What is worth a look across syncs and in the dictionary: one name written by two, two identifiers, names' spelling.

Everything here is allowed and warned of, rows of which it is never known that they are gone too. What syncs send is
read from the text of their queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from reverse_etl.config.contracts import Subject, Term, quoted
from reverse_etl.config.gone_problems import unmarked
from reverse_etl.config.names import is_past_event, is_snake_case, time_name
from reverse_etl.config.problems import Problem, did_you_mean, problem_at, problem_in_text
from reverse_etl.config.streams import ROWS

if TYPE_CHECKING:
    from reverse_etl.config.dictionary_file import Dictionary
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import SyncConfig

Terms = Mapping[Subject, Mapping[str, Term]]


def lint(syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile], dictionary: Dictionary) -> Iterator[Problem]:
    """Warnings about what only all files together show.

    Args:
        syncs: Those that could be read.
        files: Their files.
        dictionary: Every name of the project.
    """
    terms = dictionary.terms
    yield from _identifiers(syncs, files)
    yield from _written_twice(syncs, files, terms)
    yield from _writers(syncs, terms)
    yield from _spelling(dictionary)
    yield from unmarked(syncs, files)


def _identifiers(syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile]) -> Iterator[Problem]:
    """The first sync of each destination that names people otherwise than the syncs before it."""
    first: dict[str, tuple[str, str]] = {}
    warned = set()
    for sync in syncs.values():
        for stream in sync.streams:
            identifier = sync.identifies(stream.name)
            if not identifier:
                continue
            other, known = first.setdefault(sync.destination, (sync.name, identifier))
            if known != identifier and sync.destination not in warned:
                warned.add(sync.destination)
                section = sync.kind if stream.name == ROWS else stream.name
                text = f"{sync.PLACE} {sync.destination} has people by {known} (sync {other}) and by {identifier}, so "
                text += "that one person may become two: set `identify_by` in its entry in connections.yaml, and "
                text += "`identify_by_reason` here if this is meant"
                file = files[sync.name]
                yield problem_at(file.file, file.document, (section, "identify_by"), text)


def _written_twice(syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile], terms: Terms) -> Iterator[Problem]:
    """Attributes that more than one sync sends to one place: one warning for all that the same syncs send."""
    writers: dict[tuple[str, Subject], dict[str, dict[str, tuple[SyncConfig, Stream]]]] = {}
    named: dict[tuple[str, Subject], set[str]] = defaultdict(set)
    for sync, stream, subject in _streams(syncs):
        key = (sync.destination, subject)
        named[key] |= {*stream.required, *stream.apart}
        for column in files[sync.name].columns.get(stream.at) or ():
            writers.setdefault(key, {}).setdefault(column.name, {})[sync.name] = (sync, stream)
    for (place, subject), attributes in writers.items():
        groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name, found in attributes.items():
            term = terms.get(subject, {}).get(name)
            meant = set(term.definition.written_by) if term is not None else set()
            if len(found) > 1 and name not in named[place, subject] and not meant >= found.keys():
                groups[tuple(found)].append(name)
        for syncs_of, names in groups.items():
            sync, stream = attributes[names[0]][syncs_of[-1]]
            others = quoted(syncs_of[:-1])
            text = f"returns {quoted(names)}, as {others} {'does' if len(syncs_of) == 2 else 'do'} for {sync.PLACE} "
            text += f"{place}: whichever runs last wins; leave one out, or name the syncs in `written_by` of the "
            text += "attribute's definition in dictionary.yaml"
            file = files[sync.name]
            yield problem_in_text(file.file, file.document, stream.at, 1, text)


def _writers(syncs: Mapping[str, SyncConfig], terms: Terms) -> Iterator[Problem]:
    """Syncs that are meant to write a name, and are none."""
    for subject, named in terms.items():
        for term in named.values():
            for sync in term.definition.written_by:
                if sync not in syncs:
                    yield _at(term, subject, f"names the sync {sync!r}, which is none{did_you_mean(sync, syncs)}")


def _spelling(dictionary: Dictionary) -> Iterator[Problem]:
    """Names that are hard to find again: one warning a kind of mistake, for what it is made in."""
    rules: list[tuple[Callable[[Term], bool], str]] = [
        (lambda term: not is_snake_case(term.name), "not in snake_case, as in `first_name`"),
        (
            lambda term: term.definition.type == "timestamp" and bool(time_name(term.name)),
            "a time by its type, and times end in `_at`, as in `{time}`",
        ),
    ]
    for subject, named in dictionary.terms.items():
        for breaks, text in rules:
            if found := [term for term in named.values() if not term.definition.deprecated_by and breaks(term)]:
                are = "is" if len(found) == 1 else "are each"
                example = text.format(time=time_name(found[0].name))
                yield _at(found[0], subject, f"{quoted(term.name for term in found)} {are} {example}")
    if (document := dictionary.document) is None:
        return
    for name, event in dictionary.events.items():
        if not event.deprecated_by and not is_past_event(name):
            text = "an event says what happened, in the past tense and snake_case, as in `order_placed`"
            yield problem_at(dictionary.file, document, ("events", name), text)


def _streams(syncs: Mapping[str, SyncConfig]) -> Iterator[tuple[SyncConfig, Stream, Subject]]:
    """Streams whose columns are attributes that others may send too; an event is sent once, by whoever."""
    for sync in syncs.values():
        for stream in sync.streams:
            subject = sync.subject(stream.name)
            if subject[0] not in ("syncs", "events"):
                yield sync, stream, subject


def _at(term: Term, subject: Subject, text: str) -> Problem:
    file, _, line = term.at.rpartition(":")
    return Problem(file, int(line), ".".join((*subject, term.name)), text)
