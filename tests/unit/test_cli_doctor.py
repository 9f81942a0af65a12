"""The doctor's judgement, without servers; its looks at real ones are in tests/integration."""

from dbrag.cli.doctor.command import examine, line
from dbrag.cli.doctor.model import Check, Finding, Mark, ok, skipped, wrong
from dbrag.cli.doctor.workers import judge


def marks(*checks: Check) -> dict[str, Mark]:
    return {name: finding.mark for name, finding in examine(checks)}


def never() -> Finding:
    raise AssertionError("looked at something that cannot be there")


def test_what_stands_on_something_broken_is_not_looked_at() -> None:
    found = marks(
        Check("server", lambda: wrong("away", "Start it.")),
        Check("schema", never, ("server",)),
        Check("queues", never, ("schema",)),
        Check("broker", lambda: ok("there")),
    )
    assert found == {"server": Mark.WRONG, "schema": Mark.SKIPPED, "queues": Mark.SKIPPED, "broker": Mark.OK}


def test_a_skipped_check_does_not_count_as_well() -> None:
    assert marks(Check("cache", lambda: skipped("unset")), Check("two", never, ("cache",)))["two"] is Mark.SKIPPED


def test_a_finding_is_one_line_with_its_remedy() -> None:
    assert (
        line("schema", wrong("behind", "Run `dbrag db upgrade`.")).plain == "✗ schema: behind → Run `dbrag db upgrade`."
    )
    assert line("schema", ok("at head")).plain == "✓ schema: at head"


def test_every_queue_needs_a_worker() -> None:
    found = judge({"general@a": {"critical", "default"}})
    assert found.mark is Mark.WRONG
    assert "nobody serves low" in found.seen
    assert judge({"general@a": {"critical", "default"}, "low@a": {"low"}}).mark is Mark.OK


def test_silent_workers_are_reported_with_the_command_that_starts_them() -> None:
    assert "celery -A tasks worker" in judge({}).remedy
