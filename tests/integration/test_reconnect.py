"""A worker's connection that is let go of while it holds messages."""

from collections.abc import Iterator

import pytest
from kombu import Connection
from kombu.transport import redis

from dbrag.settings import Settings
from workers.reconnect import mend_kombu


@pytest.fixture
def mended() -> Iterator[None]:
    theirs = redis.Channel.QoS
    mend_kombu()
    yield
    redis.Channel.QoS = theirs


@pytest.mark.usefixtures("mended")
def test_a_connection_that_was_let_go_of_can_be_closed_though_messages_are_unacknowledged(settings: Settings) -> None:
    connection = Connection(settings.celery_broker_url.get_secret_value())
    with connection.SimpleQueue("held-by-nobody") as queue:
        queue.put("a message")
        message = queue.get(timeout=5)
        connection.transport.client = None  # as kombu does when it gives a broken connection up
        queue.channel.close()
        message.ack()  # as of a task that ends just then
    connection.release()
    with Connection(settings.celery_broker_url.get_secret_value()) as other:
        assert other.default_channel.client.hlen("unacked") == 1, "the message is where it was"
        other.default_channel.client.delete("unacked", "unacked_index", "held-by-nobody")
