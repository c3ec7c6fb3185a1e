"""Loads the code location that the environment names, as a code server does: what that costs, as JSON."""

from __future__ import annotations

import json
import time
import warnings

from reverse_etl_tests.benchmarks.memory import peak_mb


def main() -> None:
    """Seconds of the processor to load and to make what the daemon and the UI get of it; its size; the peak."""
    warnings.simplefilter("ignore")
    began = time.process_time()
    from reverse_etl.definitions import defs

    repository = defs().get_repository_def()
    repository.get_all_jobs()
    loaded = time.process_time()
    from dagster._core.remote_representation.external_data import JobDataSnap, RepositorySnap
    from dagster._serdes import serialize_value

    # As a code server answers: what is in a job is asked for when somebody looks at it, or launches it.
    text = serialize_value(RepositorySnap.from_def(repository, defer_snapshots=True))
    snapshot_cpu_s = time.process_time() - loaded
    job = serialize_value(JobDataSnap.from_job_def(repository.get_job("sync_00000"), include_parent_snapshot=False))
    found = {
        "load_cpu_s": loaded - began,
        "snapshot_cpu_s": snapshot_cpu_s,
        "snapshot_mb": len(text) / 1e6,
        "job_kb": len(job) / 1e3,
        "peak_mb": peak_mb(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
