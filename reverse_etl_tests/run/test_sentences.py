"""Sentences of a run's message."""

from __future__ import annotations

from reverse_etl.run.sentences import joined


def test_a_command_ends_before_the_next_sentence() -> None:
    """Where nothing follows it stands without a full stop, to be copied."""
    everything, errors = "To send all rows: reverse-etl run a --full", "See: reverse-etl errors a"
    assert f"One failed. {everything}. {errors}" == joined("One failed.", "", everything, errors)
    assert "" == joined("", "")
