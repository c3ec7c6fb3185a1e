"""``python -m reverse_etl_tests.audit``: known vulnerabilities of the locked packages, by pip-audit.

A vulnerability ends it with 1, named with the versions that mend it. So does a service that does not answer, but
with ``--offline-is-no-failure``, by which a machine without a network can still run every other check.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

LOCK: Final = Path(__file__).parents[1] / "requirements.lock"
OFFLINE: Final = "--offline-is-no-failure"
_SECONDS: Final = 180


def audit(lock: Path, *options: str) -> tuple[int, list[str]]:
    """Ask about each package of a lock file.

    Args:
        lock: Requirements with hashes.
        options: Of ``pip-audit``, such as another service.

    Returns:
        How many packages the service knows, and a line for each vulnerability.

    Raises:
        RuntimeError: The service does not answer, or knows no package; the message says which.
    """
    command = [str(Path(sys.executable).with_name("pip-audit")), "--requirement", str(lock), "--require-hashes"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"no answer in {_SECONDS} seconds") from None
    if not done.stdout.startswith("{"):
        raise RuntimeError((done.stderr.strip().splitlines() or ["no answer"])[-1])
    known = [package for package in json.loads(done.stdout)["dependencies"] if "vulns" in package]
    if not known:
        raise RuntimeError("the service knows none of these packages")
    return len(known), [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in known
        for found in package["vulns"]
    ]


def main(*options: str) -> int:
    """Print what was found; the exit code."""
    try:
        known, found = audit(LOCK, *(option for option in options if option != OFFLINE))
    except RuntimeError as error:
        print(f"Not audited: {error}.")  # noqa: T201
        return 0 if OFFLINE in options else 1
    print("\n".join([f"{known} packages audited, {len(found)} vulnerabilities found.", *found]))  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
