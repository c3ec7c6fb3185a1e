"""Passwords that AWS lends: GetClusterCredentials for a provisioned cluster, GetCredentials for a workgroup."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.errors import SourceUnavailableError

if TYPE_CHECKING:
    from reverse_etl.config.environment import EnvText
    from reverse_etl.sources.redshift.engine import IamConfig

_ANSWER_S: Final = 10
_LENT_S: Final = 900

_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_NO_IDENTITY: Final = {
    "NoCredentialsError": "there are no AWS credentials here",
    "PartialCredentialsError": "the AWS credentials here are incomplete",
    "ProfileNotFound": "AWS has no such profile here",
    "NoRegionError": "no AWS region is set",
    "TokenRetrievalError": "the AWS sign-in has expired",
    "UnauthorizedSSOTokenError": "the AWS sign-in has expired",
    "SSOTokenLoadError": "the AWS sign-in has expired",
}
_SIGN_IN: Final = "Set iam.profile and iam.region, AWS's environment variables, or give the machine a role."


@dataclass(frozen=True, slots=True)
class Login:
    """A database user and the password for now."""

    user: str
    password: str = field(repr=False)


def borrow(iam: IamConfig, user: str | None, database: str, *, where: str) -> Login:
    """Asks AWS for a password.

    Args:
        iam: Which cluster or workgroup, and as whom.
        user: The database user; None for a workgroup.
        database: The database to log in to.
        where: How messages call the connection.

    Returns:
        The user as AWS calls it (``IAM:name``), and a password that opens new connections for 15 minutes.

    Raises:
        SourceUnavailableError: AWS does not know us, refuses, or cannot be reached.
        UnsetVariableError: A value comes from an environment variable that is not set.

    Source: docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html and
    docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    cluster, workgroup = _text(iam.cluster_identifier), _text(iam.workgroup)
    try:
        client = _client("redshift" if cluster else "redshift-serverless", _text(iam.region), _text(iam.profile))
        if cluster:
            answer = client.get_cluster_credentials(
                ClusterIdentifier=cluster, DbUser=user, DbName=database, DurationSeconds=_LENT_S, AutoCreate=False
            )
            return Login(answer["DbUser"], answer["DbPassword"])
        answer = client.get_credentials(workgroupName=workgroup, dbName=database, durationSeconds=_LENT_S)
        return Login(answer["dbUser"], answer["dbPassword"])
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "error")
        action = "redshift:GetClusterCredentials" if cluster else "redshift-serverless:GetCredentials"
        hint = f"Allow {action} to the AWS identity." if code in _DENIED else "Check `iam`: name, region and profile."
        raise SourceUnavailableError(f"{where}: AWS lends no password: {code}.", hint=hint) from None
    except BotoCoreError as error:
        kind = type(error).__name__
        what = _NO_IDENTITY.get(kind, f"AWS cannot be asked for a password ({kind})")
        hint = _SIGN_IN if kind in _NO_IDENTITY else "Check iam.region and the way to AWS."
        raise SourceUnavailableError(f"{where}: {what}.", hint=hint) from None


def _client(service: str, region: str | None, profile: str | None) -> Any:
    import boto3
    from botocore.config import Config

    limits = Config(connect_timeout=_ANSWER_S, read_timeout=_ANSWER_S, retries={"total_max_attempts": 3})
    return boto3.Session(profile_name=profile, region_name=region).client(service, config=limits)


def _text(value: EnvText | None) -> str | None:
    return None if value is None else value.resolve()
