"""Which syncs a faulty file leaves out: its own, those after it, and those that could do harm beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reverse_etl.cli.project import warn_of
from reverse_etl.config.inspection import Inspection
from reverse_etl.config.left_out import by_reason
from reverse_etl.config.loader import inspect_project, load_runnable
from reverse_etl.errors import ConfigError, ConfigProblemsError

CONNECTIONS = """\
faulty_files: leave_out
databases: {shop: {type: sqlite, path: shop.db}}
workspaces:
  main: {region: us, site_id: "${KEY}", track_api_key: "${KEY}", app_api_key: "${KEY}"}
  other: {region: us, site_id: "${KEY}", track_api_key: "${KEY}"}
"""
PLAIN = "database: shop\nworkspace: main\nschedule: manual\npeople: {}\nquery: SELECT id FROM t\n"
FAULTY = PLAIN + "chekcs: []\n"
GONE = PLAIN.replace("people: {}", "people: {gone: delete}\nchanges: {by: compare}")
MIRROR = PLAIN.replace("people: {}", "people: {segment: {name: Shop, mirror: true}}")
RELATED = PLAIN + "relationships: {identify_by: id, query: 'SELECT id, o AS object_id%s FROM r'}\n"
ENFORCED = PLAIN + "contract: enforce\nattributes: {id: {description: Its number}}\n"
MEANING = PLAIN + "attributes: {id: {description: Its number}}\nchekcs: []\n"
TWO = PLAIN + "attributes: {id: {type: %s}}\n"


ELSEWHERE = PLAIN.replace("main", "other").replace("manual", "{after: a}")


def after(name: str) -> str:
    """A sync that runs after another."""
    return PLAIN.replace("schedule: manual", f"schedule: {{after: {name}}}")


def inspected(folder: Path, files: dict[str, str]) -> Inspection:
    """A folder of these files, by their names without the ending."""
    for name, text in {"connections": CONNECTIONS, **files}.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return inspect_project(folder)


@pytest.mark.parametrize(
    ("files", "left_out"),
    [
        ({"x": FAULTY, "a": PLAIN}, {"x": "own_file"}),
        ({"x": "<<<<<<< ours\n" + PLAIN, "a": PLAIN}, {"x": "own_file"}),
        ({"x": "", "a": PLAIN}, {"x": "own_file"}),
        ({"x": FAULTY, "a": after("x"), "b": after("a"), "c": PLAIN}, {"x": "own_file", "a": "after", "b": "after"}),
        ({"x": FAULTY, "a": GONE}, {"x": "own_file", "a": "takes_away"}),
        (
            {"x": FAULTY, "a": GONE, "b": ELSEWHERE},
            {"x": "own_file", "a": "takes_away", "b": "after"},
        ),
        ({"x": FAULTY.replace("main", "other"), "a": GONE}, {"x": "own_file"}),
        ({"x": FAULTY.replace("workspace: main", "workspce: other"), "a": GONE}, {"x": "own_file", "a": "takes_away"}),
        ({"x": FAULTY.replace("main", "mian"), "a": GONE}, {"x": "own_file", "a": "takes_away"}),
        ({"x": FAULTY + "destination: other\n", "a": GONE}, {"x": "own_file", "a": "takes_away"}),
        ({"x": "<<<<<<< ours\n" + PLAIN.replace("main", "other"), "a": GONE}, {"x": "own_file", "a": "takes_away"}),
        ({"x": FAULTY, "a": MIRROR}, {"x": "own_file", "a": "takes_away"}),
        ({"x": FAULTY, "a": RELATED % ", d AS deleted"}, {"x": "own_file", "a": "takes_away"}),
        ({"x": FAULTY, "a": RELATED % ""}, {"x": "own_file"}),
        ({"x": FAULTY, "a": ENFORCED}, {"x": "own_file"}),
        ({"x": MEANING, "a": ENFORCED}, {"x": "own_file", "a": "contract"}),
        ({"x": MEANING, "a": ENFORCED.replace("enforce", "warn")}, {"x": "own_file"}),
        ({"a": GONE, "b": PLAIN, "c": PLAIN.replace("main", "other")}, {"a": "own_file", "b": "conflict"}),
        ({"a": TWO % "text", "b": TWO % "number", "c": PLAIN}, {"a": "conflict", "b": "own_file"}),
        ({"a": PLAIN, "b/a": PLAIN, "c": PLAIN}, {"a": "own_file"}),
        ({"a": PLAIN, "b/A": PLAIN, "c": PLAIN}, {"A": "conflict", "a": "own_file"}),
        ({"a": after("b"), "b": after("a"), "c": PLAIN}, {"a": "own_file", "b": "conflict"}),
        ({"a": after("x"), "c": PLAIN}, {"a": "own_file"}),
        ({"a": after("x"), "c": MIRROR}, {"a": "own_file"}),
        ({"a": after("x") + "chekcs: []\n", "c": MIRROR}, {"a": "own_file", "c": "takes_away"}),
        ({"_defaults": "max_rows: none\n", "a": PLAIN}, {"a": "shared_file"}),
        ({"b/_defaults": "workspce: main\n", "b/a": PLAIN, "c": PLAIN}, {"a": "shared_file"}),
        (
            {"b/_defaults": "workspce: main\n", "b/a": PLAIN.replace("main", "other"), "c": GONE},
            {"a": "shared_file", "c": "takes_away"},
        ),
        ({"connections": CONNECTIONS + "notfy: {}\n", "a": PLAIN}, {"a": "shared_file"}),
        ({"dictionary": "atributes: {}\n", "a": PLAIN}, {"a": "shared_file"}),
        ({"b/connections": CONNECTIONS, "a": PLAIN}, {"a": "shared_file"}),
        ({"connections": CONNECTIONS + "notify: {n: {type: slack, url: '${U}', syncs: [y]}}\n", "a": PLAIN},
         {"a": "shared_file"}),
    ],
)  # fmt: skip
def test_what_a_faulty_file_leaves_out(tmp_path: Path, files: dict[str, str], left_out: dict[str, str]) -> None:
    """By the reason; every other sync may run, unless the file is one that all of them read."""
    found = inspected(tmp_path, files)
    assert left_out == {name: why.reason.value for name, why in found.left_out.items()}
    names = {Path(name).name for name in files} - {"_defaults", "connections", "dictionary"}
    everywhere = {"connections", "dictionary", "b/connections"} & files.keys()
    assert everywhere or found.runnable is not None
    if found.runnable is not None:
        assert names - left_out.keys() == found.runnable.syncs.keys()
        assert found.left_out == found.runnable.left_out
    assert found.project is None
    assert found.problems


def test_one_faulty_file_stops_every_sync_unless_the_folder_says_otherwise(tmp_path: Path) -> None:
    """With the list of all problems, and what to do; what is in conflict or faulty itself says so."""
    files = {"connections": CONNECTIONS.partition("\n")[2], "x": FAULTY, "a": PLAIN, "b": after("a"), "c": MIRROR}
    found = inspected(tmp_path, files)
    assert None is found.runnable
    reasons = {name: why.reason.value for name, why in found.left_out.items()}
    assert {"x": "own_file", "a": "folder", "b": "folder", "c": "folder"} == reasons
    assert f"{tmp_path}/x.yaml is faulty, and one faulty file stops every sync" in found.left_out["a"].why
    with pytest.raises(
        ConfigProblemsError, match=r"x\.yaml:6: chekcs(?s:.*)`faulty_files: leave_out` in conn"
    ) as raised:
        load_runnable(tmp_path)
    assert 1 == len(raised.value.problems)
    (tmp_path / "x.yaml").write_text(PLAIN)
    assert 4 == len(load_runnable(tmp_path).syncs)


@pytest.mark.parametrize("text", ["stopp", "[stop]", "", "true"])
def test_another_word_for_faulty_files_is_a_problem(tmp_path: Path, text: str) -> None:
    """Which names those that there are."""
    connections = CONNECTIONS.replace("leave_out", text)
    found = inspected(tmp_path, {"connections": connections, "a": PLAIN})
    assert ["must be one of: stop, leave_out"] == [each.text for each in found.problems]
    assert [1] == [each.line for each in found.problems]


def test_a_file_that_cannot_be_opened_is_a_sync_that_is_left_out(tmp_path: Path) -> None:
    """What names it, an `after` or a channel, is no mistake."""
    (tmp_path / "x.yaml").mkdir()
    watching = CONNECTIONS + "notify: {n: {type: slack, url: '${U}', syncs: [x]}}\n"
    found = inspected(tmp_path, {"connections": watching, "a": after("x"), "b": PLAIN})
    assert {"x": "own_file", "a": "after"} == {name: why.reason.value for name, why in found.left_out.items()}
    assert found.runnable is not None
    assert ["b"] == list(found.runnable.syncs)


def test_a_sync_that_waits_is_still_beside_others(tmp_path: Path) -> None:
    """What it sent stays there, so what another takes away is compared with it."""
    compared = after("x").replace("people: {}", "people: {}\nchanges: {by: compare}")
    files = {"x": FAULTY.replace("main", "other"), "a": compared, "b": GONE}
    found = inspected(tmp_path, files).runnable
    assert found is not None
    assert (("rows", "a", "rows"),) == found.syncs["b"].beside
    assert ["a", "x"] == list(found.left_out)


@pytest.mark.parametrize(
    ("files", "name", "short", "why"),
    [
        ({"x": FAULTY}, "x", "its own file is faulty", "its own file is faulty: {}/x.yaml:6: chekcs: unknown key;"),
        ({"x": FAULTY, "a": GONE}, "a", "could remove what x sends",
         "it removes what is gone from main, and what x sends is not known: {}/x.yaml:6: chekcs: "),
        ({"x": FAULTY, "a": after("x")}, "a", "waits for x",
         "it runs after x, which is left out: {}/x.yaml:6: chekcs: "),
        ({"_defaults": "max_rows: none\n", "a": PLAIN}, "a", "{}/_defaults.yaml is faulty",
         "{0}/_defaults.yaml, which it reads, is faulty: {0}/_defaults.yaml:1: max_rows: "),
    ],
)  # fmt: skip
def test_the_reason_names_the_file_and_the_line(
    tmp_path: Path, files: dict[str, str], name: str, short: str, why: str
) -> None:
    """In a cell, and in a sentence."""
    found = inspected(tmp_path, files).left_out[name]
    assert short.format(tmp_path) == found.short
    assert found.why.startswith(why.format(tmp_path))
    assert found.why.endswith((".", "?"))


def test_without_syncs_a_faulty_shared_file_still_stops_all(tmp_path: Path) -> None:
    """There is nothing to run, and nothing is said to be in order."""
    (tmp_path / "connections.yaml").write_text("notfy: {}\n")
    with pytest.raises(ConfigProblemsError, match="notfy"):
        load_runnable(tmp_path)


def no_permission(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be listed. Tests run as root, too, whom no mode stops."""
    scandir = os.scandir

    def refused(path: str) -> object:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    folder.mkdir()
    monkeypatch.setattr(os, "scandir", refused)


