"""Changes: what a device fetches when it has sent what it had."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint
from flask.typing import ResponseReturnValue

from server import current
from server.api.schemas import ChangesQuery
from server.db import session
from server.door.guards import needs
from server.wire.answers import tagged, to_json
from server.wire.bodies import read_query
from server.wire.documents import documented
from sync.intake.changes import changes_for
from sync.models import Actor

bp = Blueprint("changes", __name__, url_prefix="/v1/projects/<int:pid>")


@bp.get("/changes")
@needs("data.send")
@documented("changes", query=ChangesQuery, answer="application/json")
def get_changes(pid: int) -> ResponseReturnValue:
    """What concerns this device and changed since its cursor; everything for a cursor that is absent or unknown."""
    since = read_query(ChangesQuery())["since"]
    actor = session().get_one(Actor, current.visitor().actor_id)
    found = changes_for(session(), pid, actor, since)
    body = dict(found.body)
    for part in ("forms", "files", "lists"):
        body[part] = [row | {"url": current.own_address(f"/projects/{pid}/{quote(row['url'])}")} for row in body[part]]
    return tagged(to_json(body), "application/json; charset=utf-8", found.etag)
