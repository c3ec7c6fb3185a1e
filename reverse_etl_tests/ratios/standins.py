"""What stand-ins cost that rows are sent to by the thousand: they must not be what a run waits for."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import orjson
from starlette.types import Message

from reverse_etl.sandbox.amplitude.settings import AmplitudeSettings
from reverse_etl.sandbox.amplitude.standin import Amplitude
from reverse_etl.sandbox.front import Front
from reverse_etl.sandbox.settings import ServerSettings
from reverse_etl_tests.ratios import require

EVENTS = 1_000


def amplitude_takes_events_as_fast_as_they_are_read() -> None:
    """A request of a thousand, beside its JSON read and written again by the standard library."""
    properties = {f"p{number}": number for number in range(8)}
    events = [
        {"user_id": f"user-{number}", "event_type": "$identify", "time": 0, "user_properties": {"$set": properties}}
        for number in range(EVENTS)
    ]
    body = orjson.dumps({"api_key": "sandbox", "events": events})
    standin = Amplitude(AmplitudeSettings())
    front = Front(standin, ServerSettings())
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    request = {"type": "http", "method": "POST", "path": "/batch", "query_string": b"", "headers": headers}
    answers: list[dict[str, Any]] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message.get("body"):
            answers.append(orjson.loads(message["body"]))

    with asyncio.Runner() as runner:

        def ours() -> None:
            standin.forget()
            runner.run(front(request.copy(), receive, send))

        require(3, ours, lambda: json.dumps(json.loads(body)))
    assert {EVENTS} == {answer["events_ingested"] for answer in answers}


GUARDS: Final = (amplitude_takes_events_as_fast_as_they_are_read,)