def no_mount(folder: Path, _: pytest.MonkeyPatch) -> None:
    """A link to what was mounted once."""
    folder.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize("setting", ["leave_out", "stop"])
@pytest.mark.parametrize(
    ("name", "hide", "said"),
    [
        ("team", no_permission, "cannot be read: Permission denied"),
        ("team.yaml", no_permission, "cannot be read: Permission denied"),
        ("team", no_mount, "is a symbolic link that leads nowhere, so that syncs may be missing: mend it, or"),
    ],
)
def test_a_folder_that_may_hide_syncs_stops_every_sync(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    name: str,
    hide: Callable[[Path, pytest.MonkeyPatch], None],
    said: str,
) -> None:
    """Whoever takes away would take what a hidden sync sends."""
    hide(tmp_path / name, monkeypatch)
    connections = CONNECTIONS.replace("leave_out", setting)
    found = inspected(tmp_path, {"connections": connections, "a": GONE, "b": PLAIN.replace("main", "other")})
    assert found.runnable is None
    assert {"a", "b"} <= found.left_out.keys()
    assert f"{tmp_path / name}: {said}" in " ".join(map(str, found.problems))
    assert f"{tmp_path / name}: {said}" in " ".join(map(str, found.concerning(["b"])[0]))
    with pytest.raises(ConfigProblemsError):
        load_runnable(tmp_path)


