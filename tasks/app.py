"""The Celery app."""

from celery import Celery

from workers.schedule import SCHEDULE

app = Celery("dbrag", include=["tasks.ingest_document", "tasks.batch_embed", "tasks.embed_pending", "tasks.rebuild_index", "tasks.upkeep"])
app.config_from_object("celeryconfig")
app.conf.beat_schedule = SCHEDULE
