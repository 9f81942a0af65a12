"""Tenants, documents, vectors, jobs: everything that the main job needs."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    # The driver's own connection: SQLAlchemy would look for parameters in the text.
    op.get_bind().connection.driver_connection.execute(Path(__file__).with_suffix(".sql").read_text())
