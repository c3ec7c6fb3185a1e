"""The sensor for the alerts that no run sends: syncs that are stale, left out, or skipped again and again.

It also sends what a run could not: its channel did not answer, or its process was gone.
"""

import dagster as dg

from reverse_etl.config.folder_now import folder_now
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.defs.assets import HOME
from reverse_etl.notify.sending import send_alerts, send_left_out
from reverse_etl.state.kept import kept_store

EVERY_S = 60


def alerts_sensor(project: ProjectConfig) -> dg.SensorDefinition:
    """The sensor ``alerts`` of a project that has channels."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Alerts {', '.join(sorted(project.notify))} about syncs that are stale, skipped, left out or "
        "recovered.",
        required_resource_keys={HOME},
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        store = kept_store(getattr(context.resources, HOME).home.state_url)
        alerted = send_left_out(folder_now(project.directory).read(), project.notify, store=store)
        alerted += send_alerts(project.syncs.values(), project.notify, store=store)
        for warning in alerted.warnings:
            context.log.warning(warning)
        sent = [f"alerted {channel}: {alert.headline}" for channel, alert in alerted.sent]
        return dg.SkipReason("\n".join([*sent, *alerted.warnings]) or "No new alert.")

    return alerts
