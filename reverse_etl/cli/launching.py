"""A sync's run, launched by the Dagster that serves its page: as its button launches one, in no process of ours."""

from __future__ import annotations

from typing import Final

from reverse_etl.cli.dagster_graphql import ask
from reverse_etl.errors import StateError

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
    found = ask(dagster, _JOBS)["repositoriesOrError"]
    where = [each for each in found.get("nodes", ()) if sync in {job["name"] for job in each["jobs"]}]
    if not where:
        raise StateError(
            f"Dagster has no job named {sync} yet.",
            hint="`reverse-etl ui` loads a new file within a minute: try again then. Elsewhere reload the code "
            "location on Dagster's page.",
        )
    selector = {
        "repositoryName": where[0]["name"],
        "repositoryLocationName": where[0]["location"]["name"],
        "jobName": sync,
    }
    answer = ask(dagster, _LAUNCH, {"params": {"selector": selector, "runConfigData": {}}})["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        raise StateError(
            f"Dagster did not launch {sync}: {answer['__typename']}.", hint=f"See {dagster}/guess/{sync} for why."
        )
    return str(answer["run"]["runId"])
