"""The place that all machines share, by URL: a folder, ``s3://``, ``gs://``, or whatever else fsspec opens.

    REVERSE_ETL_STORAGE_URL=s3://company-reverse-etl/production

Only whole files are put there and fetched, under names relative to the URL; others know what they mean. Credentials
are the provider's own: its variables, its files, the machine's role.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import ConfigError, StateError
from reverse_etl.files.private import PRIVATE_FILE, make_private_folder, open_private
from reverse_etl.http.certificates import untrusted
from reverse_etl.settings import value_for_target

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

STORAGE_URL_VARIABLE: Final = "REVERSE_ETL_STORAGE_URL"

_AT_ONCE: Final = 8
"""Files that are under way at once: each may be in memory whole."""

_PARTIAL: Final = ".partial"

_EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_PACKAGES: Final = {"abfs": "adlfs", "abfss": "adlfs", "az": "adlfs"}

_REASONS: Final[dict[type[Exception], str]] = {
    FileNotFoundError: "there is no such bucket or folder",
    PermissionError: "it refuses these credentials",
}
"""Errors that providers' libraries raise without words of the operating system's."""

_FAILURES: Final = {
    "botocore.exceptions": "BotoCoreError",
    "aiohttp": "ClientError",
    "google.auth.exceptions": "GoogleAuthError",
    "gcsfs.retry": "HttpError",
    "azure.core.exceptions": "AzureError",
}
"""What providers' libraries raise beside OSError, by module; only those are asked that are in use."""


