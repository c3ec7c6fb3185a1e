"""The dictionary with what runs know: each name with its meaning, who writes it from where, and when it was last seen.

What was seen is read from the footers of the changesets that are still kept here: which columns there were, how many
rows, how many NULLs. No row is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from reverse_etl.changeset.lineage import origins_of
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.config.bound import spelled
from reverse_etl.config.contracts import Contract, Subject
from reverse_etl.config.definitions import Definition
from reverse_etl.config.statement import read_statement
from reverse_etl.sources import dialect
from reverse_etl.state.run_history import list_runs, root_of_run

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Parts
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import ProjectConfig, SyncConfig
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store

_RUNS: Final = 20
"""How many of a sync's newest runs are looked through for rows."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A column in the newest run whose rows are still here.

    Attributes:
        at: When that run started; aware UTC.
        rows: How many it read.
        nulls: How many of them had NULL; None where the file does not say.
    """

    at: datetime
    rows: int
    nulls: int | None


@dataclass(frozen=True, slots=True)
class Writer:
    """A sync that writes a name.

    Attributes:
        sync: Its name.
        destination: Where to.
        tables: The columns that it is made of, such as ``public.customers.plan``; empty where that is not known.
        seen: None where no run with rows is kept here, or its rows did not have the column.
    """

    sync: str
    destination: str
    tables: tuple[str, ...]
    seen: Seen | None


@dataclass(slots=True)
class Name:
    """One name, and all that is known of it.

    Attributes:
        definition: None where it is written and not defined.
        defined_in: Such as ``syncs/dictionary.yaml:4``.
        writers: In the order of the syncs.
    """

    name: str
    definition: Definition | None = None
    defined_in: str = ""
    writers: list[Writer] = field(default_factory=list)

    @property
    def last_seen_at(self) -> datetime | None:
        """When a run had a value of it."""
        found = [each.seen.at for each in self.writers if each.seen is not None and each.seen.nulls != each.seen.rows]
        return max(found, default=None)

    @property
    def null_share(self) -> float | None:
        """Of the rows that the newest runs read, those with NULL, from 0 to 1; None where that is not known."""
        seen = [each.seen for each in self.writers if each.seen is not None and each.seen.nulls is not None]
        rows = sum(each.rows for each in seen)
        return sum(each.nulls or 0 for each in seen) / rows if rows else None

    def as_json(self) -> dict[str, Any]:
        """Plain values, times as ISO 8601."""
        meaning = self.definition or Definition()
        return {
            "name": self.name,
            "defined": self.definition is not None,
            **meaning.model_dump(mode="json"),
            "defined_in": self.defined_in,
            "last_seen_at": _iso(self.last_seen_at),
            "null_share": self.null_share,
            "writers": [
                asdict(each) | {"seen": asdict(each.seen) | {"at": _iso(each.seen.at)} if each.seen else None}
                for each in self.writers
            ],
        }


@dataclass(slots=True)
class Chapter:
    """What all names of one subject are names of, and the names in alphabetical order.

    Attributes:
        title: ``People``, ``Event order_placed``.
        facts: What the dictionary declares about the subject itself, by key.
    """

    subject: Subject
    title: str
    facts: dict[str, str] = field(default_factory=dict)
    names: dict[str, Name] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        names = [each.as_json() for each in self.names.values()]
        return {"subject": ".".join(self.subject), "title": self.title, **self.facts, "names": names}


def dictionary_of(project: ProjectConfig, home: Home, store: Store) -> list[Chapter]:
    """The dictionary of a project, chapter by chapter: people, events, objects, then other syncs.

    Args:
        project: What is defined, and what is written.
        home: Where changesets are.
        store: The history of runs.

    Raises:
        StateError: The history cannot be read.
    """
    chapters: dict[Subject, Chapter] = {}
    dictionary = project.dictionary
    for subject, terms in dictionary.terms.items():
        chapter = chapters.setdefault(subject, _chapter(subject, project))
        for term in terms.values():
            chapter.names[term.name] = Name(term.name, term.definition, term.at)
    for event in dictionary.events:
        chapters.setdefault(subject := ("events", event, "attributes"), _chapter(subject, project))
    for sync in project.syncs.values():
        for stream in sync.streams:
            subject = sync.subject(stream.name)
            chapter = chapters.setdefault(subject, _chapter(subject, project))
            for name, writer in _written(sync, stream, project, home, store):
                chapter.names.setdefault(name, Name(name)).writers.append(writer)
    for chapter in chapters.values():
        chapter.names = dict(sorted(chapter.names.items()))
    order = ("attributes", "events", "objects", "syncs")
    return sorted(chapters.values(), key=lambda each: (order.index(each.subject[0]), each.subject))


def _chapter(subject: Subject, project: ProjectConfig) -> Chapter:
    match subject:
        case ("events", name, _):
            event = project.dictionary.events.get(name)
            return Chapter(subject, f"Event {name}", _facts(event))
        case ("objects", number, "attributes"):
            return Chapter(subject, f"Objects of type {number}", _facts(project.dictionary.objects.get(number)))
        case ("objects", number, _):
            return Chapter(subject, f"Relationships to objects of type {number}")
        case ("syncs", name, stream, _):
            sync = project.syncs[name]
            of = f"{sync.TITLE} {sync.PLACE} {sync.destination}"
            title = f"Sync {name}" if stream == "rows" else f"Sync {name}, {stream}"
            return Chapter(subject, title, {"description": sync.description or f"Rows to {of}."})
    return Chapter(subject, "People")


def _facts(said: Any) -> dict[str, str]:
    keys = ("description", "source", "owner", "since", "deprecated_by")
    return {key: str(value) for key in keys if (value := getattr(said, key, None))}


def _written(
    sync: SyncConfig, stream: Stream, project: ProjectConfig, home: Home, store: Store
) -> Iterator[tuple[str, Writer]]:
    """The columns of a stream that are names, as its newest rows or else its query's text have them."""
    spoken = dialect(project.databases[sync.database])
    seen = _seen(sync, stream, home, store)
    shape = sync.shape(stream.name)
    contract = sync.contract_of(stream.name) or Contract(stream.name, ())
    columns = read_statement(stream.query, spoken).columns if shape.transform is None else None
    known = [spelled(column, contract) for column in columns or ()] if shape.columns is None else [*shape.columns]
    # The database has the last word on how a name is spelled.
    apart = {*stream.apart, *stream.required} - contract.terms.keys()
    names = [name for name in list(seen) or known if name not in apart]
    origins = origins_of(sync, stream, spoken, names)
    for name in names:
        tables = tuple(".".join((*table, column)) for table, column in origins.get(name, ()))
        yield name, Writer(sync.name, sync.destination, tables, seen.get(name))


