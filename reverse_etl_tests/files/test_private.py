"""Files appear whole, for their owner alone, or not at all."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from reverse_etl.errors import StateError
from reverse_etl.files.private import make_private_folder, open_private, partial_of, replacing, whole_file
from reverse_etl_tests.test_house_rules import MODULES, PACKAGE, parsed


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return path.stat().st_mode & 0o777


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    """Until then what was there is; afterwards its owner alone can read it, whoever could before."""
    path = tmp_path / "facts.json"
    path.write_bytes(b"old")
    path.chmod(0o644)
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert b"old" == path.read_bytes()
    assert (b"new", 0o600) == (path.read_bytes(), mode(path))
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("opened", [whole_file, replacing])
def test_a_block_that_fails_leaves_what_was_there(opened: type, tmp_path: Path) -> None:
    """Nothing half written stays."""
    path = tmp_path / "facts.json"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), opened(path) as file:
        file.writelines([b"n", "no bytes"])
    assert b"old" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_what_a_process_left_half_written_is_no_hindrance(tmp_path: Path) -> None:
    """It is written over, with the right to read it taken back."""
    path = tmp_path / "facts.json"
    partial_of(path).write_bytes(b"left behind, and longer")
    partial_of(path).chmod(0o644)
    with whole_file(path) as file:
        file.write(b"new")
    assert (b"new", 0o600) == (path.read_bytes(), mode(path))


def test_a_full_disk_is_reported_with_the_file_and_a_way_out(tmp_path: Path) -> None:
    """A file that had another content keeps it."""
    path = tmp_path / "facts.json"
    path.write_bytes(b"old")
    partial_of(path).symlink_to("/dev/full")
    with pytest.raises(StateError) as raised, whole_file(path) as file:
        file.write(b"new")
    assert raised.value.message == f"{path} cannot be written: No space left on device."
    assert raised.value.hint.startswith("Free some space")
    assert b"old" == path.read_bytes()


def test_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Those that are made; one that exists stays as it is."""
    tmp_path.chmod(0o755)
    make_private_folder(tmp_path / "a" / "b")
    assert [0o755, 0o700, 0o700] == [mode(path) for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]


def test_files_are_made_in_one_place() -> None:
    """Who opens a descriptor past it decides again who can read a person's rows."""
    makers = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if "os.open" in path.read_text(encoding="utf-8")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.open"
    }
    # The sandbox imports nothing of ours; the process of a transform opens nothing but /dev/null.
    assert {"files/private.py", "sandbox/customerio/storage.py", "shaping/_child.py"} == makers


def test_a_pipe_or_device_keeps_its_mode(tmp_path: Path) -> None:
    """Somebody else may use it: a link to ``/dev/full`` took the right to write to it from everybody."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    os.close(open_private(pipe, os.O_RDWR))
    assert 0o666 == mode(pipe)
