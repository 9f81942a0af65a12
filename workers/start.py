"""What is checked when a worker starts: limits that do not fit together are refused before anything is claimed."""

from typing import Any

import structlog
from celery import signals

from dbrag.documents import ingest
from dbrag.embedding import embed
from dbrag.jobs.broker import Broker
from dbrag.settings import Settings
from workers.limits import KOMBU_VISIBILITY_S, Limits, contradiction

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@signals.worker_init.connect
def refuse_contradictions(sender: Any, **_: Any) -> None:
    """Ends a worker with 1 whose limits, as they really are, would lose or double work."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    options = sender.app.conf.broker_transport_options
    limits = Limits(
        soft_s=sender.soft_time_limit,
        hard_s=sender.time_limit,
        lease_s=settings.lease_s,
        visibility_s=options.get("visibility_timeout", KOMBU_VISIBILITY_S),
        slice_s=max(ingest.SLICE, embed.SLICE) * settings.lease_s,
        extraction_s=settings.extract_timeout_s,
        provider_s=settings.provider_timeout_s,
    )
    wrong = contradiction(limits)
    if wrong:
        raise SystemExit(f"dbrag refuses to start this worker: {wrong}.")


@signals.worker_ready.connect
def warn_of_eviction(**_: Any) -> None:
    """Says so where a broker that is full would drop messages; nothing is lost by it, but much is delayed."""
    broker = Broker(Settings())  # pyright: ignore[reportCallIssue]
    policy = broker.eviction_policy()
    broker.close()
    if policy not in (None, "noeviction"):
        log.warning("the broker may drop messages when it is full: set maxmemory-policy noeviction", policy=policy)