def _seen(sync: SyncConfig, stream: Stream, home: Home, store: Store) -> Mapping[str, Seen]:
    """The columns of the newest run whose rows are kept here."""
    for run in list_runs(store, sync.name, limit=_RUNS):
        parts = home.run_folder(sync.name, root_of_run(store, run.run_id)).parts(stream.name)
        if found := _columns(parts):
            return {name: Seen(run.started_at, rows, nulls) for name, (rows, nulls) in found.items()}
    return {}


def _columns(parts: Parts) -> dict[str, tuple[int, int | None]]:
    """Each column's rows and NULLs, from the footers of the files; empty where there is no row."""
    found: dict[str, tuple[int, int | None]] = {}
    for path in parts.paths():
        with pq.ParquetFile(path) as file:
            metadata = file.metadata
            for group in range(metadata.num_row_groups):
                rows = metadata.row_group(group)
                for number in range(rows.num_columns):
                    column = rows.column(number)
                    before, nulls = found.get(column.path_in_schema, (0, 0))
                    here = column.statistics.null_count if _has_null_count(column.statistics) else None
                    total = nulls + here if nulls is not None and here is not None else None
                    found[column.path_in_schema] = (before + rows.num_rows, total)
    found.pop(ROW_NUMBER, None)
    return {name: each for name, each in found.items() if each[0]}


def _has_null_count(statistics: Any) -> bool:
    return statistics is not None and statistics.has_null_count


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment is not None else None


def names_in(chapters: Sequence[Chapter]) -> tuple[int, int]:
    """How many names there are, and how many of them are defined."""
    every = [name for chapter in chapters for name in chapter.names.values()]
    return len(every), sum(name.definition is not None for name in every)
