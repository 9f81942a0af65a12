"""The WSGI application that gunicorn serves; it reads the environment here and connects at its first request."""

from api.app import create_app
from dbrag.settings import Settings
from dbrag.telemetry import logs

settings = Settings()  # pyright: ignore[reportCallIssue]  # pydantic-settings fills it from the environment
logs.configure(settings)
app = create_app(settings)
