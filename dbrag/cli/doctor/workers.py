"""Examines the workers: who answers over the broker, and is every queue served."""

from typing import Any

from celery import Celery  # pyright: ignore[reportMissingTypeStubs] it has none

from dbrag.cli.doctor.model import Finding, ok, wrong
from dbrag.jobs.model import Queue
from dbrag.settings import Settings

# A worker answers from its main process, however busy its children are.
ANSWER_WITHIN_S = 2.0


def check_workers(settings: Settings) -> Finding:
    app: Any = Celery(broker=settings.celery_broker_url.get_secret_value(), set_as_current=False)
    with app:
        served: dict[str, list[dict[str, Any]]] = app.control.inspect(timeout=ANSWER_WITHIN_S).active_queues() or {}
    return judge({name: {queue["name"] for queue in queues} for name, queues in served.items()})


def judge(served: dict[str, set[str]]) -> Finding:
    """`served`: the queues of each worker that answered."""
    remedy = "Start workers with `celery -A tasks worker -Q critical,default,low`."
    if not served:
        return wrong(f"none answered within {ANSWER_WITHIN_S:.0f} s", remedy)
    unserved = [queue for queue in Queue if not any(queue in queues for queues in served.values())]
    if unserved:
        return wrong(f"nobody serves {', '.join(unserved)}; answered: {', '.join(sorted(served))}", remedy)
    return ok(f"{len(served)} answered: {', '.join(sorted(served))}")
