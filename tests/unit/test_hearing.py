"""When a worker is deaf: idle for long while messages wait for it."""

from workers.deaf import Hearing


def looks(*seen: tuple[float, bool, bool | None]) -> list[bool]:
    hearing = Hearing(patience_s=60)
    return [hearing.is_deaf(now_s, idle=idle, waiting=waiting) for now_s, idle, waiting in seen]


def test_idle_for_a_minute_while_messages_wait_is_deaf() -> None:
    assert looks((100, True, True), (130, True, True), (159, True, True), (160, True, True)) == [False] * 3 + [True]


def test_who_works_or_got_a_message_is_not() -> None:
    assert looks((100, True, True), (130, False, True), (170, True, True), (229, True, True)) == [False] * 4


def test_empty_queues_and_a_broker_that_is_away_prove_nothing() -> None:
    for nothing in (False, None):
        assert looks((100, True, True), (130, True, nothing), (170, True, True), (229, True, True)) == [False] * 4
