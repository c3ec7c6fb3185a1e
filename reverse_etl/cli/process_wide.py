"""What a run sets for the whole of its process; the package by itself, a library in others' processes, does not."""

from __future__ import annotations

from reverse_etl.cli.arrow_alone import let_arrow_be_alone
from reverse_etl.cli.shared_heaps import share_heaps
from reverse_etl.collector import collect_from_now_on


def save_memory() -> None:
    """To be called before the first thread begins, before Arrow's first array, and while no garbage is collected."""
    collect_from_now_on()
    share_heaps()
    let_arrow_be_alone()
