"""Syncs checked against the dictionary: which contract each stream has, and where its query's text breaks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.config.contracts import Contract, Subject, Term, quoted
from reverse_etl.config.definitions import Definition, digest
from reverse_etl.config.dictionary_file import Dictionary
from reverse_etl.config.draft import is_named
from reverse_etl.config.problems import Path, Problem, did_you_mean, problem_at, problem_in_text
from reverse_etl.config.streams import ROWS

if TYPE_CHECKING:
    from reverse_etl.config.statement import Column
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import SyncConfig

_MEANING: Final = ("type", "description", "allowed_values", "deprecated_by")
"""What all who define a name must agree on; where it comes from and who answers for it may differ."""

_OWN: Final[Path] = ("attributes",)


@dataclass(frozen=True, slots=True)
class Bound:
    """The dictionary of a whole project.

    Attributes:
        contracts: By the sync's name, those of its streams.
        terms: Every name that is defined anywhere, by what it is a name of.
        problems: What contradicts the dictionary, or is wrong in it; ``warnings`` likewise.
    """

    contracts: dict[str, tuple[Contract, ...]]
    terms: dict[Subject, dict[str, Term]]
    problems: list[Problem]
    warnings: list[Problem]


def bind(syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile], dictionary: Dictionary) -> Bound:
    """Gives each stream that the dictionary knows its contract.

    Args:
        syncs: Those that could be read.
        files: Their files.
        dictionary: ``dictionary.yaml``, or one without anything.
    """
    found = Bound({}, {subject: dict(terms) for subject, terms in dictionary.terms.items()}, [], [])
    shared = {subject: digest(_dumped(terms.values())) for subject, terms in dictionary.terms.items()}
    for sync in syncs.values():
        file, contracts = files[sync.name], []
        for stream in sync.streams:
            subject = sync.subject(stream.name)
            own = sync.attributes if stream.name == ROWS else {}
            if not own and subject not in dictionary.terms:
                continue
            contract = replace(_contract(sync, stream, files, dictionary, found), shared=shared.get(subject, ""))
            contracts.append(contract)
            columns = file.columns.get(stream.at)
            if columns is not None:
                texts = found.problems if contract.enforce else found.warnings
                texts.extend(_broken(contract, stream, columns, file))
                found.warnings.extend(_deprecated(contract, stream, columns, file))
        if contracts:
            found.contracts[sync.name] = tuple(contracts)
    found.problems.extend(_successors(found.terms, files, dictionary))
    return found


def with_contracts(sync: SyncConfig, contracts: tuple[Contract, ...]) -> SyncConfig:
    """The sync with its contracts, which are part of its version: a file of its own alone does not say them."""
    asked = [
        (each.stream, each.enforce, each.shared, _dumped(term for term in each.terms.values() if term.own))
        for each in contracts
    ]
    version = digest([sync.version, asked])
    return sync.model_copy(update={"contracts": contracts, "version": version})


def _dumped(terms: Iterable[Term]) -> list[tuple[str, Any]]:
    return [(term.name, term.definition.model_dump(mode="json")) for term in terms]


def _contract(
    sync: SyncConfig, stream: Stream, files: Mapping[str, SyncFile], dictionary: Dictionary, found: Bound
) -> Contract:
    file, subject = files[sync.name], sync.subject(stream.name)
    terms = dict(dictionary.terms.get(subject, {}))
    everywhere = found.terms.setdefault(subject, {})
    for name, definition in (sync.attributes if stream.name == ROWS else {}).items():
        at = f"{file.file}:{file.document.place.line_of((*_OWN, name))}"
        known = everywhere.get(name)
        if known is not None:
            both = (file.file, *({known.at.rpartition(":")[0]} & {each.file for each in files.values()}))
            problems = _contradictions(file, name, definition, known)
            found.problems.extend(replace(each, about=both) for each in problems)
            definition = _merged(known.definition, definition)
        terms[name] = Term(name, definition, at, own=True)
        everywhere[name] = Term(name, definition, known.at if known is not None else at)
    return Contract(
        stream=stream.name,
        subject=subject,
        terms=terms,
        enforce=(sync.contract or dictionary.contract) == "enforce",
        apart=stream.apart | frozenset(stream.required),
        declared_in=_declared_in(subject, file, dictionary),
        complete=subject[0] == "events",
    )


def _declared_in(subject: Subject, file: SyncFile, dictionary: Dictionary) -> str:
    """Where one more name of a subject would be written."""
    if subject in dictionary.terms:
        return f"{'.'.join(subject)} in {dictionary.file}"
    return f"attributes in {file.file}"


def _contradictions(file: SyncFile, name: str, definition: Definition, known: Term) -> Iterator[Problem]:
    """Keys that say something else than the same name's elsewhere."""
    for key in _MEANING:
        both = key in definition.model_fields_set and key in known.definition.model_fields_set
        if both and getattr(definition, key) != getattr(known.definition, key):
            text = f"differs from that in {known.at}: one name has one meaning, so keep one of them"
            yield problem_at(file.file, file.document, (*_OWN, name, key), text)


