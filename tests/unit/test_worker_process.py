"""The worker's main process tells its children that they are to end."""

import os
from time import monotonic, sleep

from workers import process


def test_nobody_is_to_end_where_no_worker_was_made() -> None:
    assert not process.draining()


def test_a_child_learns_that_its_worker_is_to_end() -> None:
    process.share_the_end()
    assert not process.draining()
    child = os.fork()
    if child == 0:
        deadline = monotonic() + 10
        while not process.draining() and monotonic() < deadline:
            sleep(0.01)
        os._exit(0 if process.draining() else 1)
    process.drain()
    assert os.waitpid(child, 0) == (child, 0)
    process.share_the_end()  # as it was, for other tests
    assert not process.draining()
