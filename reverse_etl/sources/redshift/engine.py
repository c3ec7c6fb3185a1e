"""Amazon Redshift, through redshift-connector: who is connected to, how safely, and as whom.

Passwords that IAM lends come from ``iam``, the socket from ``network``; queries run in
``session``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.connections import ServerConfig
from reverse_etl.config.environment import EnvText
from reverse_etl.config.model import Misfit, YamlModel
from reverse_etl.errors import MissingDriverError
from reverse_etl.sources.postgres.start import ask_for_tls as ask_for_tls

if TYPE_CHECKING:
    from reverse_etl.sources.base import Session

LAST_SYNC_TIME: Final = "TIMESTAMP 'epoch' + {{last_sync_time}} * INTERVAL '1 second'"
COLUMNS: Final = (
    "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'pg_internal') "
    "ORDER BY table_schema, table_name, ordinal_position"
)
DRIVER: Final = "redshift-connector"
DEFAULT_PORT: Final = 5439

_CONNECT_S: Final = 10.0
_FROM_IAM: Final = EnvText("named by IAM")


class IamConfig(YamlModel):
    """A password that AWS lends for a quarter of an hour, to the identity that AWS's usual places give.

    Attributes:
        cluster_identifier: A provisioned cluster; its user is ``user``.
        workgroup: A serverless workgroup; its user follows from the AWS identity.
    """

    cluster_identifier: EnvText | None = Field(default=None, description="A provisioned cluster's name in AWS.")
    workgroup: EnvText | None = Field(default=None, description="A serverless workgroup's name in AWS.")
    region: EnvText | None = Field(default=None, description="AWS region; as AWS is configured here when left out.")
    profile: EnvText | None = Field(default=None, description="A profile in ~/.aws; AWS's usual places when left out.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """See ``YamlModel``."""
        if (given.get("cluster_identifier") is None) == (given.get("workgroup") is None):
            yield "", "needs exactly one of `cluster_identifier` (provisioned) and `workgroup` (serverless)"


class Config(ServerConfig):
    """A Redshift cluster or serverless workgroup.

    Attributes:
        user: With a password or a cluster the database user; a workgroup has none to give.
        iam: Instead of ``password``.
    """

    type: Literal["redshift"] = Field(default="redshift", description="The engine.")
    user: EnvText = Field(
        default=_FROM_IAM, description="A user who can only read; ${NAME} is replaced. Not with iam.workgroup."
    )
    iam: IamConfig | None = Field(default=None, description="A password lent by AWS, instead of `password`.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """See ``YamlModel``."""
        yield from super().misfits(given)
        iam = given.get("iam")
        if (given.get("password") is None) == (iam is None):
            yield "", "needs exactly one of `password` and `iam`"
        if _has(iam, "workgroup"):
            if given.get("user") is not None:
                yield "user", "leave it out: with iam.workgroup the user follows from the AWS identity"
        elif given.get("user") is None:
            yield "user", "is missing: the database user to log in as"
        if iam is not None and given.get("tls") == "disable":
            yield "tls", "must not be disable with iam: the password that AWS lends would be readable on the way"


@contextmanager
def connect(config: Config, *, name: str) -> Iterator[Session]:
    """Logs in.

    Raises:
        SourceUnavailableError: The server cannot be reached, verified or logged in to, or AWS lends no password.
        UnsetVariableError: A value comes from an environment variable that is not set.
        MissingDriverError: redshift-connector is not installed.
    """
    where = f"database {name} (redshift)"
    try:
        import redshift_connector  # noqa: F401 - asked for first, so that the error can name the extra
    except ImportError as error:
        raise MissingDriverError(
            f"{where}: the driver redshift-connector is not installed.", hint='Run: pip install "reverse-etl[redshift]"'
        ) from error
    from reverse_etl.sources.redshift.errors import Messages
    from reverse_etl.sources.redshift.iam import Login, borrow
    from reverse_etl.sources.redshift.network import Network
    from reverse_etl.sources.redshift.session import RedshiftSession
    from reverse_etl.sources.redshift.wire import Wire

    network = Network(
        host=config.host.resolve(),
        address=config.address(DEFAULT_PORT),
        tls=config.tls,
        ca_file=config.ca_file,
        where=where,
        answer_s=max(1.0, min(_CONNECT_S, config.query_timeout.total_seconds())),
    )
    database = config.database.resolve()
    if config.iam is not None:
        login = borrow(config.iam, None if config.iam.workgroup else config.user.resolve(), database, where=where)
        source = "the AWS identity and its permissions"
    elif config.password is not None:
        login = Login(config.user.resolve(), config.password.resolve())
        source = f"the value of {config.password.template}"
    messages = Messages(where, {"user": login.user, "database": database, "password": source}, config.query_timeout)
    with closing(Wire.open(network, login, database, messages)) as wire:
        yield RedshiftSession(wire, messages, timezone=config.timezone)


def _has(iam: Any, key: str) -> bool:
    value = iam.get(key) if isinstance(iam, Mapping) else getattr(iam, key, None)
    return value is not None
