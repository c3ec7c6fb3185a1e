"""``python -m reverse_etl_tests.sandbox.described FOLDER``: answers of stand-ins against their makers' descriptions.

The folder has ``slack-web-2021.json`` of ``slackapi/slack-api-specs`` and ``intercom-2.15.yaml`` of
``intercom/Intercom-OpenAPI``; they are not part of this repository.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from reverse_etl_tests.servers.saas import RunningStandin, running_standin

Schema = dict[str, Any]
TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}
NEWER = {"slack.response_metadata", "slack.warning"}
"""What Slack's file, of 2021, does not have yet; it stands on the pages of 2026."""


class Described:
    """One description."""

    def __init__(self, path: Path) -> None:
        self.document: Schema = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)

    def answer(self, method: str, path: str, status: str = "200") -> Schema:
        """The schema of an answer, of Swagger 2 or OpenAPI 3."""
        found: Schema = self.document["paths"][path][method]["responses"][status]
        if "schema" in found:
            return dict(found["schema"])
        return dict(next(iter(found["content"].values()))["schema"])

    def problems(self, schema: Schema, value: Any, place: str) -> Iterator[str]:
        """Everything in a value that its schema does not allow, by place."""
        if "$ref" in schema:
            yield from self.problems(self._named(schema["$ref"]), value, place)
            return
        if value is None and schema.get("nullable"):
            return
        kinds = schema.get("type")
        choices = schema.get("oneOf") or schema.get("anyOf")
        if choices is None and kinds is None and isinstance(schema.get("items"), list):
            choices = schema["items"]
        if choices is not None:
            found = [list(self.problems(choice, value, place)) for choice in choices]
            if all(found):
                yield from min(found, key=len)
            return
        for part in schema.get("allOf", ()):
            yield from self.problems(part, value, place)
        if kinds is not None and not any(TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
            yield f"{place}: {type(value).__name__} is not {kinds}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place}: {value!r} is none of {schema['enum']}"
        if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{place}: {value!r} is not like {schema['pattern']}"
        if isinstance(value, dict):
            yield from self._of_object(schema, value, place)
        if isinstance(value, list) and isinstance(schema.get("items"), dict):
            for number, each in enumerate(value):
                yield from self.problems(schema["items"], each, f"{place}[{number}]")

    def _of_object(self, schema: Schema, value: Schema, place: str) -> Iterator[str]:
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{place}.{name}: missing"
        for name, held in value.items():
            if name in properties:
                yield from self.problems(properties[name], held, f"{place}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{place}.{name}: not described"

    def _named(self, reference: str) -> Schema:
        found = self.document
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
        return found


def slack_answers(slack: RunningStandin) -> Iterator[tuple[str, str, str, Any]]:
    """Method, path, status and JSON of one call each."""
    slack.set(messages_a_second=0)
    headers = {"authorization": "Bearer sandbox"}

    def get(path: str, **asked: Any) -> Any:
        return slack.http.get(f"/api{path}", params=asked, headers=headers).json()

    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "hi"}}]
    sent = {"channel": "general", "text": "hi", "blocks": blocks}
    posted = slack.http.post("/api/chat.postMessage", json=sent, headers=headers).json()
    yield "post", "/chat.postMessage", "200", posted
    refused = slack.http.post("/api/chat.postMessage", json={**sent, "channel": "x"}, headers=headers).json()
    yield "post", "/chat.postMessage", "default", refused
    yield "get", "/conversations.list", "200", get("/conversations.list")
    yield "get", "/conversations.history", "200", get("/conversations.history", channel=posted["channel"])
    yield "get", "/users.lookupByEmail", "200", get("/users.lookupByEmail", email="ada@example.com")
    yield "get", "/users.lookupByEmail", "default", get("/users.lookupByEmail", email="nobody@example.com")
    yield "get", "/auth.test", "200", get("/auth.test")


def intercom_answers(intercom: RunningStandin) -> Iterator[tuple[str, str, str, Any]]:
    """The same."""
    intercom.set(search_lag_s=0)

    def call(method: str, path: str, content: Any = None) -> Any:
        headers = {"authorization": "Bearer sandbox", "intercom-version": "2.15"}
        return intercom.http.request(method, path, json=content, headers=headers).json()

    contact = call(
        "POST", "/contacts", {"external_id": "1", "email": "a@example.com", "custom_attributes": {"seats": 3}}
    )
    own = f"/contacts/{contact['id']}"
    yield "post", "/contacts", "200", contact
    yield "put", "/contacts/{contact_id}", "200", call("PUT", own, {"name": "Ann"})
    yield "post", "/tags", "200", (tag := call("POST", "/tags", {"name": "vip"}))
    yield "get", "/tags", "200", call("GET", "/tags")
    yield "post", "/contacts/{contact_id}/tags", "200", call("POST", f"{own}/tags", {"id": tag["id"]})
    yield "get", "/contacts/{contact_id}/tags", "200", call("GET", f"{own}/tags")
    yield "post", "/companies", "200", (company := call("POST", "/companies", {"company_id": "acme", "name": "Acme"}))
    yield "post", "/contacts/{contact_id}/companies", "200", call("POST", f"{own}/companies", {"id": company["id"]})
    yield "get", "/contacts/{contact_id}/companies", "200", call("GET", f"{own}/companies")
    yield "get", "/companies", "200", call("GET", "/companies")
    yield "get", "/contacts/{contact_id}", "200", call("GET", own)
    found = call("GET", "/contacts/find_by_external_id/1")
    yield "get", "/contacts/find_by_external_id/{external_id}", "200", found
    query = {"query": {"field": "email", "operator": "=", "value": "a@example.com"}}
    yield "post", "/contacts/search", "200", call("POST", "/contacts/search", query)
    yield "get", "/contacts", "200", call("GET", "/contacts")
    yield "get", "/data_attributes", "200", call("GET", "/data_attributes?model=contact")
    wanted = {"name": "band", "model": "contact", "data_type": "options", "options": [{"value": "a"}, {"value": "b"}]}
    yield "post", "/data_attributes", "200", call("POST", "/data_attributes", wanted)
    yield "post", "/data_attributes", "400", call("POST", "/data_attributes", wanted)
    yield "get", "/me", "200", call("GET", "/me")
    untagged = call("DELETE", f"{own}/tags/{tag['id']}")
    yield "delete", "/contacts/{contact_id}/tags/{tag_id}", "200", untagged
    yield "post", "/contacts/{contact_id}/archive", "200", call("POST", f"{own}/archive")
    yield "post", "/contacts/{contact_id}/unarchive", "200", call("POST", f"{own}/unarchive")
    yield "delete", "/contacts/{contact_id}", "200", call("DELETE", own)
    yield "get", "/contacts/{contact_id}", "401", call("GET", own)


def main(folder: Path) -> int:
    """Writes what differs; returns how much."""
    checks = (
        ("slack", "slack-web-2021.json", slack_answers),
        ("intercom", "intercom-2.15.yaml", intercom_answers),
    )
    problems, answers = [], 0
    for name, file, asked in checks:
        described = Described(folder / file)
        with running_standin(name) as standin:
            for method, path, status, content in asked(standin):
                answers += 1
                found = described.problems(described.answer(method, path, status), content, name)
                problems += [f"{method} {path} {status} {each}" for each in found if each.split(":")[0] not in NEWER]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"{answers} answers, {len(problems)} differences\n")
    return len(problems)


if __name__ == "__main__":
    sys.exit(min(1, main(Path(sys.argv[1]))))
