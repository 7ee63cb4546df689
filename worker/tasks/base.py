"""The policy of every task, held once: acknowledgement, log context, retries."""

from __future__ import annotations

from celery import Task
from structlog.contextvars import bound_contextvars

from worker.errors import RetryLater, StopRun
from worker.logs import logger

log = logger(__name__)


class SyncTask(Task):  # type: ignore[misc]  # Celery ships no types
    """
    A task that may be lost, repeated or killed without harm.

    The broker retries nothing: `RetryLater` and `StopRun` end the task quietly, for the
    database says what is due again and when. Anything else is a bug and reaches Celery.
    """

    acks_late = True
    reject_on_worker_lost = True
    ignore_result = True
    max_retries = 0
    serializer = "json"

    def __call__(self, *args: object, **kwargs: object) -> object:
        context = {"task": self.name, "task_id": self.request.id}
        if args:
            # Every task of ours that takes anything takes the id of its run first.
            context["run_id"] = args[0]
        with bound_contextvars(**context):
            return self._perform(*args, **kwargs)

    def _perform(self, *args: object, **kwargs: object) -> object:
        try:
            return self.run(*args, **kwargs)
        except RetryLater as error:
            log.warning("task.deferred", reason=str(error))
        except StopRun as error:
            log.error("task.stopped", reason=str(error))  # noqa: TRY400 -- no trace: its cause is outside
        except Exception as error:
            # Celery logs the trace, but outside of this context.
            log.error("task.crashed", error=type(error).__name__)  # noqa: TRY400 -- Celery logs the trace
            raise
        return None
