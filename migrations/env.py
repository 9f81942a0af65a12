"""Runs migrations on the connection that dbrag.database.migrate opened, locked and limited."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
