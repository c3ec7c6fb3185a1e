"""Which ODBC driver there is, and its settings: connection strings, and FreeTDS's configuration file.

Both of Microsoft's drivers and FreeTDS verify the server's certificate here, each in its own way. Microsoft's take
authorities only from OpenSSL, which reads ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` while a connection is made; they
compare names, never addresses. FreeTDS verifies only what a configuration file asks for.
Source: learn.microsoft.com/sql/connect/odbc/dsn-connection-string-attribute and
freetds.org/userguide/freetdsconf.html, read 2026-11.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import ConfigError, MissingDriverError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.sources.sqlserver import Config

SERVER_SECTION: Final = "reverse-etl"
"""What the server is called in the configuration file for FreeTDS."""

PACKAGES: Final = "apt-get install unixodbc libodbc2 tdsodbc"

_LIBRARIES: Final = (
    "opt/microsoft/msodbcsql18/lib64/libmsodbcsql-18*.so*",
    "opt/homebrew/lib/libmsodbcsql.18.dylib",
    "opt/microsoft/msodbcsql17/lib64/libmsodbcsql-17*.so*",
    "usr/lib/*/odbc/libtdsodbc.so",
    "usr/lib/odbc/libtdsodbc.so",
    "usr/lib64/libtdsodbc.so*",
    "usr/lib/libtdsodbc.so*",
    "usr/local/lib/libtdsodbc.so",
    "opt/homebrew/lib/libtdsodbc.so",
)
"""Where packages put the drivers, when they are not entered in odbcinst.ini."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Driver:
    """An ODBC driver.

    Attributes:
        name: As entered in odbcinst.ini, or the library's path.
        major: 18 or 17 for Microsoft's, 0 for FreeTDS.
    """

    name: str
    major: int

    @property
    def is_freetds(self) -> bool:
        """Whether it reads freetds.conf."""
        return self.major == 0


@dataclass(frozen=True, slots=True)
class Login:
    """A connection's values, resolved.

    Attributes:
        host: Where, with ``port``.
        authority: PEM file with the authorities to trust; None where the driver's own way is used.
    """

    host: str
    port: int
    database: str
    user: str
    password: str
    authority: str | None = None


def find(config: Config, where: str) -> Driver:
    """The driver to use: the one that the connection names, otherwise the best that fits.

    Raises:
        MissingDriverError: pyodbc, unixODBC or a driver that fits is not installed.
    """
    installed = _entered(where)
    if config.driver is not None:
        if config.driver not in installed and not Path(config.driver).is_file():
            known = ", ".join(installed) or "none"
            raise MissingDriverError(
                f"{where}: there is no ODBC driver {config.driver}.", hint=f"odbcinst.ini has: {known}."
            )
        found = [_driver(config.driver)]
    else:
        named = [_driver(name) for name in installed if _known(name)]
        found = sorted(named, key=lambda driver: -driver.major) + [_driver(path) for path in _library_files()]
    for driver in found:
        if _fits(driver, config):
            return driver
    raise _none_fits(config, where, any_found=bool(found))


def connection_string(config: Config, driver: Driver, login: Login, where: str) -> str:
    """The driver's settings. They hold the password: they are for the driver alone.

    Raises:
        ConfigError: A value holds what the driver takes for the end of it.
    """
    values = {"DRIVER": driver.name, **_place(config, driver, login)}
    values |= {"UID": login.user, "PWD": login.password, "DATABASE": login.database, "APP": "reverse-etl"}
    if config.application_intent == "read_only":
        values["ApplicationIntent"] = "ReadOnly"
    return "".join(f"{key}={_braced(key, value, driver, where)};" for key, value in values.items())


def freetds_conf(config: Config, login: Login, where: str) -> str:
    """The configuration file that makes FreeTDS find and verify the server; no secret is in it.

    Raises:
        ConfigError: The host's name cannot be written into such a file.
    """
    if _CONTROL.search(login.host) or _CONTROL.search(login.authority or "") or login.host != login.host.strip():
        raise ConfigError(f"{where}: `host` or `ca_file` holds white space.", hint="Write it without.")
    lines = ["[global]", "tds version = 7.4", "client charset = UTF-8", "text size = 2147483647"]
    lines += [f"[{SERVER_SECTION}]", f"host = {login.host}", f"port = {login.port}"]
    lines.append(f"encryption = {'off' if config.tls == 'disable' else 'require'}")
    if config.tls == "verify-full":
        lines += [f"ca file = {login.authority or 'system'}", "check certificate hostname = yes"]
    return "\n".join(lines) + "\n"


