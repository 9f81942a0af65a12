"""A trial: a load, blows, calm, and then all that must hold."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from dbrag.cache import PAUSE_S
from dbrag.documents.split import split
from dbrag.embedding.provider import HARMLESS
from dbrag.embedding.texts import text_hash
from tests.faults.harness.author import REFUSED
from tests.faults.harness.fleet import MAX_TOKENS, ON_ITS_WAY_S, Blow, Fleet, overlapping
from tests.faults.harness.load import Load
from tests.faults.harness.shelf import Shelf
from tests.faults.harness.strike import Strike
from tests.provider.stats import Flight
from tests.running import wait_until_quiet

QUIET_S = 120.0
# So long after a cancel was answered, its texts may still be sent: by who had claimed them, and waits for the limits.
HEARD_S = 2.0
# A worker notices half-open connections after some 20 s, and may then have to be started anew.
STANDS_UP_S = 60.0
# A cache that was killed is back in so much time at most.
CACHE_START_S = 2.0
_numbers = count(1)


@dataclass
class Trial:
    """What came of it; `doubled` counts texts that were sent again, `fell` processes that ended by themselves.

    `recovery_s`: from the end of the last blow until nobody had anything to do.
    """

    strikes: Sequence[Strike]
    jobs: int = 0
    documents: int = 0
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    doubled: int = 0
    fell: Counter[str] = field(default_factory=Counter)
    recovery_s: float = 0.0


def survive(fleet: Fleet, trial: Trial, seed: int) -> None:
    """Strikes one after the other under one load. Fails with the first sentence that does not hold afterwards."""
    strikes = trial.strikes
    if not all(process.running for process in fleet.servers.processes.values()):
        fleet.stand_up()  # a strike that failed has left something down
    fleet.random.seed(seed)
    fleet.provider.script(always={"delay_s": 0.15}, refuse_containing=REFUSED)
    fleet.provider.forget()
    fleet.blows.clear()
    fleet.unheard.clear()
    fleet.fell.clear()
    since = _newest_generation(fleet)
    shelves = fleet.shelves(f"t{next(_numbers)}-{seed}")
    with Load(shelves, seed, shares=not any(strike.forgets for strike in strikes)) as load:
        fleet.until(lambda: load.jobs and fleet.under_way(), "no job ever got as far as the provider")
        for strike in strikes:
            fleet.moment()
            strike(fleet)
        fleet.moment(0.1, 0.3)
    _count(trial, load, shelves)
    _settle(fleet, trial)
    _check(fleet, trial, shelves, since)
    if any(strike.forgets for strike in strikes):
        # So long a cache that was away is left alone; what comes next relies on it.
        time.sleep(max(0.0, max(blow.ended_at for blow in fleet.blows) + PAUSE_S + CACHE_START_S - time.time()))


def _count(trial: Trial, load: Load, shelves: list[Shelf]) -> None:
    trial.jobs, trial.statuses, trial.unanswered = len(load.jobs), load.statuses, load.unanswered
    trial.documents = sum(len(shelf.last) for shelf in shelves)


def _settle(fleet: Fleet, trial: Trial) -> None:
    fleet.stand_up(patience_s=STANDS_UP_S)
    trial.fell = fleet.fell.copy()
    fleet.provider.script(refuse_containing=REFUSED)
    with fleet.database() as conn:
        conn.autocommit = True
        wait_until_quiet(conn, QUIET_S)
    trial.recovery_s = max(0.0, time.time() - max((blow.ended_at for blow in fleet.blows), default=time.time()))


def _check(fleet: Fleet, trial: Trial, shelves: list[Shelf], since: int) -> None:
    fleet.check(since)
    with fleet.database() as conn:
        for shelf in shelves:
            shelf.verify(conn)
    flights = fleet.provider.flights()
    trial.requests = len(flights)
    unexcused, trial.doubled = _doubled(fleet, flights, _let_go(shelves) + _given_up(fleet, flights, shelves))
    assert not unexcused, _explain(fleet, unexcused, flights)
    wrong = {status: n for status, n in trial.statuses.items() if status >= 500 and status != 503}
    assert not wrong, f"the API answered {wrong}"
    assert not (vain := _in_vain(fleet, flights, shelves)), f"nobody wanted them any more, yet they were sent: {vain}"
    allowed = [strike.ends for strike in trial.strikes if strike.ends]
    fell = {how: n for how, n in trial.fell.items() if not any(event in how for event in allowed)}
    assert not fell, f"ended by themselves: {fell}"


# What may be sent again because of what, by text.
Excuses = list[tuple[Blow, set[str]]]


def _doubled(fleet: Fleet, flights: list[Flight], excuses: Excuses) -> tuple[set[str], int]:
    """Texts that were sent again though no earlier request for them was in flight when a blow fell, or when an excuse
    that names them began; and how many were sent again at all."""
    by_text: dict[str, list[Flight]] = defaultdict(list)
    for flight in sorted(flights):
        for text in flight.texts:
            by_text[text].append(flight)
    by_text.pop(text_hash(HARMLESS).hex(), None)  # asked on purpose, to see whether the provider refuses everything
    again = {text: sent[:-1] for text, sent in by_text.items() if len(sent) > 1}
    own: dict[str, list[Blow]] = defaultdict(list)
    for blow, texts in excuses:
        for text in texts & again.keys():
            own[text].append(blow)
    unexcused = {
        text
        for text, earlier in again.items()
        if not all(overlapping(flight.began_at, fleet.heard_at(flight), fleet.blows + own[text]) for flight in earlier)
    }
    return unexcused, sum(len(earlier) for earlier in again.values())


def _let_go(shelves: list[Shelf]) -> Excuses:
    """What cancelled jobs and deleted documents were made of, from when that was sent until it was heard.

    Their texts may be with the provider at that moment, and nobody waits for them any more: another document that holds
    the same text asks for it again if it comes before that answer.
    """
    return [
        (Blow(gone.began_at, gone.ended_at, ON_ITS_WAY_S, late_s=HEARD_S), _hashes(gone.texts))
        for shelf in shelves
        for gone in shelf.let_go
    ]


def _given_up(fleet: Fleet, flights: list[Flight], shelves: list[Shelf]) -> Excuses:
    sent = {job_id: texts for shelf in shelves for job_id, texts in shelf.sent.items()}
    return [
        (blow, _hashes(text for job_id in jobs for text in sent.get(job_id, [])))
        for blow, jobs in fleet.given_up(flights)
    ]


def _in_vain(fleet: Fleet, flights: list[Flight], shelves: list[Shelf]) -> list[tuple[float, float]]:
    """Requests for nothing but texts of jobs that were all cancelled long before: when, and how long before.

    What lasted until a moment before may have kept a worker from hearing of it.
    """
    heard_at: dict[str, float] = defaultdict(float)
    for shelf in shelves:
        for job_id, texts in shelf.sent.items():
            for text in _hashes(texts):
                heard_at[text] = max(heard_at[text], shelf.cancelled.get(job_id, float("inf")))
        heard_at |= dict.fromkeys(_hashes(shelf.unanswered), float("inf"))
    late = [
        (max(heard_at.get(text, float("inf")) for text in flight.texts) + HEARD_S, flight.began_at)
        for flight in flights
    ]
    return [
        (began_at, began_at - until)
        for until, began_at in late
        if until < began_at
        and not any(blow.began_at <= began_at and until <= blow.ended_at + HEARD_S for blow in fleet.blows)
    ]


def _hashes(texts: Iterable[str]) -> set[str]:
    return {text_hash(text[span.start : span.end]).hex() for text in texts for span in split(text, MAX_TOKENS, 0)}


def _explain(fleet: Fleet, texts: set[str], flights: list[Flight]) -> str:
    text = min(texts)
    began_at = min(flight.began_at for flight in flights)
    sent = [(round(f.began_at - began_at, 2), round(f.ended_at - began_at, 2)) for f in flights if text in f.texts]
    blows = [(round(blow.began_at - began_at, 2), round(blow.ended_at - began_at, 2)) for blow in fleet.blows]
    return f"{len(texts)} texts were paid twice without need, such as {text}: sent at {sent}, blows at {blows}"


def _newest_generation(fleet: Fleet) -> int:
    with fleet.database() as conn:
        row = conn.execute("SELECT coalesce(max(id), 0) FROM generations").fetchone()
    return row[0] if row else 0
