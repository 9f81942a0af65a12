"""A client that sends a request until it is answered, with an Idempotency-Key, while what answers is killed."""

from threading import Event, Thread

import httpx

from tests.faults.harness.fleet import Fleet

REQUESTS = 150
BETWEEN_TRIES_S = 0.05


class Sender:
    """Sends so many documents in a thread, each under a key of its own until a 202; `jobs` has the job of each."""

    def __init__(self, client: httpx.Client, path: str) -> None:
        self._client, self._path = client, path
        self.jobs: dict[int, str] = {}
        self.tries = 0
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="sender")

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def stop(self) -> None:
        """Sends no more."""
        self._stopping.set()

    def _run(self) -> None:
        for number in range(REQUESTS):
            while number not in self.jobs and not self._stopping.is_set():
                self._send(number)

    def _send(self, number: int) -> None:
        self.tries += 1
        try:
            answer = self._client.post(
                f"{self._path}/documents",
                json={"external_id": str(number), "text": f"Text {number}."},
                headers={"Idempotency-Key": f"{self._path} {number}"},
            )
        except httpx.TransportError:
            self._stopping.wait(BETWEEN_TRIES_S)
            return
        if answer.status_code == 202:
            self.jobs[number] = answer.json()["id"]
        else:
            assert answer.status_code in (409, 503), answer.text
            self._stopping.wait(BETWEEN_TRIES_S)


def test_a_request_that_is_sent_until_it_is_answered_makes_one_job(fleet: Fleet) -> None:
    def kill_the_api() -> None:
        fleet.kill(fleet.api)
        fleet.revive(fleet.api)

    fleet.stand_up()
    shelf = fleet.shelves("sent-until-answered")[0]
    with Sender(shelf.client, shelf.path) as sender:
        try:
            for blow in (kill_the_api, fleet.crash_postgres, kill_the_api):
                sent = len(sender.jobs)
                fleet.until(lambda sent=sent: len(sender.jobs) > sent + REQUESTS // 10, "nothing is accepted")
                blow()
            fleet.until(lambda: len(sender.jobs) == REQUESTS, "not all of it is accepted")
        finally:
            sender.stop()
    fleet.stand_up()
    assert sender.tries > REQUESTS, "no request was sent twice: nothing was tried"
    with fleet.database() as conn:
        made = "SELECT j.id::text FROM jobs j JOIN collections c ON c.id = j.collection_id WHERE c.name = %s"
        assert sorted(row[0] for row in conn.execute(made, ["sent-until-answered"])) == sorted(sender.jobs.values())
