"""The console as a whole: its pages, put into the application."""

from flask import Blueprint, Flask

from api.console import files, guard, jobs, navigation, queues, search, show, signing, usage


def register(app: Flask) -> None:
    """Serve the console at /console. It is no part of the OpenAPI document.

    To be called before whatever counts requests by who asks, which is known from here on.
    """
    console = Blueprint(
        "console",
        __name__,
        url_prefix="/console",
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )
    for pages in (navigation, signing, jobs, files, search, queues, usage):
        console.register_blueprint(pages.bp)
    app.register_blueprint(console)
    app.before_request(guard.check)
    app.after_request(guard.finish)
    app.jinja_env.filters.update(show.FILTERS)
    app.jinja_env.globals.update(sections=navigation.sections, may=navigation.may)
