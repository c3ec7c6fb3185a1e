"""The project: all syncs with what they share. Reading lives in ``loader``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reverse_etl.config.connections import RetentionConfig
from reverse_etl.config.dictionary_file import Dictionary

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.config.monitoring import MonitoringConfig
    from reverse_etl.config.notify import ChannelConfig
    from reverse_etl.config.syncs import SyncConfig


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """Everything in the folder ``syncs/``, by name: syncs in alphabetical order, the others as written.

    Attributes:
        directory: Absolute.
        dictionary: What names mean; those that syncs define are among them.
        left_out: Syncs that faulty files keep from running (``left_out``); they are not among ``syncs``.
        warnings: Lines like those of problems, about what is allowed and worth a look.
    """

    directory: Path
    databases: dict[str, DatabaseConfig]
    destinations: dict[str, DestinationConfig]
    syncs: dict[str, SyncConfig]
    notify: dict[str, ChannelConfig] = field(default_factory=dict)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    monitoring: MonitoringConfig | None = None
    dictionary: Dictionary = field(default_factory=Dictionary)
    warnings: tuple[str, ...] = ()
    left_out: dict[str, LeftOut] = field(default_factory=dict)
