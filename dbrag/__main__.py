"""`python -m dbrag` is the program `dbrag`."""

from dbrag.cli.main import app

app()
