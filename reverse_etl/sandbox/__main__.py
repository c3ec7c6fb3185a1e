"""``python -m reverse_etl.sandbox``: the stand-ins without the rest of the command line."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from functools import partial

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox import registry
from reverse_etl.sandbox.ending import end_after
from reverse_etl.sandbox.server import Urls, serve
from reverse_etl.sandbox.settings import ServerSettings


def main(arguments: list[str] | None = None) -> int:
    """Serves until ended; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reverse_etl.sandbox", description=__doc__)
    parser.add_argument("--as", dest="names", action="append", default=[], metavar="NAME", help="a service, repeatable")
    parser.add_argument("--all", action="store_true", help="all services")
    parser.add_argument("--set", dest="assignments", action="append", default=[], metavar="NAME.SETTING=VALUE")
    parser.add_argument(
        "--announce", action="store_true", help='print {"url": ..., "urls": {name: url}} once listening'
    )
    parser.add_argument("--host", default=ServerSettings().host)
    parser.add_argument("--port", type=int)
    parser.add_argument("--keep-bodies", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--idle-exit-s", type=float)
    parser.add_argument("--allow-remote", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--end-with-stdin", action="store_true", help="end once stdin does, unless a byte came first")
    given = parser.parse_args(arguments)
    if given.end_with_stdin:
        # SIGTERM ends it in order once it serves, and at once before that.
        end = partial(os.kill, os.getpid(), signal.SIGTERM)
        threading.Thread(target=end_after, args=(sys.stdin.fileno(), end), daemon=True).start()
    try:
        serve(
            ServerSettings(given.host, given.port, given.keep_bodies, given.idle_exit_s, given.allow_remote),
            registry.chosen(registry.names() if given.all else given.names, given.assignments),
            announce=_announce if given.announce else None,
        )
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _announce(urls: Urls) -> None:
    sys.stdout.write(json.dumps({"url": next(iter(urls.values())), "urls": dict(urls)}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
