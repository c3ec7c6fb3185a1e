"""What syncs share: databases and destinations. The keys of each kind: ``sources.<type>``, ``destinations.<type>``."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.intervals import Interval, IntervalOrZero
from reverse_etl.config.model import YamlModel

FOLDER: Final = "folder"
"""Key of the validation context that holds the folder of the file being read."""


def _beside_file(path: Path, info: ValidationInfo) -> Path:
    if "${" in str(path):
        raise ValueError("an environment variable cannot be used here")
    folder: Path | None = (info.context or {}).get(FOLDER)
    path = path.expanduser()
    return path if folder is None else (folder / path).resolve()


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name!r}: write one like UTC or Europe/Berlin") from None
    return name


def insecure(url: str, *, like: str = "https://example.com") -> str | None:
    """What is wrong with an address, or None; ``like`` is a good one. Plain http is for this machine only."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"}:
        return f"must be an address like {like}"
    if parts.username is not None or parts.password is not None:
        return "must not contain a user name or password"
    if parts.scheme == "http" and not _loopback(host):
        return "must start with https:// (plain http is for this machine only: localhost, 127.0.0.1)"
    return None


def on_this_machine(url: str) -> bool:
    """Whether an address is one of the loopback interface."""
    return _loopback(urlsplit(url).hostname or "")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_address(url: EnvText, *, like: str = "https://example.com") -> EnvText:
    """The address; raises ValueError where it is none, unless a variable holds it. ``like`` is a good one."""
    if "${" not in url.template and (problem := insecure(url.template, like=like)):
        raise ValueError(problem)
    return url


PathBesideFile = Annotated[Path, AfterValidator(_beside_file)]
"""A path in YAML, made absolute from the folder of the file that names it; left alone when made in code."""

Timezone = Annotated[str, AfterValidator(_timezone)]
"""An IANA time zone name."""

Address = Annotated[EnvText, AfterValidator(checked_address)]
"""An https address; http only to loopback."""


def _asset_path(value: object) -> object:
    parts = value.split("/") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not parts or not all(isinstance(part, str) and part for part in parts):
        raise ValueError("must be the key of an asset: its parts with / between them, or a list of them")
    return tuple(parts)


