"""Keeps a worker alive when its broker goes away.

kombu 5.7 acknowledges messages, and puts those that are not acknowledged back into their queues, through channels whose
connection it has let go of already. The AttributeError is none of the errors that Celery expects: it ends the worker
("Unrecoverable error"). There is nothing to be done then: Redis still holds these messages as unacknowledged, delivers
them again after the visibility timeout, and the claims refuse what is done; leases and the relay bring the rest back.
"""

from typing import Any

from celery import signals
from kombu.transport import redis


class QoS(redis.QoS):
    """kombu's, which leaves messages where they are once there is no way to reach them."""

    def ack(self, delivery_tag: Any) -> None:
        if self._is_reachable():
            super().ack(delivery_tag)

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        if self._is_reachable():
            super().reject(delivery_tag, requeue=requeue)

    def restore_unacked(self, client: Any = None) -> None:
        if self._is_reachable():
            super().restore_unacked(client)

    def _is_reachable(self) -> bool:
        connection = self.channel.connection
        return connection is not None and connection.client is not None


@signals.worker_init.connect
def mend_kombu(**_: Any) -> None:
    """Before the first connection."""
    redis.Channel.QoS = QoS
