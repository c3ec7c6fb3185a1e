"""What listens at a port that is in use: a sandbox says so of itself."""

from __future__ import annotations

from reverse_etl.errors import ConfigError

DEMO_SHOP = "Demo shop"
"""How the names of the workspaces begin that `reverse-etl demo` starts."""


def port_in_use(host: str, port: int, why: str) -> ConfigError:
    """The error about a port that cannot be listened on: which sandbox is there and how it ends, if one is.

    Args:
        host: As it was to be listened on.
        port: Its number.
        why: What the system said.
    """
    found = _sandbox_at(f"[{host}]" if ":" in host else host, port)
    if found is None:
        return ConfigError(
            f"port {port} is in use on {host}, or may not be listened on ({why}).",
            hint="Choose another with --port, or 0 for any free one.",
        )
    service, workspace = found
    what, end = f"a sandbox for {service}", "It ends with Ctrl-C in its terminal; one that a demo started, by itself "
    end += "an hour after its last request."
    if workspace.startswith(DEMO_SHOP):
        what, end = (
            "the demo's sandbox",
            "It ends by itself an hour after its last request, or at once: kill the `pid` ",
        )
        end += "that .reverse_etl/demo_sandbox.json in the demo's folder names."
    return ConfigError(
        f"port {port} is in use on {host}: {what} is there.",
        hint=f"{end} With another --port, change the addresses in connections.yaml too (track_url and app_url of a "
        "workspace): they lead to the sandbox that is there.",
    )


def _sandbox_at(host: str, port: int) -> tuple[str, str] | None:
    """The service that a sandbox stands in for, and its workspace's name; None where none answers."""
    import httpx

    try:
        found = httpx.get(f"http://{host}:{port}/_sandbox/counts", timeout=1, trust_env=False).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("service"), str):
        return None
    return found["service"], str(found.get("workspace", ""))
