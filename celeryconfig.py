"""
Celery settings: queues, routes, the schedule. Data only; tasks are named by string.
Where the broker is, `worker.app` adds from the settings at first use.
"""

from kombu import Queue

# Registered when a worker or beat starts, never by importing the application.
imports = ("worker.tasks.members", "worker.tasks.clock")

# Quorum queues on RabbitMQ; Redis and Valkey ignore the argument. Two queues instead of
# priorities: on Redis 0 goes first, on RabbitMQ 9 does.
task_queues = tuple(
    Queue(name, routing_key=name, queue_arguments={"x-queue-type": "quorum"})
    for name in ("interactive", "bulk")
)
task_default_queue = "interactive"
task_default_routing_key = "interactive"
task_create_missing_queues = False
task_routes = {
    "streams.tick": {"queue": "interactive"},
    "members.run": {"queue": "bulk"},
}

# The one entry: what is due, and how often, is said by the database. A tick that
# waited 15 s is worth nothing: three younger ones wait behind it.
beat_schedule = {
    "streams.tick": {
        "task": "streams.tick",
        "schedule": 5.0,
        "options": {"expires": 15},
    },
}
# Keeps its schedule in memory: there is one fixed entry, so a file would only be
# something to lock and to corrupt. Any number of beats does no harm.
beat_scheduler = "celery.beat:Scheduler"
# Otherwise Celery would schedule the clean-up of a result backend that is not there.
result_expires = None

# Runs and their outcomes are rows of ours; results through Celery cost 10 x (measured).
task_ignore_result = True
task_acks_late = True
task_reject_on_worker_lost = True
task_acks_on_failure = True
task_acks_on_timeout = True
worker_prefetch_multiplier = 1
task_serializer = "json"
accept_content = ["json"]
enable_utc = True

broker_connection_retry_on_startup = True
# A lost connection must not cancel a run in its middle: its lease protects it.
worker_cancel_long_running_tasks_on_connection_loss = False
# A dead broker is noticed within a second; the tick sends again what was not sent.
task_publish_retry_policy = {
    "max_retries": 2,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
}

# For Flower, switch it on there: `celery -A worker.app control enable_events`.
worker_send_task_events = False
worker_hijack_root_logger = False
worker_redirect_stdouts = False
