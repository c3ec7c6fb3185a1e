"""The stand-in workspace of Slack as one of the sandbox's services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

import orjson
from starlette.routing import Route

from reverse_etl.sandbox.base import JSON, TEXT, Answer, Record, Standin
from reverse_etl.sandbox.slack.limits import Buckets
from reverse_etl.sandbox.slack.settings import SlackSettings
from reverse_etl.sandbox.slack.web_api import OWN_FAULTS, WebApi
from reverse_etl.sandbox.slack.webhook import PATH, Webhook
from reverse_etl.sandbox.slack.workspace import SlackWorkspace


class Slack(Standin):
    """A workspace with one bot token and one incoming webhook."""

    NAME = "slack"
    TITLE = "Slack"
    PORT = 8705
    SETTINGS = SlackSettings
    OWN_FAULTS = OWN_FAULTS

    def __init__(self, settings: SlackSettings) -> None:
        super().__init__(settings)
        self.forget()
        webhook = Webhook(self)
        self.routes = [
            Route("/api/{method}", WebApi(self).call, methods=["GET", "POST"]),
            Route(PATH + "{token}", webhook.post, methods=["POST"]),
            Route("/services/{rest:path}", webhook.unknown, methods=["POST"]),
        ]

    def forget(self) -> None:
        """The channels and people of the beginning, and no message."""
        self.workspace = SlackWorkspace()
        self.buckets = Buckets()

    def worded(self, status: int, path: str, details: Mapping[str, Any]) -> Answer:
        """JSON of the Web API, a text of a webhook."""
        errors = {429: "ratelimited", 503: "service_unavailable"}
        error = str(details.get("error", errors.get(status, "internal_error")))
        if path.startswith("/services/"):
            return Answer(status, TEXT, error.encode())
        return Answer(status, JSON, orjson.dumps({"ok": False, "error": error}))

    def records(self) -> Mapping[str, Iterable[Record]]:
        """Messages as they were received, channels, people."""
        return {
            "messages": (
                {
                    "ts": message.ts,
                    "channel": message.channel.id,
                    "channel_name": message.channel.name,
                    "text": message.text,
                    "via": message.via,
                    "sent": message.sent,
                }
                for message in self.workspace.messages
            ),
            "channels": map(asdict, self.workspace.channels.values()),
            "users": map(asdict, self.workspace.members.values()),
        }

    def counts(self) -> Mapping[str, Any]:
        """How much of each."""
        held = self.workspace
        return {"messages": len(held.messages), "channels": len(held.channels), "users": len(held.members)}

    def put(self, kind: str, record: Record) -> Record:
        """Sets up ``channels`` (``name, is_private, is_archived, is_member``) or ``users`` (``name, email``).

        A channel of a name that there is already is changed.
        """
        wanted = {name: value for name, value in record.items() if name != "name"}
        if kind == "channels":
            held = next((each for each in self.workspace.channels.values() if each.name == record["name"]), None)
            channel = held or self.workspace.add_channel(record["name"], **wanted)
            for name, value in wanted.items():
                setattr(channel, name, value)
            return asdict(channel)
        if kind == "users":
            return asdict(self.workspace.add_member(record["name"], **wanted))
        return super().put(kind, record)


STANDIN: Final = Slack
