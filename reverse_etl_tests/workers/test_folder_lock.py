"""One process works on a run's folder, and its end, however it comes, is seen at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reverse_etl.errors import StateError
from reverse_etl.workers.folder_lock import claim, claimed, release

OTHER = """
import sys
from pathlib import Path
from reverse_etl.workers.folder_lock import claim
claim(Path(sys.argv[1]))
print("claimed", flush=True)
sys.stdin.readline()
"""


def other(folder: Path) -> subprocess.Popen[str]:
    """Another process that works on the folder until it is ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    return process


def test_a_folder_is_free_again_when_its_process_was_killed(tmp_path: Path) -> None:
    """While it lives others are refused, after SIGKILL the next one has it."""
    folder = tmp_path / "run"
    assert not claimed(folder)
    process = other(folder)
    assert claimed(folder)
    with pytest.raises(StateError, match="another process works on"):
        claim(folder, patience_s=0.05)
    process.kill()
    process.communicate()
    assert not claimed(folder)
    claim(folder, patience_s=0)
    release(folder)


def test_who_waits_has_it_as_soon_as_it_is_free(tmp_path: Path) -> None:
    """The other process ends in order; the claim that waited for it succeeds."""
    process = other(tmp_path)
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    claim(tmp_path, patience_s=10)
    release(tmp_path)
    process.communicate()


def test_a_process_does_not_stand_in_its_own_way(tmp_path: Path) -> None:
    """Each stage of a run claims the folder again; releasing once is enough, and twice is no harm."""
    claim(tmp_path)
    claim(tmp_path)
    assert claimed(tmp_path)
    release(tmp_path)
    assert not claimed(tmp_path)
    release(tmp_path)
    process = other(tmp_path)
    process.kill()
    process.communicate()


def test_a_folder_that_cannot_be_written_is_a_state_error(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        claim(tmp_path / "file" / "run")
