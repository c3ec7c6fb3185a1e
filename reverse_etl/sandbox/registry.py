"""Which stand-ins there are: each folder here that has a module ``standin``, found without importing any.

``plugins`` is not used: a stand-in that shared code with what it tests would share its mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Final

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox.base import Standin
from reverse_etl.sandbox.settings import changed, parsed

DEFAULT: Final = "customerio"


@cache
def names() -> tuple[str, ...]:
    """The names of all stand-ins, sorted."""
    folders = files(__package__).iterdir()
    return tuple(sorted(folder.name for folder in folders if folder.joinpath("standin.py").is_file()))


def load(name: str) -> type[Standin]:
    """The class that a stand-in's module gives as ``STANDIN``.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in names():
        raise ConfigError(f"there is no sandbox of {name}.", hint=f"There is one of {', '.join(names())}.")
    standin: type[Standin] = import_module(f"{__package__}.{name}.standin").STANDIN
    return standin


def chosen(wanted: Sequence[str], assignments: Iterable[str]) -> list[Standin]:
    """The stand-ins of these names, Customer.io's where there is none, each with what ``NAME.SETTING=VALUE`` sets.

    Raises:
        ConfigError: There is none of a name, or no such setting.
    """
    classes = {name: load(name) for name in wanted or (DEFAULT,)}
    values = parsed(assignments, classes)
    try:
        return [standin(changed(standin.SETTINGS(), values[name])) for name, standin in classes.items()]
    except ValueError as error:
        raise ConfigError(f"--set: {error}.", hint="Write --set NAME.SETTING=VALUE.") from None
