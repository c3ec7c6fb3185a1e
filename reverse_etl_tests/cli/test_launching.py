"""A run that the Syncs page launches: what is said where Dagster does not launch it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reverse_etl.cli.launching import launch
from reverse_etl.errors import StateError
from reverse_etl.syncs_page.server import listen, serving

JOBS = {"name": "__repository__", "location": {"name": "reverse_etl"}, "jobs": [{"name": "people"}]}


@contextmanager
def dagster(launched: dict[str, Any], *, status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """Something that answers as Dagster's GraphQL does; the address, and the parameters of what was launched."""
    asked: list[Any] = []

    async def graphql(request: Request) -> Response:
        found = json.loads(await request.body())
        if "mutation" not in found["query"]:
            known = {"__typename": "RepositoryConnection", "nodes": [JOBS]}
            return JSONResponse({"data": {"repositoriesOrError": known}}, status)
        asked.append(found["variables"]["params"])
        return JSONResponse({"data": {"launchRun": launched}})

    with serving(Starlette(routes=[Route("/graphql", graphql, methods=["POST"])]), listen(0, beside=3000)) as address:
        yield address, asked


def test_a_run_is_launched_where_its_job_is() -> None:
    """In the code location that has it, whatever that is called."""
    with dagster({"__typename": "LaunchRunSuccess", "run": {"runId": "1a2b"}}) as (address, asked):
        assert "1a2b" == launch(address, "people")
    where = {"repositoryName": "__repository__", "repositoryLocationName": "reverse_etl", "jobName": "people"}
    assert [where] == [each["selector"] for each in asked]


def test_a_job_that_dagster_does_not_know_is_named() -> None:
    """A sync whose file is newer than Dagster's look at the folder."""
    with dagster({}) as (address, asked), pytest.raises(StateError, match=r"no job named staff yet.*reload"):
        launch(address, "staff")
    assert [] == asked


def test_a_refusal_has_its_word() -> None:
    """And the page of Dagster's that says more."""
    said = r"RunConfigValidationInvalid.*/guess/people"
    with dagster({"__typename": "RunConfigValidationInvalid"}) as (address, _), pytest.raises(StateError, match=said):
        launch(address, "people")


def test_a_dagster_that_does_not_answer_is_still_starting() -> None:
    """Nothing listens, or it answers with an error."""
    with dagster({}, status=502) as (address, _), pytest.raises(StateError, match="does not answer yet"):
        launch(address, "people")
    with pytest.raises(StateError, match="does not answer yet"):
        launch(address, "people")
