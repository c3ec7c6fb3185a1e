"""A sync's run, launched by the Dagster that serves its page: as its button launches one, in no process of ours."""

from __future__ import annotations

from typing import Any, Final

import httpx

from reverse_etl.errors import StateError

_WITHIN_S: Final = 30

# Of Dagster 1.13's GraphQL schema, as `dagster-graphql` has it: docs.dagster.io/guides/operate/graphql, read 2026-11.
_JOBS: Final = """
{ repositoriesOrError { __typename
    ... on RepositoryConnection { nodes { name location { name } jobs { name } } } } }
"""
_LAUNCH: Final = """
mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
    ... on LaunchRunSuccess { run { runId } } } }
"""


def launch(dagster: str, sync: str) -> str:
    """Launches a run of the sync's job, which waits its turn in Dagster's queue, and returns Dagster's id of it.

    Args:
        dagster: The address of its page.
        sync: The sync's name, which is its job's.

    Raises:
        StateError: Dagster does not answer, does not know the sync, or does not launch it.
    """
    found = _asked(dagster, _JOBS)["repositoriesOrError"]
    where = [each for each in found.get("nodes", ()) if sync in {job["name"] for job in each["jobs"]}]
    if not where:
        raise StateError(
            f"Dagster has no job named {sync} yet.",
            hint="It loads the files when it starts: reload the code location on its page, or start again.",
        )
    selector = {
        "repositoryName": where[0]["name"],
        "repositoryLocationName": where[0]["location"]["name"],
        "jobName": sync,
    }
    answer = _asked(dagster, _LAUNCH, {"params": {"selector": selector, "runConfigData": {}}})["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        raise StateError(
            f"Dagster did not launch {sync}: {answer['__typename']}.", hint=f"See {dagster}/guess/{sync} for why."
        )
    return str(answer["run"]["runId"])


def _asked(dagster: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        # Loopback: no proxy is on the way.
        with httpx.Client(timeout=_WITHIN_S, trust_env=False) as client:
            answer = client.post(f"{dagster}/graphql", json={"query": query, "variables": variables or {}})
        found: dict[str, Any] | None = answer.json().get("data") if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError):
        found = None
    if not found:
        raise StateError(
            f"Dagster at {dagster} does not answer yet.", hint="It takes some seconds to start: try again then."
        )
    return found
