"""Whether this process lives, and whether it can do its work; no key is needed."""

import psycopg
from flask import Blueprint, Response

from api.answers import answer
from api.outputs import CheckOutput, ReadinessOutput
from api.process import runtime
from dbrag.database import migrate

bp = Blueprint("health", __name__)
TIMEOUT_S = 2.0


@bp.get("/healthz")
def live() -> dict[str, str]:
    return {"status": "ok"}


@bp.get("/readyz")
def ready() -> Response:
    """200 when all checks pass, else 503; each says what is wrong."""
    checks = {**_database_and_schema(), "broker": _broker()}
    ok = all(check.ok for check in checks.values())
    return answer(ReadinessOutput(status="ready" if ok else "unavailable", checks=checks), 200 if ok else 503)


def _database_and_schema() -> dict[str, CheckOutput]:
    try:
        with runtime().pool.connection(timeout=TIMEOUT_S) as conn:
            conn.execute("SET LOCAL statement_timeout = '2s'")
            state = migrate.state(conn)
    except psycopg.OperationalError:
        away = "PostgreSQL does not answer: check that it runs and that DATABASE_URL names it."
        return {
            "database": CheckOutput(ok=False, detail=away),
            "schema": CheckOutput(ok=False, detail="Unknown while the database is away."),
        }
    return {"database": CheckOutput(ok=True, detail="PostgreSQL answers."), "schema": _schema(state)}


def _schema(state: migrate.SchemaState) -> CheckOutput:
    if state.current == state.head:
        return CheckOutput(ok=True, detail=f"The schema is {state.head}, as this code needs it.")
    detail = f"The schema is {state.current or 'empty'}, this code needs {state.head}: run `dbrag db upgrade`."
    return CheckOutput(ok=False, detail=detail)


def _broker() -> CheckOutput:
    if runtime().broker.lengths() is not None:
        return CheckOutput(ok=True, detail="The broker answers.")
    return CheckOutput(
        ok=False,
        detail="The broker does not answer, so accepted jobs wait: check that it runs and CELERY_BROKER_URL names it.",
    )
