"""Alembic's migrations: forward only; expand first, contract in a later release."""
