"""The command line against a running platform."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from dbrag.database.pool import connect
from tests.running import Platform

Dbrag = Callable[..., Result]


def marks(report: Result) -> dict[str, str]:
    """The mark of each of the doctor's checks."""
    return {line[2:].split(":")[0]: line[0] for line in report.stdout.splitlines()}


def test_a_folder_goes_in_and_its_failed_files_are_named(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli")
    Path("sub").mkdir()
    Path("a.txt").write_text("Cats hunt at night.")
    Path("sub/ä b.txt").write_text("Dogs bark at noon.")
    Path("empty.txt").touch()
    sent = dbrag("ingest", ".", "--collection", "cli")
    assert sent.exit_code == 3
    assert "2 of 3 documents are searchable" in sent.stdout
    assert "✗ empty.txt  invalid: the file is empty" in sent.stdout
    found = json.loads(dbrag("search", "Dogs bark at noon.", "--collection", "cli", "--limit", "1", "--json").stdout)
    assert [(hit["external_id"], hit["text"]) for hit in found] == [("sub/ä b.txt", "Dogs bark at noon.")]
    assert found[0]["score"] == pytest.approx(1, abs=1e-3)
    assert "sub/ä b.txt  characters 0–18" in dbrag("search", "Dogs bark at noon.", "-c", "cli").stdout


def test_more_files_than_one_batch_holds_are_several_jobs(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli-many")
    for number in range(201):
        Path(f"{number}.txt").write_text(f"Number {number}.")
    sent = dbrag("ingest", "*.txt", "--collection", "cli-many", "--queue", "low")
    assert sent.exit_code == 0, sent.output
    assert "201 of 201 documents are searchable" in sent.stdout
    jobs = platform.client.get("/jobs", params={"collection": "cli-many"}).json()["data"]
    assert sorted((job["queue"], job["counts"]["completed"]) for job in jobs) == [("low", 1), ("low", 200)]


def test_without_waiting_only_ids_are_printed_and_can_be_watched(dbrag: Dbrag) -> None:
    Path("a.txt").write_text("A text.")
    sent = dbrag("ingest", "a.txt", "--collection", "cli-new", "--no-wait")
    assert sent.exit_code == 0
    assert "Created the collection cli-new." in sent.stderr
    (job_id,) = sent.stdout.split()
    watched = dbrag("jobs", "watch", job_id)
    assert watched.exit_code == 0
    assert "100%  1/1 documents" in watched.stdout
    assert "1 of 1 completed" in dbrag("jobs", "show", job_id).stdout
    assert job_id in dbrag("jobs", "list", "--status", "succeeded").stdout
    assert dbrag("jobs", "list", "--status", "held").stdout == "No jobs.\n"


def test_what_the_api_refuses_is_one_line(dbrag: Dbrag) -> None:
    Path("a.txt").write_text("A text.")
    job_id = dbrag("ingest", "a.txt", "--collection", "cli-new", "--no-wait").stdout.strip()
    dbrag("jobs", "watch", job_id)
    for command in ("cancel", "retry"):
        refused = dbrag("jobs", command, job_id)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr.startswith(f"error: job {job_id} is succeeded")


def test_jobs_are_steered_one_by_one_and_by_filter(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli-steered")
    Path("good.txt").write_text("A fine text.")
    Path("bad.txt").write_text("A text with POISON.")
    platform.provider.script(refuse_containing="POISON")
    assert dbrag("ingest", "good.txt", "bad.txt", "--collection", "cli-steered").exit_code == 3
    platform.provider.script()
    (job,) = platform.client.get("/jobs", params={"collection": "cli-steered"}).json()["data"]
    filters = ("--collection", "cli-steered", "--code", "request_refused", "--since", "2h")
    assert job["id"] in dbrag("jobs", "list", *filters).stdout
    assert dbrag("jobs", "list", *filters[:4], "--since", "2100-01-01").stdout == "No jobs.\n"
    retried = dbrag("jobs", "retry", "--failed", *filters)
    assert (retried.exit_code, retried.stdout.split()) == (0, [job["id"]]), retried.output
    assert "1 job is tried again." in retried.stderr
    platform.wait(job["id"])
    assert job["id"] not in dbrag("jobs", "retry", "--failed").stdout
    assert dbrag("jobs", "retry").exit_code == dbrag("jobs", "retry", job["id"], "--failed").exit_code == 2
    over = dbrag("jobs", "move", job["id"], "critical")
    assert (over.exit_code, over.stderr[:6]) == (1, "error:")
    with platform.down(platform.worker):
        waits = dbrag("ingest", "good.txt", "-c", "cli-steered", "--no-wait", "--again").stdout.strip()
        assert "critical" in dbrag("jobs", "move", waits, "critical").stdout
    platform.wait(waits)


def test_what_commands_answer_is_json_for_programs(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli-json")
    Path("good.txt").write_text("A text for programs.")
    Path("empty.txt").touch()
    sent = dbrag("ingest", ".", "--collection", "cli-json", "--json")
    assert sent.exit_code == 3
    result = json.loads(sent.stdout)
    (job,) = result["jobs"]
    assert result["documents"] == {"total": 2, "completed": 1, "failed": 1}
    assert [(item["external_id"], item["error"]["code"]) for item in result["failed"]] == [("empty.txt", "invalid")]
    assert (job["status"], result["usage"]["prompt_tokens"]) == ("completed_with_errors", job["usage"]["prompt_tokens"])
    for command in ("show", "watch"):
        found = json.loads(dbrag("jobs", command, job["id"], "--json").stdout)
        (whole,) = found if command == "watch" else [found]
        assert (whole["id"], [item["external_id"] for item in whole["failed_items"]]) == (job["id"], ["empty.txt"])
    assert [one["id"] for one in json.loads(dbrag("jobs", "list", "-c", "cli-json", "--json").stdout)] == [job["id"]]
    assert "cli-json" in {one["name"] for one in json.loads(dbrag("collections", "list", "--json").stdout)}
    assert json.loads(dbrag("collections", "show", "cli-json", "--json").stdout)["chunking"]["max_tokens"] == 40
    (hit,) = json.loads(dbrag("search", "programs", "-c", "cli-json", "--mode", "text", "--json").stdout)
    assert (hit["text"], hit["metadata"], hit["highlights"]) == ("A text for programs.", {}, [{"start": 11, "end": 19}])
    assert json.loads(dbrag("catalog", "list", "--json").stdout) == []


def test_a_collection_is_made_shown_and_deleted_when_that_is_meant(dbrag: Dbrag) -> None:
    made = dbrag("collections", "create", "cli-made", "--dimensions", "64", "--max-tokens", "50")
    assert made.exit_code == 0
    assert "cli-made: text-embedding-3-small, 64 dimensions" in made.stderr
    assert "50 max tokens" in dbrag("collections", "show", "cli-made").stdout
    again = dbrag("collections", "create", "cli-made", "--dimensions", "32")
    assert (again.exit_code, "There is a collection cli-made already" in again.stderr) == (1, True)
    assert dbrag("collections", "delete", "cli-made", input="n\n").exit_code == 1
    assert dbrag("collections", "show", "cli-made").exit_code == 0
    assert dbrag("collections", "delete", "cli-made", input="y\n").exit_code == 0
    assert dbrag("collections", "delete", "cli-made", "--yes").exit_code == 1


COMPLETED = [
    ("dbrag search x -c cli-comp", {"cli-complete"}),
    ("dbrag jobs list --collection cli-comp", {"cli-complete"}),
    ("dbrag collections delete cli-comp", {"cli-complete"}),
    ("dbrag collections sh", {"show"}),
    ("dbrag search x -c cli-comp --api http://127.0.0.1:9 -c ", set[str]()),
]


@pytest.mark.parametrize(("line", "offered"), COMPLETED)
def test_a_shell_completes_names(platform: Platform, dbrag: Dbrag, line: str, offered: set[str]) -> None:
    platform.collection("cli-complete")
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_DBRAG_COMPLETE": "complete_bash"}
    program = [str(Path(sys.executable).with_name("dbrag"))]
    answer = subprocess.run(program, env=os.environ | words, check=True, capture_output=True, text=True)
    assert (set(answer.stdout.split()), answer.stderr) == (offered, "")


def test_a_shell_completes_ids_of_jobs(platform: Platform, dbrag: Dbrag) -> None:
    path = platform.collection("cli-complete")
    job_id = platform.ingest(path, [{"text": "A text."}])
    words = {"COMP_WORDS": f"dbrag jobs show {job_id[:20]}", "COMP_CWORD": "3", "_DBRAG_COMPLETE": "complete_bash"}
    program = [str(Path(sys.executable).with_name("dbrag"))]
    answer = subprocess.run(program, env=os.environ | words, check=True, capture_output=True, text=True)
    assert job_id in answer.stdout.split()


def test_a_collection_is_paused_and_resumed(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli-paused")
    assert dbrag("collections", "pause", "cli-paused").exit_code == 0
    assert "since 20" in next(line for line in dbrag("collections", "list").stdout.splitlines() if "cli-paused" in line)
    assert dbrag("collections", "resume", "cli-paused").exit_code == 0
    assert "since" not in dbrag("collections", "list").stdout
    assert "there is no collection 'cli-none'" in dbrag("collections", "pause", "cli-none").stderr


def test_tenants_have_a_weight(dbrag: Dbrag) -> None:
    dbrag("keys", "create", "--tenant", "cli-heavy", "--name", "for a test")
    assert dbrag("tenants", "weight", "cli-heavy", "7").exit_code == 0
    (line,) = (line for line in dbrag("tenants", "list").stdout.splitlines() if line.startswith("cli-heavy "))
    assert line.split()[1:4] == ["7", "0", "0.0"]
    assert "there is no tenant 'cli-none'" in dbrag("tenants", "weight", "cli-none", "7").stderr
    assert dbrag("tenants", "weight", "cli-heavy", "1001").exit_code == 2


def test_tenants_have_a_budget(dbrag: Dbrag) -> None:
    dbrag("keys", "create", "--tenant", "cli-frugal", "--name", "for a test")
    said = dbrag("tenants", "budget", "cli-frugal", "--day", "0.5", "--month", "1e3")
    assert said.exit_code == 0
    assert "'cli-frugal' may spend $0.50 a day and $1,000.00 a month." in said.stderr
    (line,) = (line for line in dbrag("tenants", "list").stdout.splitlines() if line.startswith("cli-frugal "))
    assert line.split()[-6:] == ["$0.00", "of", "$0.50", "$0.00", "of", "$1,000.00"]
    assert "$0.50 a day." in dbrag("tenants", "budget", "cli-frugal", "--month", "none").stderr
    assert "as much as it wants" in dbrag("tenants", "budget", "cli-frugal", "--day", "none").stderr
    assert "there is no tenant 'cli-none'" in dbrag("tenants", "budget", "cli-none", "--day", "1").stderr
    assert dbrag("tenants", "budget", "cli-frugal").exit_code == 2
    assert dbrag("tenants", "budget", "cli-frugal", "--day", "much").exit_code == 2
    assert "must be 0 to 10,000,000 US dollars a day" in dbrag("tenants", "budget", "cli-frugal", "--day", "-1").stderr


def test_a_key_works_until_it_is_revoked(dbrag: Dbrag) -> None:
    made = dbrag("keys", "create", "--tenant", "cli", "--name", "for a test", "--scope", "read", "--expires-days", "1")
    assert made.exit_code == 0
    (key,) = made.stdout.split()
    prefix = key.split("_")[1]
    assert dbrag("jobs", "list", "--key", key).exit_code == 0
    assert "lacks" in dbrag("search", "x", "-c", "none", "--key", key).stderr
    assert prefix in dbrag("keys", "list", "--tenant", "cli").stdout
    assert dbrag("keys", "revoke", prefix).exit_code == 0
    assert "unknown, expired or revoked" in dbrag("jobs", "list", "--key", key).stderr


def test_a_key_is_rotated_and_both_work_meanwhile(dbrag: Dbrag) -> None:
    made = dbrag("keys", "create", "--tenant", "cli-rotated", "--name", "for a test", "--scope", "read")
    (old,) = made.stdout.split()
    rotated = dbrag("keys", "rotate", old.split("_")[1], "--grace", "12h")
    (new,) = rotated.stdout.split()
    assert "which works until 20" in rotated.stderr
    for key in (old, new):
        assert dbrag("jobs", "list", "--key", key).exit_code == 0
    _, later, earlier = dbrag("keys", "list", "--tenant", "cli-rotated").stdout.splitlines()
    assert earlier.split()[0] == old.split("_")[1]
    assert earlier.split()[-1] == later.split()[0] == new.split("_")[1], "replaced by"
    assert all(line.count(":") == 1 for line in (earlier, later)), "last used at some time of the day"
    assert dbrag("keys", "revoke", old.split("_")[1]).exit_code == 0
    assert dbrag("jobs", "list", "--key", old).exit_code != 0
    assert dbrag("jobs", "list", "--key", new).exit_code == 0
    assert "is no duration" in dbrag("keys", "rotate", new.split("_")[1], "--grace", "soon").stderr


def test_a_tenant_is_made_without_a_key(dbrag: Dbrag) -> None:
    assert "Made the tenant" in dbrag("tenants", "create", "cli-keyless").stderr
    assert "stands already" in dbrag("tenants", "create", "cli-keyless").stderr
    assert "cli-keyless" in dbrag("tenants", "list").stdout


def test_the_schema_is_as_the_code_wants_it(dbrag: Dbrag) -> None:
    assert dbrag("db", "upgrade").exit_code == 0
    assert dbrag("db", "check").exit_code == 0
    assert "the schema is at" in dbrag("db", "wait").stdout


def test_the_doctor_finds_nothing_wrong_with_a_healthy_platform(dbrag: Dbrag) -> None:
    report = dbrag("doctor")
    assert report.exit_code == 0, report.output
    assert set(marks(report).values()) == {"✓"}


def test_the_doctor_sees_work_that_nobody_does(platform: Platform, dbrag: Dbrag) -> None:
    Path("a.txt").write_text("A text.")
    with platform.down(platform.worker):
        job_id = dbrag("ingest", "a.txt", "--collection", "cli-new", "--no-wait").stdout.strip()
        with connect(platform.settings) as conn:
            conn.execute("UPDATE jobs SET created_at = now() - interval '5 minutes' WHERE id = %s", [job_id])
        report = dbrag("doctor", "--no-provider")
    assert report.exit_code == 1
    assert {name for name, mark in marks(report).items() if mark == "✗"} == {"workers", "queues"}
    assert "default: 1 waiting for up to 5 min, none running" in report.stdout
    platform.wait(job_id)


def test_the_doctor_sees_a_broker_that_would_lose_messages(
    platform: Platform, dbrag: Dbrag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", platform.servers.env["CACHE_URL"])
    found = marks(dbrag("doctor", "--no-provider"))
    assert {found[name] for name in ("broker's eviction", "broker's persistence", "two Redis servers")} == {"✗"}