AssetPath = Annotated[
    tuple[str, ...],
    BeforeValidator(_asset_path),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""The key of an asset in YAML: ``staging/customers`` or ``[staging, customers]``."""


class DbtConfig(YamlModel):
    """A dbt project, for ``ref`` and ``source`` in queries and for the assets that stand upstream of syncs."""

    manifest: PathBesideFile = Field(
        description="target/manifest.json of the dbt project, which `dbt parse` writes; relative to this file."
    )


class DatabaseConfig(YamlModel):
    """One entry of ``databases``.

    Attributes:
        name: Its key in ``databases``; set by the loader.
        type: The engine, which is the name of its module in ``reverse_etl.sources``.
        timezone: How date-times without a zone are read.
        late: How long after its time a row may become visible. None: as the server reports, else 10 minutes.
        asset_keys: By the name of a table as queries have it: the key of the asset that makes it.
        USUAL: Keys that have a default and that most entries have nevertheless: `init` writes them too.
        ASKED: Keys that `init` asks for, and leaves out where there is no answer.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset({"name"})
    USUAL: ClassVar[frozenset[str]] = frozenset({"password"})
    ASKED: ClassVar[frozenset[str]] = frozenset()

    name: str = ""
    type: str = Field(description="The engine.")
    timezone: Timezone = Field(default="UTC", description="How date-times without a zone are read.")
    late: IntervalOrZero | None = Field(
        default=None,
        description="How long after its time a row may become visible: runs read from this long before the last sync "
        "time; 0s: from it. By default as the server reports, else 10m.",
    )
    dbt: DbtConfig | None = Field(default=None, description="The dbt project that makes tables of this database.")
    asset_keys: dict[str, AssetPath] = Field(
        default={}, description="Assets of Dagster that make tables, by the table's name, with its schema or without."
    )


class FileConfig(DatabaseConfig):
    """A database that is a file. ``path`` is absolute once loaded.

    Attributes:
        path_at: The file and line that name it; empty for settings given in code.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = DatabaseConfig.SET_BY_LOADER | {"path_at"}

    path: PathBesideFile = Field(description="The database file, relative to this file.")
    path_at: str = ""

    @property
    def look_at_path(self) -> str:
        """What to do where there is no such file."""
        at = f" in {self.path_at}" if self.path_at else ""
        return f"Check `path`{at}; it is relative to the file that names it."


class SshTunnelConfig(YamlModel):
    """An SSH server that leads to the database.

    Attributes:
        key_file: The private key. Absolute once loaded.
        known_hosts: Holds the server's key; ``~/.ssh/known_hosts`` when None.
    """

    host: EnvText = Field(description="The SSH server; ${NAME} is replaced.")
    port: int = Field(default=22, ge=1, le=65_535, description="The SSH server's port.")
    user: EnvText = Field(description="The user who logs in there; ${NAME} is replaced.")
    key_file: PathBesideFile = Field(description="The private key, relative to this file.")
    key_passphrase: Secret | None = Field(default=None, description="${NAME}, where the key is protected.")
    known_hosts: PathBesideFile | None = Field(
        default=None, description="Holds the SSH server's key; ~/.ssh/known_hosts when left out."
    )


class ServerAddress(YamlModel):
    """How a server is reached that is at an address, by whom, and how the way there is kept secret.

    Attributes:
        tls: ``verify-full`` checks certificate and host name, ``require`` only encrypts, ``disable`` does neither.
        ca_file: PEM file with the authority to trust; the system's authorities when None. Absolute once loaded.
        ssh_tunnel: The way to the host, where it is not reached directly.
        tunnel_port: Set while a tunnel is open: the port of this machine that leads to the server.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset({"tunnel_port"})
    ASKED: ClassVar[frozenset[str]] = frozenset({"port", "ca_file"})

    host: EnvText = Field(description="Host name or address; ${NAME} is replaced.")
    port: int | None = Field(default=None, ge=1, le=65_535, description="The engine's usual port when left out.")
    database: EnvText = Field(description="Name of the database; ${NAME} is replaced.")
    user: EnvText = Field(description="A user who can only read; ${NAME} is replaced.")
    password: Secret | None = Field(default=None, description="${NAME}: the environment variable that holds it.")
    tls: Literal["verify-full", "require", "disable"] = Field(
        default="verify-full", description="verify-full checks certificate and host name, require only encrypts."
    )
    ca_file: PathBesideFile | None = Field(default=None, description="Authority to trust (PEM), relative to this file.")
    ssh_tunnel: SshTunnelConfig | None = Field(default=None, description="An SSH server that leads to the host.")
    tunnel_port: int | None = None

    def address(self, default_port: int) -> tuple[str, int]:
        """Where a driver connects to. Certificates are still checked against ``host``.

        Raises:
            UnsetVariableError: ``host`` names a variable that is not set.
        """
        if self.tunnel_port is not None:
            return "127.0.0.1", self.tunnel_port
        return self.host.resolve(), self.port or default_port


class ServerConfig(ServerAddress, DatabaseConfig):
    """A database behind an address.

    Attributes:
        query_timeout: A query that takes longer is ended.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = DatabaseConfig.SET_BY_LOADER | ServerAddress.SET_BY_LOADER

    query_timeout: Interval = Field(default=timedelta(hours=1), description="A query that takes longer is ended.")


class DestinationConfig(YamlModel):
    """One entry of ``destinations``: what all kinds have in common.

    Attributes:
        name: Its key in ``destinations``; set by the loader.
        type: The kind, which is the name of its folder in ``reverse_etl.destinations``.
        USUAL: Keys that have a default and that most entries have nevertheless: `init` writes them too.
        ASKED: Keys that `init` asks for, and leaves out where there is no answer.
        VARIABLES: What the names of the variables begin with that `init` writes; empty: the entry's name.
        SANDBOX: Keys that lead to the stand-in which `reverse-etl sandbox` serves, with its usual address.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset({"name"})
    USUAL: ClassVar[frozenset[str]] = frozenset({"password"})
    ASKED: ClassVar[frozenset[str]] = frozenset()
    VARIABLES: ClassVar[str] = ""
    SANDBOX: ClassVar[Mapping[str, str]] = {}
    SECTION: ClassVar[str] = "destinations"
    """Where its entries stand too: a kind may have a word of its own for them."""

    name: str = ""
    type: str = Field(description="The kind of destination.")

    @property
    def label(self) -> str:
        """For messages: ``destination crm``."""
        return f"destination {self.name}"


class RetentionConfig(YamlModel):
    """How long what runs leave behind is kept."""

    changesets: Interval = Field(default=timedelta(days=7), description="Rows that runs read, and failed-row CSVs.")
    history: Interval = Field(default=timedelta(days=90), description="The history of runs.")
    dagster_runs: Interval | None = Field(
        default=None, description="Runs in Dagster's own pages, with events, checks' results and logs; all, if not set."
    )
