"""What commands ask of a Dagster that serves its page, by its GraphQL."""

from __future__ import annotations

from typing import Any, Final

from reverse_etl.errors import StateError

_WITHIN_S: Final = 30


def ask(dagster: str, query: str, variables: dict[str, Any] | None = None, *, within_s: float = _WITHIN_S) -> Any:
    """The answer's data. Raises StateError where the Dagster at this address does not answer."""
    import httpx  # here: every command reads this module, and few ask

    try:
        # Its own machine or network: no proxy is on the way.
        with httpx.Client(timeout=within_s, trust_env=False) as client:
            answer = client.post(f"{dagster}/graphql", json={"query": query, "variables": variables or {}})
        found = answer.json().get("data") if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError):
        found = None
    if not found:
        raise StateError(
            f"Dagster at {dagster} does not answer yet.", hint="It takes some seconds to start: try again then."
        )
    return found
