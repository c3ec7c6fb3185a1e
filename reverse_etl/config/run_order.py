"""Syncs that run after others: whether those exist, and the order that follows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from reverse_etl.config.intervals import format_interval
from reverse_etl.config.problems import Problem, did_you_mean, problem_at
from reverse_etl.config.tables_read import tables_read

if TYPE_CHECKING:
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import SyncConfig

_AT = ("schedule", "after")


def after_problems(
    syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile], dialects: Mapping[str, Dialect]
) -> Iterator[Problem]:
    """What is wrong with the syncs and tables that syncs run after.

    Args:
        syncs: Those that could be read.
        files: Of every sync, those with problems too.
        dialects: By the name of the database.
    """
    for name, sync in syncs.items():
        file, document = files[name].file, files[name].document
        for other in sync.schedule.after_syncs:
            if other == name:
                yield problem_at(file, document, _AT, "names the sync itself")
            elif other not in files:
                near = did_you_mean(other, files)
                how = near or f"; write an asset of Dagster as `key:{other}`"
                yield problem_at(file, document, _AT, f"unknown sync {other!r}{how}")
        dialect = dialects.get(sync.database) if sync.schedule.after_upstream else None
        if dialect is not None and not any(tables_read(each.query, dialect) for each in sync.streams):
            text = "the text of the query shows no table: name what it reads, as in `after: key:staging/customers`"
            yield problem_at(file, document, _AT, text)
    if (circle := _circle(syncs)) is not None:
        first = circle[0]
        text = f"syncs wait for each other: {' runs after '.join(circle)}; take one of them out"
        problem = problem_at(files[first].file, files[first].document, _AT, text)
        yield replace(problem, about=tuple(files[name].file for name in circle[:-1]))


def after_warnings(syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile]) -> Iterator[Problem]:
    """Syncs whose longest wait is over before one that they run after is due again, so that they run without it."""
    for name, sync in syncs.items():
        longest = sync.schedule.every
        for other in sync.schedule.after_syncs:
            due = syncs[other].schedule.every if other in syncs else None
            if longest is not None and due is not None and longest <= due:
                text = f"is the longest wait, and {other} is due every {format_interval(due)}: {name} would mostly run "
                text += "before it and not after it; write a longer time, or leave it out"
                yield problem_at(files[name].file, files[name].document, ("schedule", "every"), text)


def in_order(syncs: Collection[SyncConfig]) -> list[SyncConfig]:
    """The syncs, each behind those that it runs after; otherwise by name.

    Raises:
        graphlib.CycleError: They wait for each other, which ``after_problems`` reports.
    """
    by_name = {sync.name: sync for sync in syncs}
    waiting = TopologicalSorter({sync.name: set(sync.schedule.after_syncs) & by_name.keys() for sync in syncs})
    waiting.prepare()
    found: list[SyncConfig] = []
    ready: set[str] = set()
    while waiting.is_active():
        ready |= {*waiting.get_ready()}
        name = min(ready)
        ready.remove(name)
        waiting.done(name)
        found.append(by_name[name])
    return found


def _circle(syncs: Mapping[str, SyncConfig]) -> list[str] | None:
    """Names of syncs, each of which runs after the next; the first and the last are the same."""
    others = {name: sorted({*sync.schedule.after_syncs} & syncs.keys() - {name}) for name, sync in syncs.items()}
    try:
        TopologicalSorter(others).prepare()
    except CycleError as error:
        # graphlib gives each name before those that wait for it.
        names: list[str] = error.args[1][::-1][:-1]
        begin = names.index(min(names))
        return [*names[begin:], *names[:begin], names[begin]]
    return None
