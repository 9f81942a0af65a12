"""Keeps a worker alive when its broker goes away.

kombu 5.7 puts unacknowledged messages back into their queues when it closes a channel, and for that may want to connect
again through a connection that it has let go of already. The AttributeError is none of the errors that Celery expects:
it ends the worker ("Unrecoverable error"). Nothing has to be put back then: Redis still holds these messages as
unacknowledged, and the jobs' leases and the relay bring the work back in any case.
"""

from typing import Any

from celery import signals
from kombu.transport import redis


class QoS(redis.QoS):
    """kombu's, which leaves messages where they are once there is no way to reach them."""

    def restore_unacked(self, client: Any = None) -> None:
        if self.channel.connection.client is not None:
            super().restore_unacked(client)


@signals.worker_init.connect
def mend_kombu(**_: Any) -> None:
    """Before the first connection."""
    redis.Channel.QoS = QoS
