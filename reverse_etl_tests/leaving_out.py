"""A folder whose faulty files leave out what depends on them, instead of stopping every sync."""

from __future__ import annotations

from pathlib import Path


def leaves_out(syncs: Path) -> None:
    """Adds ``faulty_files: leave_out`` to the connections of a folder of syncs."""
    file = syncs / "connections.yaml"
    file.write_text(f"{file.read_text()}\nfaulty_files: leave_out\n")
