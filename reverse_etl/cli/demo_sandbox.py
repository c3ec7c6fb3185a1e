"""The demo's own sandbox: one that was started elsewhere is neither used nor emptied.

It ends with the demo, however that ends, until the demo hands it over.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from reverse_etl.errors import ConfigError, DestinationUnavailableError
from reverse_etl.sandbox.ending import HANDED_OVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reverse_etl.destinations.customerio.workspace import WorkspaceConfig
    from reverse_etl.state.home import Home

IDLE_EXIT_S: Final = 3600
ADDRESSES: Final = ("CUSTOMERIO_TRACK_URL", "CUSTOMERIO_APP_URL")
"""Variables of the demo's connections.yaml that lead to the sandbox."""


@dataclass(frozen=True, slots=True)
class DemoSandbox:
    """A sandbox that a demo started.

    Attributes:
        url: Its address.
        pid: Its process.
        name: The workspace's name, which no other sandbox has.
        process: The same process, where this one started it.
    """

    url: str
    pid: int
    name: str
    process: subprocess.Popen[bytes] | None = field(default=None, compare=False)

    def stop(self) -> None:
        """Ends it, and waits until it is gone; nothing happens where another sandbox, or none, has its address now."""
        if self.process is not None:
            _end(self.process)
        elif self._answers():
            os.kill(self.pid, signal.SIGTERM)
            import tenacity

            gone = tenacity.Retrying(
                stop=tenacity.stop_after_delay(10),
                wait=tenacity.wait_fixed(0.05),
                retry=tenacity.retry_if_result(bool),
                retry_error_callback=lambda _: None,
            )
            gone(self._answers)

    def hand_over(self) -> None:
        """Lets it go on after this command."""
        if self.process is not None:
            _hand_over(self.process)

    def _answers(self) -> bool:
        import httpx

        try:
            found = httpx.get(f"{self.url}/_sandbox/counts", timeout=5, trust_env=False).json()
        except (httpx.HTTPError, ValueError):
            return False
        return isinstance(found, dict) and found.get("workspace") == self.name


def start_sandbox(home: Home, workspace: WorkspaceConfig) -> DemoSandbox:
    """Starts an empty sandbox, at the workspace's address or, if that is taken, on a free port.

    The variables of the addresses lead to it from then on. The sandbox of an earlier demo of this home folder ends; the
    new one ends with this command unless it is handed over.

    Raises:
        ConfigError: The workspace's address is taken, and its entry names no variable that could lead elsewhere.
        DestinationUnavailableError: It does not start.
    """
    record = home.path / "demo_sandbox.json"
    _stop_former(record)
    wanted = workspace.track_base_url()
    log = home.path / "sandbox.log"
    sandbox = _started(urlsplit(wanted).port or 80, log) or _started(0, log)
    if sandbox is None:
        raise DestinationUnavailableError("the sandbox did not start.", hint=f"Its log: {log}")
    record.write_text(json.dumps({"url": sandbox.url, "pid": sandbox.pid, "name": sandbox.name}), encoding="utf-8")
    if sandbox.url != wanted:
        os.environ.update(dict.fromkeys(ADDRESSES, sandbox.url))
        if workspace.track_base_url() != sandbox.url:
            sandbox.stop()
            raise ConfigError(
                f"another program listens at {wanted}, where workspace {workspace.name} is.",
                hint=f"End it, or let track_url and app_url be ${{{ADDRESSES[0]}}} and ${{{ADDRESSES[1]}}}.",
            )
    return sandbox


@dataclass(frozen=True, slots=True)
class DemoServices:
    """Stand-ins that a demo started, one process.

    Attributes:
        urls: Their addresses, by name.
        process: Theirs.
    """

    urls: Mapping[str, str]
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ends them, and waits until they are gone."""
        _end(self.process)

    def hand_over(self) -> None:
        """Lets them go on after this command."""
        _hand_over(self.process)


def start_services(home: Home, names: Sequence[str]) -> DemoServices:
    """Starts empty stand-ins, at their usual ports or, where one is taken, at free ones.

    They end with this command unless they are handed over.

    Raises:
        DestinationUnavailableError: They do not start.
    """
    log = home.path / "sandbox.log"
    services = [option for name in names for option in ("--as", name)]
    started = _process([*services, "--idle-exit-s", str(IDLE_EXIT_S)], log)
    started = started or _process([*services, "--idle-exit-s", str(IDLE_EXIT_S), "--port", "0"], log)
    if started is None:
        raise DestinationUnavailableError("the sandbox did not start.", hint=f"Its log: {log}")
    announced, process = started
    return DemoServices(announced["urls"], process)


def _stop_former(record: Path) -> None:
    try:
        former = DemoSandbox(**json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return
    former.stop()


def _started(port: int, log: Path) -> DemoSandbox | None:
    """A sandbox that accepts requests; None where it cannot, such as on a port that is in use."""
    from ulid import ULID

    from reverse_etl.sandbox.taken import DEMO_SHOP

    name = f"{DEMO_SHOP} {str(ULID())[-6:]}"
    options = {"port": port, "idle-exit-s": IDLE_EXIT_S, "set": f"customerio.workspace_name={name}"}
    arguments = [text for option, value in options.items() for text in (f"--{option}", str(value))]
    started = _process(arguments, log)
    return None if started is None else DemoSandbox(started[0]["url"], started[1].pid, name, started[1])


def _process(arguments: Sequence[str], log: Path) -> tuple[dict[str, Any], subprocess.Popen[bytes]] | None:
    """What a sandbox announces, and its process; None where it does not start."""
    command = [sys.executable, "-m", "reverse_etl.sandbox", "--announce", "--end-with-stdin", *arguments]
    with log.open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
    if process.stdout is None:
        return None
    with process.stdout as announced:
        line = announced.readline()
    if not line:
        _end(process)
        return None
    return json.loads(line), process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)
    if process.stdin is not None:
        process.stdin.close()


def _hand_over(process: subprocess.Popen[bytes]) -> None:
    """Tells a sandbox that the end of its standard input is no reason to end."""
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(HANDED_OVER)
