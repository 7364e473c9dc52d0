"""Entity lists for Collect beside their rows: whether entities that a tablet made offline are still there."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from sqlalchemy import exists, select

from server import current
from server.db import session
from server.door.guards import needs
from server.openrosa.answers import XML, speak_openrosa
from server.wire.answers import tagged
from server.wire.documents import documented
from sync.entities.delivery import rows_for
from sync.entities.reading import deleted_among
from sync.entities.registers import list_of
from sync.errors import NotFound, TooLarge
from sync.intake.items import storable
from sync.models import Actor, FormFile

bp = Blueprint("lists", __name__, url_prefix="/v1/projects/<int:pid>/datasets/<name>")
speak_openrosa(bp)

_MOST_IDS = 10_000


@bp.get("/integrity")
@needs("forms.fill")
@documented("openrosa", answer="text/xml")
def integrity(pid: int, name: str) -> ResponseReturnValue:
    """Of the entities `id` (several with commas; without, all that one gets), whether each was deleted.

    Unknown ones are left out.
    """
    list_of(session(), pid, name)
    _require_reach(pid, name)
    asked = storable(request.args.get("id"))
    ids = None if asked is None else [id_.strip().lower().removeprefix("uuid:") for id_ in asked.split(",")]
    if ids is None and not current.has_right("submissions.read"):
        actor = session().get_one(Actor, current.visitor().actor_id)
        ids = [row.name for row in rows_for(session(), pid, name, actor)]
    if ids is not None and len(ids) > _MOST_IDS:
        raise TooLarge(f"One request may ask about {_MOST_IDS} entities.")
    entities = "".join(
        f"<entity id={quoteattr(id_)}><deleted>{'true' if gone else 'false'}</deleted></entity>"
        for id_, gone in deleted_among(session(), pid, name, ids)
    )
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<data><entities>{entities}</entities></data>'
    return tagged(body.encode(), XML)


def _require_reach(pid: int, name: str) -> None:
    """Whoever is bound to some forms has nothing to ask of lists that none of them selects from."""
    bound = current.fillable()
    if bound is None:
        return
    reading = (FormFile.project_id == pid) & (FormFile.list_name == name) & FormFile.form_id.in_(bound)
    if not session().scalar(select(exists().where(reading))):
        raise NotFound
