"""The body of an HTTP answer, read as far as an answer may go: a server that never ends must not fill the memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx

ACCEPT_ENCODING: Final = "gzip, deflate"
"""What a request accepts: encodings that can be unpacked here with an end."""

_GZIP, _ZLIB, _RAW = 31, 15, -15


class UnusableBodyError(Exception):
    """A body that is too large, cut off, or packed in a way that was not asked for; the rest of a sentence."""


async def read_body(answer: httpx.Response, *, most_bytes: int) -> bytes:
    """The body of a streamed answer, unpacked. The caller limits how long it may take.

    Args:
        answer: Opened with ``stream``; nothing of it is read yet.
        most_bytes: Both as it comes and unpacked.

    Raises:
        UnusableBodyError: It is larger, or cannot be unpacked.
        httpx.RequestError: The connection broke.
    """
    if answer.is_stream_consumed:
        # A transport that stands in for the network gave it whole.
        return answer.content
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > most_bytes:
            raise _too_large(most_bytes)
        parts.append(part)
    return _unpacked(b"".join(parts), answer.headers.get("content-encoding", ""), most_bytes)


def _unpacked(body: bytes, encoding: str, most_bytes: int) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding in ("gzip", "x-gzip"):
        return _inflated(body, _GZIP, most_bytes)
    if encoding == "deflate":
        # The standard means zlib's format; some servers send it bare.
        is_zlib = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _inflated(body, _ZLIB if is_zlib else _RAW, most_bytes)
    raise UnusableBodyError("a body that is packed in a way that was not asked for")


def _inflated(body: bytes, bits: int, most_bytes: int) -> bytes:
    inflate = zlib.decompressobj(bits)
    try:
        unpacked = inflate.decompress(body, most_bytes + 1)
    except zlib.error:
        raise UnusableBodyError("a body that cannot be unpacked") from None
    if len(unpacked) > most_bytes:
        raise _too_large(most_bytes)
    if not inflate.eof:
        raise UnusableBodyError("a body that is cut off")
    return unpacked


def _too_large(most_bytes: int) -> UnusableBodyError:
    return UnusableBodyError(f"a body of more than {most_bytes:,} bytes")