def _entered(where: str) -> list[str]:
    """The drivers in odbcinst.ini."""
    try:
        import pyodbc
    except ModuleNotFoundError as error:
        raise MissingDriverError(
            f"{where}: the driver pyodbc is not installed.", hint='Run: pip install "reverse-etl[sqlserver]"'
        ) from error
    except ImportError as error:
        raise MissingDriverError(
            f"{where}: pyodbc finds no ODBC driver manager (libodbc).", hint=f"Run: {PACKAGES}"
        ) from error
    return list(pyodbc.drivers())


def _known(name: str) -> bool:
    return bool(re.fullmatch(r"ODBC Driver 1[78] for SQL Server|FreeTDS.*", name))


def _driver(name: str) -> Driver:
    major = re.search(r"Driver (\d+) for SQL Server|msodbcsql[-.]?(\d+)", name)
    return Driver(name, int(major[1] or major[2]) if major else 0)


def _library_files() -> Iterator[str]:
    for pattern in _LIBRARIES:
        yield from sorted(map(str, Path("/").glob(pattern)), reverse=True)[:1]


def _fits(driver: Driver, config: Config) -> bool:
    if driver.is_freetds:
        return config.authentication == "password"
    if config.tls != "verify-full":
        return True
    return not _is_address(config) and (driver.major >= 18 or config.ca_file is None)


def _is_address(config: Config) -> bool:
    try:
        ipaddress.ip_address(config.host.resolve())
    except ValueError:
        return False
    return True


def _none_fits(config: Config, where: str, *, any_found: bool) -> MissingDriverError:
    hint = f"Run: {PACKAGES} (FreeTDS), or install Microsoft's msodbcsql18."
    if any_found and config.tls == "verify-full" and _is_address(config):
        return MissingDriverError(
            f"{where}: Microsoft's ODBC driver verifies the name in a certificate, and `host` is an address.",
            hint=f"Write the name in the server's certificate as `host`, or use FreeTDS: {PACKAGES}",
        )
    if config.authentication == "entra_service_principal":
        return MissingDriverError(
            f"{where}: logging in with Entra needs Microsoft's ODBC driver.", hint="Install Microsoft's msodbcsql18."
        )
    if any_found:
        return MissingDriverError(f"{where}: ODBC Driver 17 takes no `ca_file`.", hint=hint)
    return MissingDriverError(f"{where}: there is no ODBC driver for SQL Server.", hint=hint)


def _place(config: Config, driver: Driver, login: Login) -> dict[str, str]:
    """Where the server is and how it is verified."""
    if driver.is_freetds:
        return {"SERVERNAME": SERVER_SECTION}
    values = {"SERVER": f"tcp:{login.host},{login.port}", "Encrypt": "no" if config.tls == "disable" else "yes"}
    if config.tls == "require":
        values["TrustServerCertificate"] = "yes"
    elif config.tls == "verify-full":
        values["TrustServerCertificate"] = "no"
        if driver.major >= 18:
            values["HostNameInCertificate"] = login.host
    if config.authentication == "entra_service_principal":
        values["Authentication"] = "ActiveDirectoryServicePrincipal"
    return values | {"KeepAlive": "30", "KeepAliveInterval": "10"}


def _braced(key: str, value: str, driver: Driver, where: str) -> str:
    """A value as the driver takes it literally. FreeTDS ends it at ``};`` and has no escape for that."""
    if "\x00" in value or (driver.is_freetds and ("};" in value or value.endswith("}"))):
        name = {"UID": "user", "PWD": "password", "DATABASE": "database"}.get(key, "driver")
        raise ConfigError(
            f"{where}: FreeTDS cannot take this `{name}`: it ends with }} or holds }};.",
            hint="Choose another, or install Microsoft's msodbcsql18.",
        )
    return "{" + (value if driver.is_freetds else value.replace("}", "}}")) + "}"
