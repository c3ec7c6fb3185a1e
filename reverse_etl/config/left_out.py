"""Which syncs a faulty file leaves out: all; or those that read it, that run after those, or that could do harm beside.

The one rule, for every command, Dagster, the pages and alerts. Unknown means in doubt: what a sync takes away is safe
only where every other sync that writes to its destination can be read, so it is left out where one cannot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from reverse_etl.config.in_doubt import defines, sends_what_is_known, shares_names, takes_away
from reverse_etl.config.in_doubt import place as place_of
from reverse_etl.config.problems import lines
from reverse_etl.config.schedule import read_schedule
from reverse_etl.counted import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from reverse_etl.config.contracts import Contract
    from reverse_etl.config.defaults import Defaults
    from reverse_etl.config.problems import Problem
    from reverse_etl.config.schedule import ScheduleConfig
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import SyncConfig

SEE_ALL: Final = "To see every problem: reverse-etl validate"

_STOPS_ALL: Final = (
    "One faulty file stops every sync of its folder until it is mended; runs in progress go on to their end. "
    "With `faulty_files: leave_out` in connections.yaml, only what depends on it is left out."
)


class FaultyFiles(StrEnum):
    """What a faulty file does: stops every sync of its folder, or leaves out what depends on it."""

    STOP = "stop"
    LEAVE_OUT = "leave_out"


class Reason(StrEnum):
    """Why a sync is left out, a word for programs."""

    OWN_FILE = "own_file"
    CONFLICT = "conflict"
    TAKES_AWAY = "takes_away"
    CONTRACT = "contract"
    AFTER = "after"
    SHARED_FILE = "shared_file"
    FOLDER = "folder"
    NO_FILE = "no_file"


_BESIDE: Final = frozenset({Reason.TAKES_AWAY, Reason.CONTRACT, Reason.AFTER, Reason.FOLDER})
"""Reasons that are another file's doing."""

FOR_ALL: Final = frozenset({Reason.SHARED_FILE, Reason.FOLDER})
"""Reasons that one file gives to several syncs."""

_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a sync has no runs until a file is mended.

    Attributes:
        reason: The kind.
        problem: The first problem of the faulty file, with its line, as a sentence.
        of: The sync whose file is faulty, or that it runs after; a file's name where it is no sync's.
        place: The destination that it removes from; empty for other reasons.
        sync: Its file as a model; None where its keys are not as they must be.
        schedule: When it is due; None where the file does not say it as it must.
        shared: The faulty files that are not its own and that it reads, each with its first problem as a sentence.
    """

    reason: Reason
    problem: str
    of: str = ""
    place: str = ""
    sync: SyncConfig | None = None
    schedule: ScheduleConfig | None = None
    shared: tuple[tuple[str, str], ...] = ()

    @property
    def healthy(self) -> SyncConfig | None:
        """The sync, where nothing is wrong with what it reads itself; otherwise None."""
        return self.sync if self.reason in _BESIDE else None

    @property
    def short(self) -> str:
        """For a cell of a table."""
        return {
            Reason.OWN_FILE: "its own file is faulty",
            Reason.CONFLICT: f"in conflict with {self.of}",
            Reason.TAKES_AWAY: f"could remove what {self.of} sends",
            Reason.CONTRACT: f"shares names with {self.of}, which cannot be read",
            Reason.AFTER: f"waits for {self.of}",
            Reason.SHARED_FILE: f"{self.of} is faulty",
            Reason.FOLDER: f"{self.of} is faulty",
            Reason.NO_FILE: "its file is gone",
        }[self.reason]

    @property
    def why(self) -> str:
        """One or two sentences, with the file and its line."""
        because = {
            Reason.OWN_FILE: "its own file is faulty",
            Reason.CONFLICT: f"it and {self.of} are in conflict",
            Reason.TAKES_AWAY: f"it removes what is gone from {self.place}, and what {self.of} sends is not known",
            Reason.CONTRACT: f"its contract shares names with {self.of}, and what that says of them is not known",
            Reason.AFTER: f"it runs after {self.of}, which is left out",
            Reason.SHARED_FILE: f"{self.of}, which it reads, is faulty",
            Reason.FOLDER: f"{self.of} is faulty, and one faulty file stops every sync of its folder",
            Reason.NO_FILE: "its file is gone; Dagster still has it until it reloads",
        }[self.reason]
        return f"{because}: {self.problem}" if self.problem else f"{because}."


def left_out(
    problems: Sequence[Problem],
    *,
    files: Iterable[SyncFile],
    syncs: Mapping[str, SyncConfig],
    defaults: Iterable[Defaults],
    contracts: Mapping[str, tuple[Contract, ...]],
    places: Collection[str],
    faulty_files: FaultyFiles,
) -> dict[str, LeftOut]:
    """The syncs that have no runs because of these problems, by name; all of them where a shared file has one.

    Args:
        problems: Of all files.
        files: Every sync's file; of two with one name, both.
        syncs: Those of them whose keys are as they must be.
        defaults: The files of defaults.
        contracts: By the sync's name.
        places: The names of workspaces and destinations.
        faulty_files: What the folder asks for.
    """
    every = list(files)
    at_fault: dict[str, list[Problem]] = {}
    if shared := shared_problems(problems, files=every, defaults=defaults):
        why = _at_fault("", shared, every)
        names = sorted({each.name for each in every})
        return {name: replace(why, sync=syncs.get(name), schedule=_schedule(name, every)) for name in names}
    for problem in problems:
        for name in {name for file in _about(problem) for name in _readers(file, every, defaults) or ()}:
            at_fault.setdefault(name, []).append(problem)
    found = {name: _at_fault(name, own, every) for name, own in at_fault.items()}
    for name in at_fault:
        mine = [each for each in every if each.name == name]
        if sends_what_is_known(name, at_fault[name], syncs):
            continue
        place = place_of(name, at_fault[name], every, places)
        for other, sync in syncs.items():
            if other in found:
                continue
            if place in (None, sync.destination) and takes_away(sync, [each for each in every if each.name == other]):
                found[other] = LeftOut(Reason.TAKES_AWAY, found[name].problem, name, sync.destination)
            elif any(map(defines, mine)) and any(map(shares_names, contracts.get(other, ()))):
                found[other] = LeftOut(Reason.CONTRACT, found[name].problem, name)
    if problems and faulty_files is FaultyFiles.STOP:
        first = min(problems)
        stopped = LeftOut(Reason.FOLDER, first_of(lines(problems)), first.file)
        found = {name: found[name] if name in at_fault else stopped for name in {each.name for each in every}}
    _add_waiting(found, syncs)
    return {
        name: replace(why, sync=syncs.get(name), schedule=_schedule(name, every)) for name, why in sorted(found.items())
    }


def named(left_out: Mapping[str, LeftOut]) -> str:
    """Who is left out and why, sentences; empty where no sync is."""
    if not left_out:
        return ""
    shown = [
        names if reason is Reason.OWN_FILE else f"{names} ({short})" for reason, names, short in by_reason(left_out)
    ]
    return f"Left out until the files are mended: {'; '.join(shown)}. {stops_all(left_out)}".rstrip()


def by_reason(left_out: Mapping[str, LeftOut]) -> Iterator[tuple[Reason, str, str]]:
    """Each reason with the names of its syncs, the first of many, and in short for all of them; own files first."""
    names: dict[tuple[bool, Reason, str], list[str]] = {}
    for name, why in sorted(left_out.items()):
        names.setdefault((why.reason is not Reason.OWN_FILE, why.reason, why.short), []).append(name)
    for (_, reason, short), alike in sorted(names.items()):
        more = len(alike) - _NAMED
        if reason is Reason.OWN_FILE and alike[1:]:
            short = "their own files are faulty"
        yield reason, ", ".join(alike[:_NAMED]) + (f" and {more:,} more" if more > 0 else ""), short


def stops_all(left_out: Mapping[str, LeftOut]) -> str:
    """The sentence for a folder that one faulty file stops; empty for another."""
    return _STOPS_ALL if any(why.reason is Reason.FOLDER for why in left_out.values()) else ""


def shared_problems(
    problems: Iterable[Problem], *, files: Sequence[SyncFile], defaults: Iterable[Defaults]
) -> list[Problem]:
    """Those of files that are every sync's, such as ``connections.yaml``: none may run while there is one."""
    return [each for each in problems if any(_readers(file, files, defaults) is None for file in _about(each))]


