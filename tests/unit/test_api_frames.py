"""What a reader of a stream gets next, from what it has seen."""

from dataclasses import replace

import pytest
from test_progress import NOW, STARTED

from api.frames import Seen, frames
from dbrag.jobs.events import PAGE, Sight
from dbrag.jobs.model import Event, Status

OVER = replace(STARTED, status=Status.SUCCEEDED, finished_at=NOW)


def events(*numbers: int) -> list[Event]:
    return [Event(number, STARTED.id, Status.RUNNING, 1, NOW, None, None, None) for number in numbers]


def names(data: bytes) -> list[str]:
    return [line.removeprefix("event: ") for line in data.decode().splitlines() if line.startswith("event: ")]


def test_the_job_is_shown_at_first_and_then_when_something_of_it_has_changed() -> None:
    data, seen, over = frames(Seen(), Sight(STARTED, events(7)))
    assert (names(data), seen.event_id, over) == (["status", "progress"], 7, False)
    assert frames(seen, Sight(replace(STARTED, worked_s=99), []))[0] == b"", "only time has passed"
    data, later, _ = frames(seen, Sight(replace(STARTED, completed=1), []))
    assert (names(data), later.event_id) == (["progress"], 7)
    assert later != seen


@pytest.mark.parametrize("seen", [Seen(), Seen(8, "version")])
def test_the_end_comes_behind_the_last_event_and_once(seen: Seen) -> None:
    data, _, over = frames(seen, Sight(OVER, events(9)))
    assert (names(data), over) == (["status", "end"], True)
    data, _, over = frames(seen, Sight(OVER, []))
    assert (names(data), over) == (["end"], True)


def test_where_there_are_more_events_than_a_page_the_end_waits_for_them() -> None:
    data, seen, over = frames(Seen(), Sight(OVER, events(*range(1, PAGE + 1))))
    assert (names(data), seen, over) == (["status"] * PAGE, Seen(PAGE), False)


def test_only_a_change_of_status_has_an_id() -> None:
    data, _, _ = frames(Seen(), Sight(STARTED, events(7)))
    status, progress, rest = data.decode().split("\n\n")
    assert status.startswith("id: 7\nevent: status\ndata: {")
    assert progress.startswith("event: progress\ndata: {")
    assert rest == ""
