"""One HTTP POST of JSON to an address that is a secret: it is in no message, and no redirect is followed."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.connections import insecure
from reverse_etl.config.environment import Secret
from reverse_etl.errors import AlertNotSentError

TIMEOUT_S: Final = 10.0
"""For each step: connecting, sending, the answer."""

_LONGEST_ANSWER: Final = 200


def post(url: Secret, body: bytes, *, where: str, headers: dict[str, str] | None = None) -> None:
    """Posts JSON once.

    Args:
        url: The address.
        body: The JSON.
        where: The channel, for messages.
        headers: Besides content type and user agent.

    Raises:
        AlertNotSentError: The answer is not 2xx, or there is none.
        UnsetVariableError: The variable behind ``url`` is not set.
    """
    import httpx

    from reverse_etl import __version__

    address = url.resolve()
    if problem := insecure(address, like="https://hooks.example.com/..."):
        raise AlertNotSentError(f"{where}: the value of {url.template} {problem}.")
    sent = {"user-agent": f"reverse-etl/{__version__}", "content-type": "application/json", **(headers or {})}
    try:
        answer = httpx.post(
            address, content=body, headers=sent, timeout=TIMEOUT_S, trust_env=False, follow_redirects=False
        )
    except httpx.TimeoutException:
        raise AlertNotSentError(f"{where}: no answer within {TIMEOUT_S:.0f} s.") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        kind = type(error).__name__
        raise AlertNotSentError(f"{where}: the address in {url.template} cannot be reached ({kind}).") from None
    if not answer.is_success:
        raise AlertNotSentError(f"{where}: the answer was HTTP {answer.status_code}{_word(answer.text)}.")


def _word(answer: str) -> str:
    """An answer that is one lower-case word, such as Slack's ``no_service``; others may repeat what was sent."""
    word = answer.strip()
    known = len(word) < _LONGEST_ANSWER and word.replace("_", "").isalpha() and word.isascii() and word.islower()
    return f" ({word})" if known else ""
