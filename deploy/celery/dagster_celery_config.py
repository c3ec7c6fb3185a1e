"""Settings of Celery's workers, which find them on PYTHONPATH; the broker's addresses come from the environment.

Each line but the addresses is needed: docs/deploy.md says what goes wrong without it.
"""

import os

_DAY_S = 86_400

broker_url = os.environ["REVERSE_ETL_BROKER_URL"]
result_backend = os.environ["REVERSE_ETL_RESULT_URL"]
# A process for each run: sync files are read anew, and memory is given back.
worker_max_tasks_per_child = 1
# No run waits behind another one while a worker elsewhere is free.
worker_prefetch_multiplier = 1
# Longer than `max_runtime_seconds`: Redis hands out again what nobody acknowledged for so long.
broker_transport_options = {"visibility_timeout": _DAY_S + 3_600}
result_expires = _DAY_S + 3_600
broker_connection_retry_on_startup = True
worker_send_task_events = False