def _merged(known: Definition, own: Definition) -> Definition:
    """What the two say together; what the sync says of itself comes first."""
    update = {key: getattr(own, key) for key in own.model_fields_set}
    return known.model_copy(update=update)


def _broken(contract: Contract, stream: Stream, columns: tuple[Column, ...], file: SyncFile) -> Iterator[Problem]:
    """What the names of a query's columns show."""
    names = [spelled(column, contract) for column in columns]

    def in_query(text: str) -> Problem:
        return problem_in_text(file.file, file.document, stream.at, 1, text)

    unknown, renamed = contract.undeclared(names)
    for name, meant in renamed.items():
        yield in_query(
            f"returns `{name}`, and {contract.terms[meant].at} calls it `{meant}`: write `AS {meant}`, or declare "
            f"`{name}` under {contract.declared_in}"
        )
    if unknown:
        them = "it" if len(unknown) == 1 else "them"
        what = "which is" if len(unknown) == 1 else "which are"
        yield in_query(
            f"returns {quoted(unknown)}, {what} not in the dictionary: declare {them} under {contract.declared_in}, "
            f"or leave {them} out"
        )
    for term in contract.missing(names):
        if term.name in renamed.values():
            continue
        if term.own:
            near = did_you_mean(term.name, unknown)
            text = f"the query has no column `{term.name}`: select it, or take its definition out{near}"
            yield problem_at(file.file, file.document, (*_OWN, term.name), text)
        else:
            yield in_query(f"returns no column `{term.name}`, which {term.at} requires: select it")


def _deprecated(contract: Contract, stream: Stream, columns: tuple[Column, ...], file: SyncFile) -> Iterator[Problem]:
    for column in columns:
        term = contract.terms.get(spelled(column, contract))
        if term is not None and (instead := term.definition.deprecated_by):
            text = f"returns `{term.name}`, which {term.at} has as deprecated: return `{instead}` instead, or as well"
            yield problem_in_text(file.file, file.document, stream.at, 1, text)


def spelled(column: Column, contract: Contract) -> str:
    """A column's name; where its case is not known, as the contract spells it."""
    if column.exact or column.name in contract.terms:
        return column.name
    return next((name for name in (*contract.terms, *contract.apart) if is_named(column, name)), column.name)


def _successors(
    terms: Mapping[Subject, Mapping[str, Term]], files: Mapping[str, SyncFile], dictionary: Dictionary
) -> Iterator[Problem]:
    """Names that the dictionary gives as replacements, and that it does not define or replaces too."""
    by_file = {file.file: file.document for file in files.values()}
    if dictionary.document is not None:
        by_file[dictionary.file] = dictionary.document
    for subject, named in terms.items():
        for term in named.values():
            instead = term.definition.deprecated_by
            if not instead or (instead in named and instead != term.name):
                continue
            file, _, _ = term.at.rpartition(":")
            at = (*(subject if file == dictionary.file else _OWN), term.name, "deprecated_by")
            known = [name for name in named if name != term.name]
            text = f"names `{instead}`, which is not defined{did_you_mean(instead, known)}"
            yield problem_at(file, by_file[file], at, text if instead != term.name else "names itself")
    yield from _next_events(dictionary)


def _next_events(dictionary: Dictionary) -> Iterator[Problem]:
    """Events that the dictionary gives as replacements, and that it does not define."""
    if (document := dictionary.document) is None:
        return
    for name, event in dictionary.events.items():
        known = [each for each in document.values["events"] if each != name]
        if (instead := event.deprecated_by) and instead not in known:
            text = f"names `{instead}`, which is not defined{did_you_mean(instead, known)}"
            at = ("events", name, "deprecated_by")
            yield problem_at(dictionary.file, document, at, text if instead != name else "names itself")