class Storage:
    """Whole files under one URL.

    Args:
        url: As fsspec takes it, or a folder's path.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._shown = re.sub("(://[^/:@]*):[^/@]*@", r"\1@", self._url)

    def address(self, name: str) -> str:
        """Where a file or folder lies, for people; a password in the URL is left out."""
        return f"{self._shown}/{name}"

    def put(self, files: Mapping[str, Path]) -> None:
        """Puts files there, each whole or not at all, over what has its name. Raises StateError, ConfigError.

        Args:
            files: Paths by name.
        """
        for some in _chunks(files):
            sources, targets = [str(path) for path in some.values()], [self._path(name) for name in some]
            with self._reached("written"):
                if not self._is_folder:
                    self._system.put(sources, targets)
                    continue
                # Nothing is to be seen of a file that is still being written.
                partial = [f"{target}.{secrets.token_hex(4)}{_PARTIAL}" for target in targets]
                self._system.put(sources, partial)
                for path, target in zip(map(Path, partial), targets, strict=True):
                    path.chmod(PRIVATE_FILE)
                    path.replace(target)

    def write(self, name: str, content: bytes) -> None:
        """Puts one small file there, whole or not at all. Raises StateError, ConfigError."""
        with tempfile.NamedTemporaryFile(prefix="reverse-etl-") as file:
            file.write(content)
            file.flush()
            self.put({name: Path(file.name)})

    def fetch(self, files: Mapping[str, Path]) -> None:
        """Brings files here, each whole or not at all, readable by their owner alone. Raises StateError, ConfigError.

        Args:
            files: Paths by name; their folders are made.
        """
        for some in _chunks(files):
            arrived = [path.with_name(f"{path.name}.{secrets.token_hex(4)}{_PARTIAL}") for path in some.values()]
            with self._reached("copied to this machine"):
                for path in arrived:
                    make_private_folder(path.parent)
                    os.close(open_private(path, os.O_WRONLY))
                self._system.get([self._path(name) for name in some], [str(path) for path in arrived])
                for source, path in zip(arrived, some.values(), strict=True):
                    source.replace(path)

    def has(self, name: str) -> bool:
        """Whether there is such a file. Raises StateError, ConfigError."""
        with self._reached("read"):
            found: bool = self._system.isfile(self._path(name))
        return found

    def read(self, name: str) -> bytes | None:
        """One small file; None where there is none. Raises StateError, ConfigError."""
        with self._reached("read"):
            try:
                content: bytes = self._system.cat_file(self._path(name))
            except FileNotFoundError:
                return None
        return content

    def read_all(self, names: list[str]) -> list[bytes]:
        """Small files, in the order of their names, many at once. Raises StateError, also where one is gone."""
        with self._reached("read"):
            found: dict[str, bytes] = self._system.cat([self._path(name) for name in names]) if names else {}
        return [found[path] for path in sorted(found)]

    def names(self, folder: str) -> list[str]:
        """The names of all files below a folder, relative to it, sorted; none where there is no such folder.

        Raises:
            StateError: The place cannot be reached.
            ConfigError: It cannot be used.
        """
        top = self._path(folder)
        with self._reached("read"):
            found = self._system.find(top)
        return sorted(path[len(top) + 1 :] for path in found if not path.endswith(_PARTIAL))

    def remove(self, name: str) -> None:
        """Removes a file, or a folder with all in it, where there is one. Raises StateError, ConfigError."""
        with self._reached("written"):
            try:
                self._system.rm(self._path(name), recursive=True)
            except FileNotFoundError:
                return

    @property
    def _is_folder(self) -> bool:
        return "file" in self._system.protocol

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @property
    def _system(self) -> AbstractFileSystem:
        return self._opened[0]

    @property
    def _root(self) -> str:
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[AbstractFileSystem, str]:
        """The file system and the URL's path in it. Nothing is remembered of what others may change."""
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        if re.fullmatch(r"\w[\w+.-]+:", self._url):
            # `s3://` and no more, without the slashes at its end: a folder here, to fsspec.
            raise _unusable()
        protocol = self._url.partition("://")[0] if "://" in self._url else "file"
        try:
            system, root = url_to_fs(self._url, use_listings_cache=False, skip_instance_cache=True)
        except ImportError:
            extra = _EXTRAS.get(protocol)
            package = f"reverse-etl[{extra}]" if extra else _PACKAGES.get(protocol, f"fsspec's package for {protocol}")
            raise ConfigError(
                f"{STORAGE_URL_VARIABLE} begins with {protocol}://, and the package for that is not installed.",
                hint=f'Run: pip install "{package}"',
            ) from None
        except ValueError:
            raise _unusable() from None
        if "file" in system.protocol:
            system.auto_mkdir = True
            with self._reached("written"):
                make_private_folder(Path(root))
        return system, root.rstrip("/")

    @contextmanager
    def _reached(self, done: str) -> Iterator[None]:
        try:
            yield
        except _failures() as error:
            if found := untrusted(error):
                raise StateError(
                    f"{self._shown} cannot be {done}: its TLS certificate is not trusted ({found.verify_message}).",
                    hint="Where a company's own authority signs, name a PEM file that has it: AWS_CA_BUNDLE for s3://, "
                    "SSL_CERT_FILE for other places.",
                ) from error
            reason = getattr(error, "strerror", None) or _REASONS.get(type(error))
            raise StateError(
                f"{self._shown} cannot be {done}: {reason or type(error).__name__}.",
                hint=f"Look at {STORAGE_URL_VARIABLE}, and at what its credentials may do: list, read, write, delete.",
            ) from error


def storage_from_environment() -> Storage | None:
    """The place that ``REVERSE_ETL_STORAGE_URL`` names; None where nothing is shared. Raises ConfigError."""
    url = value_for_target(STORAGE_URL_VARIABLE)
    return _opened(url) if url else None


@cache
def _opened(url: str) -> Storage:
    return Storage(url)


def _unusable() -> ConfigError:
    return ConfigError(
        f"{STORAGE_URL_VARIABLE} is not a usable URL.",
        hint="Give a folder, s3://bucket/folder, gs://bucket/folder or abfs://container/folder.",
    )


def in_order() -> str:
    """A name that sorts after those that were given before, and that no other process gives."""
    return f"{time.time_ns():020d}-{secrets.token_hex(4)}"


def _failures() -> tuple[type[Exception], ...]:
    found = [getattr(import_module(module), name) for module, name in _FAILURES.items() if module in sys.modules]
    return (OSError, *found)


def _chunks(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    entries = list(files.items())
    for start in range(0, len(entries), _AT_ONCE):
        yield dict(entries[start : start + _AT_ONCE])
