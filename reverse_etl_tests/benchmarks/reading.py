"""One query read to Parquet, as a run does it, in a process of its own that imports nothing else.

``python -m reverse_etl_tests.benchmarks.reading`` takes a pickled connection and query on its standard input.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

from reverse_etl.config.connections import DatabaseConfig
from reverse_etl_tests.benchmarks.memory import peak_mb


@dataclass(frozen=True, slots=True)
class Read:
    """What reading took.

    Attributes:
        rows: Rows written.
        seconds: From connecting to the last file, after an empty result of the same query was read.
        peak_mb: Of the process, everything that it imports included.
    """

    rows: int
    seconds: float
    peak_mb: float


def read_apart(config: DatabaseConfig, query: str, *, without: str | None = None) -> Read:
    """Reads a query in a new process, with this one's environment; ``without`` is a package not to be found there."""
    program = f"import sys; sys.modules[{without!r}] = None; from {__name__} import main; main()"
    command = [sys.executable, "-c", program] if without else [sys.executable, "-m", __name__]
    root, asked = Path(__file__).parents[2], pickle.dumps((config, query))
    done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, check=True, cwd=root)
    return Read(**json.loads(done.stdout.splitlines()[-1]))


def empty(query: str) -> str:
    """The query without its rows."""
    return f"SELECT * FROM ({query}) AS q WHERE 1 = 0"


def to_parquet(config: DatabaseConfig, query: str) -> int:
    """What a run does: stream, number, write parts."""
    from reverse_etl.changeset.parts import Parts, with_row_numbers
    from reverse_etl.sources import connect

    with tempfile.TemporaryDirectory() as folder, connect(config) as session:
        return Parts(Path(folder) / "rows", "rows").write(with_row_numbers(session.stream(query)))


def main() -> None:
    """Reads what standard input names and prints ``Read`` as JSON."""
    warnings.simplefilter("ignore")
    config, query = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    to_parquet(config, empty(query))
    began = time.perf_counter()
    rows = to_parquet(config, query)
    print(json.dumps(asdict(Read(rows, time.perf_counter() - began, peak_mb()))))


if __name__ == "__main__":
    main()
