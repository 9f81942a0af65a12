"""The Celery app."""

from celery import Celery

from workers import deaf, heartbeat, metrics, reconnect, start
from workers.schedule import SCHEDULE

# They listen to Celery's signals; imported, they are connected.
__all__ = ["app", "deaf", "heartbeat", "metrics", "reconnect", "start"]

KINDS = ("ingest_document", "batch_embed", "update_metadata_catalog", "rebuild_index")
MODULES = (*KINDS, "embed_pending", "upkeep", "canary")

app = Celery("dbrag", include=[f"tasks.{module}" for module in MODULES])
app.config_from_object("celeryconfig")
app.conf.beat_schedule = SCHEDULE
