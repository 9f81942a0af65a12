"""Workers are killed while they describe the tables of a database."""

import psutil

from tests.integration.catalog_database import TABLES, source_database
from tests.running import Platform


def test_an_update_of_the_catalog_whose_workers_die_ends_with_every_table_once(platform: Platform) -> None:
    with source_database(platform.servers.env["DATABASE_URL"]) as source:
        for n in range(60):
            source.execute(f"CREATE TABLE shop.archive_{n} (id integer PRIMARY KEY, note text)")  # type: ignore[arg-type]
        source.grant()
        platform.client.put("/connections/mortal", json={"dsn": source.dsn}).raise_for_status()
        answer = platform.client.post("/connections/mortal/catalog:update", json={}).raise_for_status()
        job_id = answer.json()["id"]
        for _ in range(3):
            platform.wait(job_id, until=lambda job: job["status"] != "queued")
            for child in psutil.Process(platform.worker.pid).children():
                child.kill()
        [job] = platform.wait(job_id)
        assert (job["status"], job["counts"]["completed"]) == ("succeeded", len(TABLES) + 60)
        tables = platform.client.get("/connections/mortal/tables", params={"limit": 200}).json()["data"]
        assert len({table["table"] for table in tables}) == len(tables) == len(TABLES) + 60
        platform.client.delete("/connections/mortal").raise_for_status()
