"""The tags of a run in Dagster, by which filters find it: its sync, its workspace, how it ended.

What only we read has Dagster's prefix of tags that its pages do not show.

A sync's own job has its tags from the start. A run without such a job, as "Materialize" starts one, is given them by
the run queue (``coordinator``), and where none passes, at its first stage (``assets``).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import dagster as dg
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX

from reverse_etl.config.syncs import SyncConfig
from reverse_etl.report import FROM_GOOD_TO_BAD, Status

WORKSPACE_TAG = "reverse_etl/workspace"
SYNC_TAG = "reverse_etl/sync"
STATUS_TAG = "reverse_etl/status"
"""How a run ended, by our word for it; ``running`` until then."""
BEGAN_TAG = f"{HIDDEN_TAG_PREFIX}reverse_etl/began"
"""The run's own id, once it is in the history of some state database; a re-execution may carry that of another run."""
WAITS_TAG = f"{HIDDEN_TAG_PREFIX}reverse_etl/overlap"
"""``wait`` on the runs of syncs with ``overlap: wait``."""
OVERLAP_TAG = "reverse_etl/overlap"
"""``wait`` on the assets of a sync with ``overlap: wait``."""
ALONE_TAG = f"{HIDDEN_TAG_PREFIX}reverse_etl/alone"
"""On runs, without a job of a sync, of nothing but syncs' assets."""

_POOL = "reverse_etl:"
"""What the pools of destinations begin with. Their names are enough: no two destinations have one name."""

_BEGAN_BEFORE = "reverse_etl/began"
"""The name that ``BEGAN_TAG`` had in release 0.1."""

STAGES = ("changeset", "validated", "compared", "delivery")
"""What the names of a sync's assets end with."""

_SHOWN = 3
"""How many names a tag's value holds: a Postgres index takes no longer ones than 2,700 bytes."""


def pool(sync: SyncConfig) -> str:
    """The pool of every run of a destination's syncs, which no pool of a user's own is taken for."""
    return f"{_POOL}{sync.destination}"


def workspaces_of(run: dg.DagsterRun) -> set[str]:
    """The workspaces that a run sends to, by its tag and by its pools."""
    pools = run.run_op_concurrency.all_pools if run.run_op_concurrency else None
    named = {pool.removeprefix(_POOL) for pool in pools or () if pool.startswith(_POOL)}
    tagged = run.tags.get(WORKSPACE_TAG)
    return named or ({tagged} if tagged else set())


def of_syncs_alone(run: dg.DagsterRun) -> bool:
    """Whether nothing runs in it but stages of syncs; not so where a user's own assets are among them."""
    assets = run.asset_selection or ()
    by_default_keys = bool(assets) and all(map(_is_default_key, assets))
    return run.job_name == run.tags.get(SYNC_TAG) or ALONE_TAG in run.tags or by_default_keys


def _is_default_key(key: dg.AssetKey) -> bool:
    """Whether a sync's asset has this key where no translator changes it; for runs that have no tags yet."""
    return list(key.path[1:]) in [[f"{key.path[0]}_{stage}"] for stage in STAGES]


def has_begun(run: dg.DagsterRun) -> bool:
    """Whether the run itself is in the history of some state database."""
    return run.run_id in (run.tags.get(BEGAN_TAG), run.tags.get(_BEGAN_BEFORE))


def missing_tags(run: dg.DagsterRun, assets: Collection[Mapping[str, Any]]) -> dict[str, str]:
    """The tags of a run's syncs and workspaces, for a run that has none: ``people``, or ``orders, people``.

    Args:
        run: The run.
        assets: The metadata of everything that it materializes.
    """
    of_syncs = [asset for asset in assets if SYNC_TAG in asset]
    tags = {ALONE_TAG: "yes"} if run.asset_selection and len(of_syncs) == len(assets) else {}
    workspaces = workspaces_of(run)
    if SYNC_TAG not in run.tags and of_syncs and workspaces:
        tags |= {WORKSPACE_TAG: in_words(workspaces), SYNC_TAG: in_words({named(a, SYNC_TAG) for a in of_syncs})}
    return tags


def named(metadata: Mapping[str, Any], name: str) -> str:
    """A name in the metadata of a sync's asset: its sync's (``SYNC_TAG``), or its workspace's (``WORKSPACE_TAG``).

    Dagster wraps them where another process has read them.
    """
    value = metadata[name]
    return str(value.value if isinstance(value, dg.MetadataValue) else value)


def in_words(names: Iterable[str]) -> str:
    """Up to three names, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more


def tag_status(instance: dg.DagsterInstance, run_id: str, status: Status) -> None:
    """Tags a run with how it ended; of several syncs' ends the worst."""
    run = instance.get_run_by_id(run_id)
    before = Status(run.tags.get(STATUS_TAG, Status.RUNNING.value)) if run else Status.RUNNING
    instance.add_run_tags(run_id, {STATUS_TAG: max(before, status, key=FROM_GOOD_TO_BAD.index).value})
