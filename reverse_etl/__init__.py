"""Reverse ETL on Dagster: rows from your databases, into Customer.io, each one accounted for.

The names of ``__all__`` are what a Dagster project of yours may rely on; everything else may change with any release.
They are imported when they are first used: the commands need no Dagster.

The folders follow the life of a row: ``config`` (what was asked for), ``sources`` (where rows come from),
``changeset`` (what one run read), ``shaping`` (what its columns become), ``checks`` (which rows may leave),
``changes`` (which of them are new or changed), ``destinations`` (how a row is encoded), ``delivery`` (sending),
``ledger`` (what became of each), ``state`` (what is remembered). ``run`` is one run from start to end, ``schedule``
says when it is due, ``notify`` who hears of it, ``defs`` is Dagster, ``cli`` the commands.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reverse_etl.defs.component import ReverseEtlComponent
    from reverse_etl.defs.io_managers import Frames
    from reverse_etl.defs.project import build_definitions
    from reverse_etl.defs.resources import CustomerIOResource, DatabaseResource, DestinationResource, HomeResource
    from reverse_etl.defs.translator import SyncAsset, SyncTranslator

__version__ = "0.1.0"

__all__ = [
    "CustomerIOResource",
    "DatabaseResource",
    "DestinationResource",
    "Frames",
    "HomeResource",
    "ReverseEtlComponent",
    "SyncAsset",
    "SyncTranslator",
    "build_definitions",
]

_MODULES = {
    "CustomerIOResource": "defs.resources",
    "DatabaseResource": "defs.resources",
    "DestinationResource": "defs.resources",
    "Frames": "defs.io_managers",
    "HomeResource": "defs.resources",
    "ReverseEtlComponent": "defs.component",
    "SyncAsset": "defs.translator",
    "SyncTranslator": "defs.translator",
    "build_definitions": "defs.project",
}

if not TYPE_CHECKING:  # where a type checker looks, a name that is not exported is a mistake

    def __getattr__(name: str) -> object:
        """Imports a public name when it is first used."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """The public names too, whether or not they were used: Dagster looks for components here."""
        return sorted({*globals(), *__all__})
