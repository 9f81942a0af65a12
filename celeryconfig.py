"""Celery's settings, a reason beside each; most were measured, since on Redis the defaults lose work.

Celery wakes workers, no more: what is to be done, and whether it is done, stands in PostgreSQL.
"""

from kombu.entity import Queue as KombuQueue

from dbrag.jobs.model import Queue
from dbrag.settings import Settings

_settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment; this module is a process's entry point

broker_url = _settings.celery_broker_url.get_secret_value()
broker_connection_retry_on_startup = True  # the broker may start after the worker
broker_connection_max_retries = None  # and may be away for as long as it likes
broker_channel_error_retry = True  # without it a full Redis (noeviction) makes the worker exit
broker_transport_options = {
    # The order of -Q is the priority: a critical job is served next, whatever waits in the other queues.
    "queue_order_strategy": "priority",
    # A message whose worker has died comes back, after the job's lease has run out: the claim would refuse it before.
    "visibility_timeout": _settings.visibility_timeout_s,
    # Look for such messages often; with the defaults it takes some 100 s longer.
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    # A half-open connection is noticed; with the defaults a worker stays deaf for as long as one cares to watch.
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
}

task_queues = [KombuQueue(queue.value) for queue in Queue]
task_default_queue = Queue.DEFAULT.value
task_create_missing_queues = False  # a misspelt queue is an error, not a queue that nobody serves
worker_prefetch_multiplier = 1  # a message that is fetched cannot be overtaken by a critical one
worker_enable_prefetch_count_reduction = False  # or a reconnect leaves the worker fetching less for a while
worker_cancel_long_running_tasks_on_connection_loss = False  # the lease says whose work it is, not the connection

task_acks_late = True  # a message outlives the worker's child that worked on it
task_reject_on_worker_lost = True  # and is delivered again at once; the claim caps the attempts
task_acks_on_failure = True  # what failed is written in the job; delivering it again would loop
task_acks_on_timeout = True  # the lease brings it back
task_soft_time_limit = _settings.task_soft_time_limit_s  # inside the hard limit, inside the lease,
task_time_limit = _settings.task_time_limit_s  # inside the visibility timeout

task_serializer = "json"  # messages carry ids only
accept_content = ["json"]
result_backend = None  # the jobs table is the truth; a worker that loses a backend records failures that were none
task_ignore_result = True

worker_send_task_events = True  # Flower shows what workers do
task_send_sent_event = True  # and what waits for them
worker_max_tasks_per_child = 1000  # whatever leaks, leaks not for long
worker_max_memory_per_child = 300_000  # KiB
worker_soft_shutdown_timeout = 10  # SIGQUIT lets what runs end, then gives it back
worker_hijack_root_logger = False  # dbrag.telemetry sets logging up
enable_utc = True
timezone = "UTC"