def first_of(problems: Sequence[str]) -> str:
    """The first of one or more problems and how many there are besides, as sentences."""
    first = problems[0] if problems[0].endswith(("?", ".")) else f"{problems[0]}."
    more = len(problems) - 1
    if not more:
        return first
    return f"{first} There {'is' if more == 1 else 'are'} {counted(more, 'more problem')}."


def _about(problem: Problem) -> tuple[str, ...]:
    return problem.about or (problem.file,)


def _readers(file: str, files: Sequence[SyncFile], defaults: Iterable[Defaults]) -> set[str] | None:
    """The syncs that a file is read for; None for one that is every sync's."""
    of_folder = next((each.folder for each in defaults if each.file == file), None)
    if of_folder is not None:
        return {each.name for each in files if each.folder is not None and each.folder.is_relative_to(of_folder)}
    return {each.name for each in files if file in (each.file, *each.query_files)} or None


def _at_fault(name: str, problems: Sequence[Problem], files: Sequence[SyncFile]) -> LeftOut:
    """Of a sync that reads a file with problems: its own, one that others read too, or another sync's beside it."""
    of = {each.file: {one.name for one in files if each.file in (one.file, *one.query_files)} for each in problems}
    first = min(problems, key=lambda problem: (name not in of[problem.file], problem))
    said, names = first_of(lines(problems)), of[first.file]
    about = {file: lines(each for each in problems if each.file == file) for file in of if not of[file]}
    shared = tuple(sorted((file, first_of(own)) for file, own in about.items()))
    kind = (Reason.OWN_FILE if name in names else Reason.CONFLICT) if names else Reason.SHARED_FILE
    return LeftOut(kind, said, name if name in names else min(names, default=first.file), shared=shared)


def _schedule(name: str, files: Sequence[SyncFile]) -> ScheduleConfig | None:
    """When a sync is due, as far as that key alone says it."""
    mine = [each.document.values for each in files if each.name == name and "schedule" in each.document.values]
    try:
        return read_schedule(mine[0]["schedule"]) if len(mine) == 1 else None
    except ValidationError:
        return None


def _add_waiting(found: dict[str, LeftOut], syncs: Mapping[str, SyncConfig]) -> None:
    """Adds the syncs that run after those that are left out, directly or through others."""
    while True:
        waiting = {
            name: next((other for other in sync.schedule.after_syncs if other in found), "")
            for name, sync in syncs.items()
            if name not in found
        }
        new = {name: LeftOut(Reason.AFTER, found[other].problem, other) for name, other in waiting.items() if other}
        if not new:
            return
        found |= new
