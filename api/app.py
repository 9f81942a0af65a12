"""The Flask application: what stands before and after every view, and the views."""

import structlog
from flask import request
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import BaseConverter

from api import auth, cors, faults, observe, openapi, problems, ratelimit
from api.console import site
from api.outputs import Problem
from api.process import Process
from api.request import Request
from api.routes import (
    catalog,
    collections,
    connections,
    documents,
    embeddings,
    health,
    index,
    jobs,
    queues,
    search,
    tables,
    usage,
)
from dbrag.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
# What a form may hold beside its files: metadata (64 KiB, which escapes can make longer) and a few names.
MAX_FORM_FIELDS_BYTES = 1 << 20


class Api(OpenAPI):
    """Flask with OpenAPI, our reading of bodies, and our log."""

    request_class = Request

    def log_exception(self, exc_info: object) -> None:
        log.error("request_failed", path=request.path, exc_info=exc_info)


class ExternalIdConverter(BaseConverter):
    """The rest of the path, whatever it holds: slashes at any place, line ends."""

    regex = r"[\s\S]+"
    part_isolating = False


def create_app(settings: Settings) -> Api:
    """The application; it connects to nothing before its first request that needs to.

    Raises: ValueError for a file that settings name and that cannot be used.
    """
    app = Api(
        "api",
        info=openapi.INFO,
        security_schemes=openapi.SECURITY,
        validation_error_model=Problem,
        validation_error_callback=_refuse,
        doc_ui=False,
        static_folder=None,
    )
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_mb << 20
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_FORM_FIELDS_BYTES
    process = app.extensions["dbrag"] = Process(settings)
    app.url_map.merge_slashes = False  # an external_id may hold //
    app.url_map.converters["external_id"] = ExternalIdConverter
    observe.register(app)
    cors.register(app, settings.cors_origins)
    app.before_request(auth.authorise)
    site.register(app)
    if settings.rate_limit and process.requests:
        ratelimit.register(app, settings.rate_limit, process.requests)
    problems.register(app)
    openapi.pages(app)
    for routes in (
        collections,
        documents,
        embeddings,
        search,
        jobs,
        index,
        queues,
        connections,
        tables,
        catalog,
        usage,
    ):
        app.register_api(routes.bp)
    app.register_blueprint(health.bp)
    return app


def _refuse(error: faults.ValidationError) -> None:
    raise faults.invalid(error)
