"""What a connection of our own stumbles over on the way to a SQL Server: why a driver that gives no reason failed."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

from reverse_etl.sources.sqlserver.tls import NOT_SUPPORTED, REQUIRED, encryption, verified_issuer

if TYPE_CHECKING:
    from reverse_etl.sources.sqlserver import Config

_ANSWER_S: Final = 5.0
_TURN_ON: Final = "Turn it on there, or set `tls: disable` when the network is private."


def network_problem(config: Config, facts: dict[str, str]) -> tuple[str, str] | None:
    """What is wrong up to the login, and what to do; None where nothing is.

    Args:
        config: The connection.
        facts: Its ``host`` and ``port``, resolved.
    """
    host, port = facts["host"], int(facts["port"])
    try:
        plain = socket.create_connection((host, port), _ANSWER_S)
    except socket.gaierror:
        return f"there is no host {host}", "Check `host`."
    except ConnectionRefusedError:
        return f"nothing answers at {host} port {port}", "Check `host` and `port`, and that the server runs."
    except OSError:
        return f"{host} port {port} does not answer", "Check `host`, `port` and the firewalls in between."
    with plain:
        try:
            if config.tls == "verify-full":
                verified_issuer(plain, host, config.ca_file)
                return None
            answer = encryption(plain, wish=NOT_SUPPORTED if config.tls == "disable" else 1)
        except ssl.SSLCertVerificationError as error:
            if "ostname" in error.verify_message or "IP address" in error.verify_message:
                problem = f"the server's certificate is for another name than {host}"
                return problem, "Use the name in the certificate as `host`."
            return (
                "the server's certificate is not by an authority that this machine trusts",
                "Set `ca_file` to the authority's PEM file.",
            )
        except TimeoutError:
            return f"{host} port {port} does not answer", "Check `host`, `port` and the firewalls in between."
        except ConnectionError as error:
            if "speak TLS" in str(error):
                return "the server does not speak TLS", _TURN_ON
            return f"what answers at {host} port {port} is not SQL Server, or hangs up", "Check `host` and `port`."
        except OSError:
            return "`ca_file` cannot be used", "Check that it is a readable PEM file."
    if config.tls == "disable" and answer == REQUIRED:
        return "the server takes no unencrypted connection", "Leave `tls` at verify-full."
    if config.tls == "require" and answer == NOT_SUPPORTED:
        return "the server does not speak TLS", _TURN_ON
    return None
