"""An asset of one stage, put together from Dagster's definition classes.

``@dg.asset`` makes the same of a function, but inspects its signature, types and docstring several times, and makes
what all checks have in common again for each: with hundreds of syncs that is most of the time in which they load.
"""

import re
from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any

import dagster as dg

Events = Iterator[dg.MaterializeResult[None] | dg.AssetMaterialization | dg.AssetCheckResult]

_UPSTREAM = dg.In(dg.Nothing)
_CHECK = dg.Out(dg.Any)


def stage_asset(
    compute: Callable[[dg.AssetExecutionContext, object], Events],
    spec: dg.AssetSpec,
    *,
    resources: Set[str],
    rows: type | dg.DagsterType = dg.Any,
    io_manager_key: str | None = None,
    pool: str | None = None,
    checks: Sequence[dg.AssetCheckSpec] = (),
    config_schema: Any = None,
) -> dg.AssetsDefinition:
    """The asset that a stage materializes.

    Args:
        compute: Yields the events of the stage. Takes Dagster's context, named ``context``, and no inputs.
        spec: The asset.
        resources: The keys of the resources that ``compute`` uses.
        rows: What downstream assets can load; ``Nothing`` where there is nothing to load.
        io_manager_key: Who loads it.
        pool: Which pool limits it.
        checks: The checks whose results ``compute`` yields.
        config_schema: What can be set for one run; ``compute`` finds it in ``context.op_execution_context.op_config``.
    """
    upstream = {_input_name(dep.asset_key): dep.asset_key for dep in spec.deps}
    checked = {check.get_python_identifier(): check for check in checks}
    result = dg.Out(rows, description=spec.description, io_manager_key=io_manager_key)
    op = dg.OpDefinition(
        compute,
        name=spec.key.to_python_identifier(),
        ins=dict.fromkeys(upstream, _UPSTREAM),
        outs={"result": result, **dict.fromkeys(checked, _CHECK)},
        description=spec.description,
        config_schema=config_schema,
        required_resource_keys=resources,
        code_version=spec.code_version,
        pool=pool,
    )
    return dg.AssetsDefinition(
        keys_by_input_name=upstream,
        keys_by_output_name={"result": spec.key},
        node_def=op,
        check_specs_by_output_name=checked,
        specs=[spec],
    )


def _input_name(key: dg.AssetKey) -> str:
    return re.sub("[^A-Za-z0-9_]", "_", "_".join(key.path))
