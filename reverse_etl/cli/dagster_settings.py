"""What Dagster's settings are: as shipped or the user's own, what they lack, and whether they name a storage."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

DAGSTER_HOME_VARIABLE: Final = "DAGSTER_HOME"

SHIPPED: Final = {
    "dagster.yaml": (
        "38059d7b4df27bd8a22e7ef71a94d788f5c1f434d59f46740634e9dda6bf0723",
        "69ac8517af80254817c87b5c175719240f0f23db23c53625bbb3b5c43090641a",
        "d6f8a300521aa1d7d11ed6724860aebaf8dc6f4b2e34dc979cfd845142837020",
        "9534546152406000963228b6c8c470a394d796a084adbc83648872121425318b",
        "dced0f61982ea846c1757022fec1634d838523f4872e9c8be4268a16b5e25601",
        "9f1e30e060967fa1ebcfd2c74f647a7519226c8a61cc021e1cf52c941f74bd67",
    ),
    "workspace.yaml": (
        "16a0bb238674b4f05631e2dff1404b11be2fd98dfa371a8bcb30c82079485c68",
        "6066633c2faa6dbd68bb34a7dbcfc38d1b100a021b68e4011f995826f68a8266",
    ),
}
"""SHA-256 of every version, today's last: who has an earlier one has not edited it. Only ever add to these."""

_NEEDED: Final = ("run_coordinator", "run_launcher", "concurrency", "run_monitoring", "python_logs")
"""Without these, runs of one workspace get into each other's way, dead ones stay, or every event is printed."""


def whose_settings(folder: Path) -> str:
    """Whose the ``dagster.yaml`` of Dagster's folder is, in words."""
    try:
        version = hashlib.sha256((folder / "dagster.yaml").read_bytes()).hexdigest()
    except FileNotFoundError:
        return "none" if os.environ.get(DAGSTER_HOME_VARIABLE) else "as shipped, from the first run on"
    except OSError:
        return "cannot be read"
    *earlier, today = SHIPPED["dagster.yaml"]
    if version in earlier:
        return "as an earlier release shipped them"
    return "as shipped" if version == today else "your own"


def missing_settings(folder: Path) -> tuple[str, ...]:
    """What a ``dagster.yaml`` lacks that syncs rely on: all where there is none, nothing where it cannot be read."""
    import yaml

    try:
        settings = yaml.safe_load((folder / "dagster.yaml").read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return _NEEDED
    except (OSError, ValueError, yaml.YAMLError):
        return ()  # Dagster reports it
    return tuple(key for key in _NEEDED if key not in settings) if isinstance(settings, dict) else ()


def how_to_add_settings() -> str:
    """What to do where settings are missing: a clause, without an end."""
    named = bool(os.environ.get(DAGSTER_HOME_VARIABLE))
    otherwise = f"unset {DAGSTER_HOME_VARIABLE}" if named else "move the file away: then `ui` writes it again"
    return f"add them as in reverse_etl/defs/dagster.yaml, which reverse-etl ships, or {otherwise}"


def stored_elsewhere(folder: Path) -> bool:
    """Whether Dagster's settings name a storage, such as a Postgres server, rather than the folder's files."""
    import yaml

    try:
        settings = yaml.safe_load((folder / "dagster.yaml").read_text(encoding="utf-8")) or {}
    except OSError:
        return False
    except yaml.YAMLError:
        return True
    return not {"storage", "run_storage", "schedule_storage"}.isdisjoint(settings)
