"""One HTTP POST of JSON to an address that is a secret: it is in no message, and no redirect is followed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from pydantic import Field

from reverse_etl.config.connections import PathBesideFile, insecure
from reverse_etl.config.environment import Secret
from reverse_etl.config.notify import ChannelConfig
from reverse_etl.errors import AlertNotSentError
from reverse_etl.http import redirects
from reverse_etl.http.bodies import ACCEPT_ENCODING, UnusableBodyError, read_body
from reverse_etl.http.certificates import authorities, untrusted
from reverse_etl.http.proxies import PROXY_KEY, ProxyChoice, mounts, proxy_for, refused_by_proxy, unused_proxy

TIMEOUT_S: Final = 10.0
"""For each step: connecting, sending, the answer."""

LONGEST_S: Final = 20.0
"""For all of them: an answer that drips takes no longer either."""

_OTHER_HOST: Final = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH. Source: openssl/x509_vfy.h, OpenSSL 3."""

_UNTRUSTED: Final = (
    "Where a company's own authority signs, write `ca_file: authority.pem` for this channel in connections.yaml, or "
    "`proxy: environment`, without which SSL_CERT_FILE is not read."
)

_LONGEST_ANSWER: Final = 10_000
_LONGEST_WORD: Final = 200


class HttpChannelConfig(ChannelConfig):
    """A channel behind an address that is a secret."""

    url: Secret
    ca_file: PathBesideFile | None = Field(
        default=None, description="A company's authority (PEM), trusted beside the usual ones; relative to this file."
    )
    proxy: ProxyChoice | None = Field(default=None, description=PROXY_KEY)


def post(config: HttpChannelConfig, body: bytes, *, headers: dict[str, str] | None = None) -> None:
    """Posts JSON once.

    Args:
        config: The channel.
        body: The JSON.
        headers: Besides content type and user agent.

    Raises:
        AlertNotSentError: The answer is not 2xx, or there is none.
        ConfigError: ``ca_file`` or a variable of the environment cannot be used.
        UnsetVariableError: The variable behind ``url`` is not set.
    """
    import httpx

    url, where = config.url, config.where
    address = url.resolve()
    if problem := insecure(address, like="https://hooks.example.com/..."):
        raise AlertNotSentError(f"{where}: the value of {url.template} {problem}.")
    try:
        status, answer = _together(_posted(config, address, body, headers or {}))
    except TimeoutError:
        raise AlertNotSentError(f"{where}: no whole answer within {LONGEST_S:.0f} s.") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        if isinstance(error, httpx.TimeoutException):
            raise AlertNotSentError(f"{where}: no answer within {TIMEOUT_S:.0f} s.") from None
        if found := untrusted(error):
            # The reason may have the host in it, which is part of the secret.
            why = (
                "is for another host" if found.verify_code in _OTHER_HOST else f"is not trusted: {found.verify_message}"
            )
            raise AlertNotSentError(f"{where}: the certificate at {url.template} {why}.", hint=_UNTRUSTED) from None
        kind = type(error).__name__
        if refused := refused_by_proxy(error):
            raise AlertNotSentError(f"{where}: the proxy of the environment answered HTTP {refused}.") from None
        hint = "" if config.proxy else unused_proxy(address).strip()
        unreached = f"{where}: the address in {url.template} cannot be reached ({kind})."
        raise AlertNotSentError(unreached, hint=hint) from None
    if not 200 <= status < 300:
        raise AlertNotSentError(f"{where}: the answer was HTTP {status}{_word(answer)}.")


async def _posted(config: HttpChannelConfig, address: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """The status of the answer and as much of its text as is of use: nothing where it has no end."""
    import httpx

    from reverse_etl import __version__

    sent = {"user-agent": f"reverse-etl/{__version__}", "content-type": "application/json"}
    sent |= {"accept-encoding": ACCEPT_ENCODING, **headers}
    asked = config.proxy is not None
    trusted = authorities(config.ca_file, environment=asked, where=config.where)
    ways = mounts([(address, proxy_for(address, where=config.where) if asked else None)], trusted)
    async with (
        asyncio.timeout(LONGEST_S),
        httpx.AsyncClient(
            timeout=TIMEOUT_S, trust_env=False, verify=trusted, mounts=ways, event_hooks=redirects.HOOKS
        ) as client,
        client.stream("POST", address, content=body, headers=sent) as answer,
    ):
        try:
            text = await read_body(answer, most_bytes=_LONGEST_ANSWER)
        except UnusableBodyError:
            text = b""
        return answer.status_code, text.decode(errors="replace")


def _together(posted: Coroutine[Any, Any, tuple[int, str]]) -> tuple[int, str]:
    """Waits for a post, also where this thread has an event loop of its own."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, posted).result()


def _word(answer: str) -> str:
    """An answer that is one lower-case word, such as Slack's ``no_service``; others may repeat what was sent."""
    word = answer.strip()
    known = len(word) < _LONGEST_WORD and word.replace("_", "").isalpha() and word.isascii() and word.islower()
    return f" ({word})" if known else ""