def test_a_file_that_is_gone_since_it_was_listed_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Editors write beside a file and rename."""
    scandir = os.scandir

    class Listed:
        def __enter__(self) -> list[os.DirEntry[str]]:
            with scandir(tmp_path) as entries:
                found = list(entries)
            (tmp_path / "a.yaml~").unlink(missing_ok=True)
            return found

        def __exit__(self, *_: object) -> None: ...

    (tmp_path / "a.yaml~").write_text("")
    monkeypatch.setattr(os, "scandir", lambda _: Listed())
    assert [] == inspected(tmp_path, {"a": PLAIN}).problems
    assert not (tmp_path / "a.yaml~").exists()


def test_a_top_folder_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, and before any file of it is asked for."""
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (tmp_path, os.R_OK | os.X_OK))
    with pytest.raises(ConfigError, match="cannot be read: permission denied"):
        inspected(tmp_path, {"a": PLAIN})


def test_the_warning_counts_files_and_not_their_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in conflict with many others is one; so is one with several problems."""
    found = inspected(tmp_path, {"a": GONE, **dict.fromkeys("bcd", PLAIN), "x": FAULTY + "descrption: x\n"})
    warn_of(found.left_out)
    said = " ".join(capsys.readouterr().err.split())
    assert " 1 more file is faulty. Left out until the files are mended: a, x; b, c, d (in conflict with a)." in said
    assert ["a, x", "b, c, d"] == [names for _, names, _ in by_reason(found.left_out)]
    assert "their own files are faulty" == next(short for _, _, short in by_reason(found.left_out))
