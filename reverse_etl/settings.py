"""The environment variables that reverse-etl itself reads, for its reference. Secrets have names of the user's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from reverse_etl.errors import ConfigError

TARGET_VARIABLE: Final = "REVERSE_ETL_TARGET"
_TARGET: Final = "{target}"


def value_of(variable: str) -> str:
    """The value of an environment variable, without line ends at its end: a mounted file has one. Empty for none."""
    return os.environ.get(variable, "").rstrip("\r\n")


def value_for_target(variable: str) -> str:
    """The value of a variable that names a place, with the target's name for its ``{target}``. Empty for none.

    Raises:
        ConfigError: A target is chosen and the value does not say where the target's name goes, or none is chosen and
            it does: two targets would share what each must have for itself.
    """
    value, target = value_of(variable), value_of(TARGET_VARIABLE)
    if value and target and _TARGET not in value:
        raise ConfigError(
            f"{variable} is the same place for every target, and {TARGET_VARIABLE} is {target}.",
            hint=f"Write {_TARGET} into {variable}, where the target's name belongs: no two targets share a state.",
        )
    if _TARGET in value and not target:
        raise ConfigError(
            f"{variable} has {_TARGET} in it, and no target is chosen.",
            hint=f"Give --target NAME, or set {TARGET_VARIABLE}.",
        )
    return value.replace(_TARGET, target)


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable.

    Attributes:
        name: The variable.
        default: What holds when it is not set, in words.
        meaning: A sentence or two.
        example: A value.
    """

    name: str
    default: str
    meaning: str
    example: str


SETTINGS: Final = (
    Setting(
        "REVERSE_ETL_SYNCS", "`./syncs`", "The folder of `connections.yaml` and the syncs.", "/srv/reverse-etl/syncs"
    ),
    Setting(
        TARGET_VARIABLE,
        "none",
        "The target, as `--target` names it: `connections.prod.yaml` has the workspaces of `prod`. Each target has its "
        "own home folder; a state or storage URL says `{target}` where its name belongs.",
        "prod",
    ),
    Setting(
        "REVERSE_ETL_HOME",
        "`.reverse_etl` beside the syncs folder",
        "The home folder: state database, changesets, failed rows and, without `DAGSTER_HOME`, Dagster's files.",
        "/var/lib/reverse-etl",
    ),
    Setting(
        "REVERSE_ETL_STATE_URL",
        "an SQLite file in the home folder",
        "Where last sync times, the history and the leases of workspaces are kept.",
        "postgresql://user:password@host/database",
    ),
    Setting(
        "REVERSE_ETL_STORAGE_URL",
        "the home folder",
        "Where several machines share changesets, journals and failed rows: a folder or a bucket.",
        "s3://bucket/reverse-etl",
    ),
    Setting(
        "REVERSE_ETL_SECRET",
        "the file `secret` in the home folder",
        "What the fingerprints of `changes: {by: compare}` are made with; the same on all machines that share.",
        "9f86d081884c7d659a2feaa0c55ad015",
    ),
    Setting(
        "REVERSE_ETL_RETRY_BUDGET_S",
        "600",
        "Seconds for which a run asks a workspace that gives no usable answer before it stops.",
        "120",
    ),
    Setting(
        "REVERSE_ETL_ANSWER_TIMEOUT_S",
        "30",
        "Seconds without a byte of an answer. A whole request takes 10 s to connect and twice as long at most.",
        "60",
    ),
    Setting(
        "REVERSE_ETL_READ_BACK_WAIT_S",
        "5, and 0 for the sandbox",
        "Seconds between the last request and reading back what was not applied.",
        "10",
    ),
)
"""In the order in which people meet them."""
