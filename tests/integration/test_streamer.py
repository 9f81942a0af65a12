"""The thread that serves all streams of a process: whoever does not read is in nobody's way."""

import socket
import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest

from api.frames import Seen
from api.reader import Reader
from api.streamer import Streamer
from dbrag.errors import Transient
from dbrag.jobs.events import PAGE, Sight, Watch
from dbrag.jobs.model import Event, Status
from tests.a_job import a_job
from tests.streams import until

NOW = datetime(2026, 11, 28, tzinfo=UTC)
TENANT = UUID(int=2)
JOB = a_job(NOW, tenant_id=TENANT, status=Status.RUNNING, started_at=NOW, attempt=1)
# So much of each look that no socket takes it at once.
LONG = "x" * 20_000


def page_behind(watch: Watch, count: int = PAGE) -> list[Event]:
    numbers = range(watch.after + 1, watch.after + 1 + count)
    return [Event(number, watch.job_id, Status.RUNNING, 1, NOW, "code", LONG, None) for number in numbers]


def endless(watches: Collection[Watch]) -> dict[Watch, Sight]:
    return {watch: Sight(JOB, page_behind(watch)) for watch in watches}


def reader(job_id: UUID | None = None) -> tuple[Reader, socket.socket]:
    """A reader and the client's end of its connection."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(30)
    return Reader(ours, TENANT, job_id or uuid4(), Seen(), b"HEAD\r\n\r\n"), theirs


def test_one_that_never_reads_is_dropped_and_others_get_everything() -> None:
    slow_id = uuid4()
    over = replace(JOB, status=Status.SUCCEEDED, finished_at=NOW)
    ended = False

    def look(watches: Collection[Watch]) -> dict[Watch, Sight]:
        if not ended:
            return endless(watches)
        return {watch: Sight(over, page_behind(watch, 1)) for watch in watches}

    slow, deaf = reader(slow_id)
    quick, theirs = reader()
    with closing(Streamer(look, stalled_s=0.5)) as streamer, deaf, theirs:
        streamer.add(slow)
        streamer.add(quick)
        got = until(theirs, b"id: 250\n")
        until_closed(slow)
        ended = True
        got += until(theirs, None)
    assert b"event: end" in got
    numbers = [int(line[4:]) for line in got.split(b"\n") if line.startswith(b"id: ")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(slow.unsent) < 2 * PAGE * len(LONG), "nothing piles up for who does not read"


def until_closed(slow: Reader) -> None:
    deadline = time.monotonic() + 30
    while slow.connection.fileno() >= 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_streams_go_on_when_the_database_is_back() -> None:
    away = True

    def look(watches: Collection[Watch]) -> dict[Watch, Sight]:
        if away:
            raise psycopg.OperationalError("away")
        return {watch: Sight(JOB, page_behind(watch, 1)) for watch in watches}

    one, theirs = reader()
    with closing(Streamer(look)) as streamer, theirs:
        streamer.add(one)
        assert until(theirs, b"HEAD\r\n\r\n") == b"HEAD\r\n\r\n"
        away = False
        assert b"event: status" in until(theirs, b"event: status")


def test_a_job_that_is_gone_ends_its_stream() -> None:
    one, theirs = reader()
    with closing(Streamer(lambda watches: {})) as streamer, theirs:
        streamer.add(one)
        assert until(theirs, None) == b"HEAD\r\n\r\n"


def test_its_end_closes_every_connection() -> None:
    one, theirs = reader()
    streamer = Streamer(lambda watches: {watch: Sight(JOB, []) for watch in watches})
    streamer.add(one)
    with theirs:
        until(theirs, b"event: progress")
        streamer.close()
        assert until(theirs, None) == b""
    assert not streamer.is_alive


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_closes_every_connection_rather_than_leave_readers_without_a_word() -> None:
    def look(watches: Collection[Watch]) -> dict[Watch, Sight]:
        raise ZeroDivisionError

    one, theirs = reader()
    streamer = Streamer(look)
    streamer.add(one)
    with theirs:
        assert until(theirs, None) == b"HEAD\r\n\r\n"
    streamer.close()
    assert not streamer.is_alive


def test_a_tenant_has_so_many_streams_and_no_more() -> None:
    with closing(Streamer(lambda watches: {watch: Sight(JOB, []) for watch in watches}, of_a_tenant=3)) as streamer:
        pairs = [reader() for _ in range(3)]
        for one, _ in pairs:
            streamer.check(TENANT)
            streamer.add(one)
        with pytest.raises(Transient) as refused:
            streamer.check(TENANT)
        assert (refused.value.code, refused.value.status) == ("too_many_streams", 503)
        streamer.check(UUID(int=3))
        pairs[0][1].close()
        until_closed(pairs[0][0])
        streamer.check(TENANT)
        for _, theirs in pairs:
            theirs.close()
