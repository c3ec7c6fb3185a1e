"""What a run sets for the whole of its process; the package by itself, a library in others' processes, does not."""

from __future__ import annotations

from reverse_etl.cli.arrow_alone import let_arrow_be_alone
from reverse_etl.cli.shared_heaps import share_heaps


def save_memory() -> None:
    """To be called before the first thread begins, and before Arrow's first array."""
    share_heaps()
    let_arrow_be_alone()
