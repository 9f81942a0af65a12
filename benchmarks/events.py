"""What readers of event streams cost those who ask the same gunicorn for something else.

    python -m benchmarks.events [--readers 500] [--jobs 100] [--json]

It starts the embedded stack (without Flower), whose gunicorn is that of production (2 processes of 8 threads), and a
provider's stand-in. The same is done without readers and with them: so many jobs of a paused collection, which is
resumed; while they run, one client asks for a job and sends a document of 2 KB, in turns, as fast as it is answered.
Each reader follows one of the jobs; they are in a process of their own. Nothing else should run on the machine.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psutil
import psycopg

from benchmarks.client import Client
from benchmarks.ending import end_on_sigterm
from benchmarks.figures import percentile
from benchmarks.followers import Follower, Followers, following
from benchmarks.report import show_json, show_runs
from benchmarks.stack import Stack, running_stack
from tests.provider import ProviderServer

REQUESTS = 600
"""Of each kind in a run."""
TEXTS = 20
"""Of a job."""


@dataclass
class Result:
    """One run; the times of requests and events are in ms. `late` counts from the transaction that made an event."""

    run: str
    readers: int
    ask_p50_ms: float
    ask_p99_ms: float
    send_p50_ms: float
    send_p99_ms: float
    events: int = 0
    missed_or_twice: int = 0
    not_ended: int = 0
    progress: int = 0
    late_p50_ms: float = 0.0
    late_p99_ms: float = 0.0
    kib_a_reader: float = 0.0


def main() -> None:
    """Run it and print a table, or JSON."""
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=100, help="that they follow")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    with (
        ProviderServer(base_ms=150, ms_per_1000_tokens=5) as provider,
        TemporaryDirectory(prefix="dbrag-benchmark-") as folder,
        running_stack(Path(folder), provider.url) as stack,
        closing(Bench(stack)) as bench,
    ):
        bench.run("warming up", 0, arguments.jobs)
        results = [
            bench.run("without readers", 0, arguments.jobs),
            bench.run("with readers", arguments.readers, arguments.jobs),
            bench.run("without readers again", 0, arguments.jobs),
        ]
    _report(results, arguments.json)


class Bench(Client):
    """The client that asks and sends, and the collection that the watched jobs are in."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._stack = stack
        self.put_collection("watched")
        self.put_collection("beside")

    def run(self, name: str, readers: int, jobs: int) -> Result:
        """Jobs that wait, readers that follow them, and requests while they run."""
        self.http.post("/v1/collections/watched:pause").raise_for_status()
        job_ids = [self.post("/v1/collections/watched/embeddings", _texts(name, job)) for job in range(jobs)]
        before = self._api_kib()
        with self._followed([UUID(job_ids[reader % jobs]) for reader in range(readers)]) as followers:
            kib = self._api_kib() - before
            self.http.post("/v1/collections/watched:resume").raise_for_status()
            asked, sent = self._requests(job_ids[0])
            self.wait(job_ids)
            result = Result(
                name,
                readers,
                ask_p50_ms=percentile(asked, 50),
                ask_p99_ms=percentile(asked, 99),
                send_p50_ms=percentile(sent, 50),
                send_p99_ms=percentile(sent, 99),
            )
            if followers is not None:
                self._judge(result, followers.results())
                result.kib_a_reader = kib / readers
        return result

    @contextmanager
    def _followed(self, job_ids: list[UUID]) -> Iterator[Followers | None]:
        if not job_ids:
            yield None
            return
        with following(self._stack.api, self._stack.api_key, job_ids) as followers:
            yield followers

    def _requests(self, job_id: str) -> tuple[list[float], list[float]]:
        """How long each took, in ms."""
        document = {"text": "x " * 1000}
        asked, sent = list[float](), list[float]()
        for _ in range(REQUESTS):
            began = time.perf_counter()
            self.http.get(f"/v1/jobs/{job_id}").raise_for_status()
            between = time.perf_counter()
            self.http.post("/v1/collections/beside/documents", json=document).raise_for_status()
            asked.append((between - began) * 1000)
            sent.append((time.perf_counter() - between) * 1000)
        return asked, sent

    def _judge(self, result: Result, followers: list[Follower]) -> None:
        """Compares what the readers got with what is in the database."""
        history = dict[UUID, list[int]]()
        with psycopg.connect(self._stack.env["DATABASE_URL"]) as conn:
            for job_id in {follower.job_id for follower in followers}:
                found = conn.execute("SELECT id FROM job_events WHERE job_id = %s ORDER BY id", [job_id])
                history[job_id] = [row[0] for row in found]
        # What had happened before a reader came was not under way to it.
        late = [delay * 1000 for follower in followers for delay in follower.delays_s[2:]]
        result.events = sum(len(follower.ids) for follower in followers)
        result.missed_or_twice = sum(follower.ids != history[follower.job_id] for follower in followers)
        result.not_ended = sum(not follower.ended for follower in followers)
        result.progress = sum(follower.progress for follower in followers)
        result.late_p50_ms, result.late_p99_ms = percentile(late, 50), percentile(late, 99)

    def _api_kib(self) -> float:
        """The memory of gunicorn's processes."""
        root = psutil.Process(self._stack.pids["api"])
        return sum(process.memory_info().rss for process in [root, *root.children()]) / 1024


def _texts(name: str, job: int) -> list[dict[str, str]]:
    """Texts that nobody has sent before."""
    return [{"external_id": f"{job}-{text}", "text": f"{name}: text {text} of job {job}"} for text in range(TEXTS)]


def _report(results: list[Result], as_json: bool) -> None:
    if as_json:
        show_json(runs=[asdict(result) for result in results])
        return
    show_runs("Streams of events", {result.run: _rows(result) for result in results})


def _rows(result: Result) -> list[tuple[str, str]]:
    return [
        ("readers", f"{result.readers}"),
        ("GET of a job, p50 / p99", f"{result.ask_p50_ms:.1f} / {result.ask_p99_ms:.1f} ms"),
        ("POST of a document, p50 / p99", f"{result.send_p50_ms:.1f} / {result.send_p99_ms:.1f} ms"),
        ("events of status received", f"{result.events:,}"),
        ("readers that missed one, or got one twice", f"{result.missed_or_twice}"),
        ("readers without the end", f"{result.not_ended}"),
        ("events of progress received", f"{result.progress:,}"),
        ("from an event to its receipt, p50 / p99", f"{result.late_p50_ms:.0f} / {result.late_p99_ms:.0f} ms"),
        ("memory of gunicorn, a reader", f"{result.kib_a_reader:.1f} KiB"),
    ]


if __name__ == "__main__":
    main()
