"""A collection's index: its segments, and rebuilding it."""

from flask import Response

from api import lookup, render
from api.accepting import once
from api.answers import answer
from api.auth import needs
from api.inputs import CollectionPath, JobHeaders
from api.openapi import blueprint
from api.outputs import IndexOutput, JobOutput
from api.process import runtime
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.database.pool import Connection
from dbrag.jobs.model import Job
from dbrag.vectors import index, probes, replacement

bp = blueprint("index", "The segments in which a collection's vectors lie.")


@bp.get("/collections/<name>/index", responses={200: IndexOutput})
@needs(Scope.READ)
def get_index(path: CollectionPath) -> Response:
    """Settings, segments, sizes and the last recall probe."""
    with transaction() as conn:
        found = index.describe(conn, lookup.collection(conn, path.name))
        return answer(render.index(found, probes.last(conn, found.generation.id)))


@bp.post("/collections/<string:name>/index:rebuild", responses={202: JobOutput})
@needs(Scope.MANAGE)
def rebuild_index(path: CollectionPath, header: JobHeaders) -> Response:
    """Build the index of what has none yet; a rebuild that is under way already is the answer to a second one."""
    return once(header, lambda conn: index.request_rebuild(conn, lookup.collection(conn, path.name)))


@bp.post("/collections/<string:name>/index:rollback", responses={202: JobOutput})
@needs(Scope.MANAGE)
def roll_back_index(path: CollectionPath, header: JobHeaders) -> Response:
    """Go back to the generation that served before; what was written since is embedded for it first."""

    def roll_back(conn: Connection) -> Job:
        collection = lookup.collection(conn, path.name)
        return replacement.roll_back(conn, collection.tenant_id, collection.id, runtime().settings)

    return once(header, roll_back)
