"""The Celery app."""

from celery import Celery

from workers.schedule import SCHEDULE

MODULES = ("ingest_document", "batch_embed", "embed_pending", "rebuild_index", "upkeep")

app = Celery("dbrag", include=[f"tasks.{module}" for module in MODULES])
app.config_from_object("celeryconfig")
app.conf.beat_schedule = SCHEDULE
