"""The broker, as its clients see it: publish a message, ask for a queue's length. A message carries ids only."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from celery import Celery  # pyright: ignore[reportMissingTypeStubs] - Celery has none
from kombu.exceptions import OperationalError
from redis import RedisError

from dbrag.errors import Transient
from dbrag.jobs.model import Queue
from dbrag.settings import Settings

# A publisher gives up in under two seconds when the broker is away: the job is committed, the relay brings it later.
# redis-py's and kombu's own defaults hang for more than 25 s on a blackholed broker.
CONNECT_TIMEOUT_S = 0.5
SOCKET_TIMEOUT_S = 1.0


class Broker:
    """A client of the broker. Connects when it is used; one a process, shared by its threads."""

    def __init__(self, settings: Settings) -> None:
        broker_url = settings.celery_broker_url.get_secret_value()
        self._celery: Any = Celery("dbrag-publisher", broker=broker_url, set_as_current=False)
        self._celery.conf.update(
            task_send_sent_event=True,
            task_publish_retry=False,
            task_create_missing_queues=True,
            broker_transport_options={
                "socket_connect_timeout": CONNECT_TIMEOUT_S,
                "socket_timeout": SOCKET_TIMEOUT_S,
                "max_retries": 0,  # one more try comes 2 s later (kombu's interval_start), which is too late
                "visibility_timeout": settings.visibility_timeout_s,
            },
        )

    def publish(self, jobs: Iterable[tuple[UUID, str, str]]) -> list[UUID]:
        """Publishes jobs (id, kind, queue) with the job's id as the task's id; returns those that the broker took.

        Stops at the first that it does not take.
        """
        taken: list[UUID] = []
        try:
            for job_id, kind, queue in jobs:
                self._send(kind, [str(job_id)], str(job_id), queue)
                taken.append(job_id)
        except Transient:
            pass  # the outbox marks of the others stand
        return taken

    def wake(self, queue: Queue) -> None:
        """Asks a worker of this queue to look for pending texts.

        Raises: Transient where the broker is away; the relay wakes them later.
        """
        self._send("embed_pending", [], str(uuid4()), queue.value)

    def send_canary(self, queue: Queue) -> None:
        """Sends a queue a message whose only work is to be taken; see dbrag/jobs/canaries.py.

        Raises: Transient where the broker is away.
        """
        self._send("canary", [queue.value], str(uuid4()), queue.value)

    def lengths(self) -> dict[str, int] | None:
        """Messages in each queue that no worker has fetched; None where the broker is away."""
        try:
            with self._celery.connection_for_write() as connection:
                channel: Any = connection.default_channel
                return {queue.value: _length(channel, queue.value) for queue in Queue}
        except (OperationalError, *_transport_errors(self._celery)):
            return None

    def eviction_policy(self) -> str | None:
        """The server's maxmemory-policy; None where it cannot be asked, or does not tell."""
        try:
            with self._celery.connection_for_write() as connection:
                channel: Any = connection.default_channel
                return channel.client.config_get("maxmemory-policy").get("maxmemory-policy")
        except (AttributeError, OperationalError, RedisError, *_transport_errors(self._celery)):  # no Redis, for one
            return None

    def close(self) -> None:
        """Closes its connections."""
        self._celery.close()

    def _send(self, name: str, args: list[str], task_id: str, queue: str) -> None:
        try:
            self._celery.send_task(name, args=args, task_id=task_id, queue=queue, ignore_result=True)
        except (OperationalError, *_transport_errors(self._celery)) as exc:
            raise Transient(f"the broker cannot be reached: {exc}", code="broker_unavailable") from exc


def _length(channel: Any, queue: str) -> int:
    return int(channel.queue_declare(queue=queue, durable=True, auto_delete=False).message_count)


def _transport_errors(app: Any) -> tuple[type[BaseException], ...]:
    connection = app.connection_for_write()
    return (*connection.connection_errors, *connection.channel_errors)
