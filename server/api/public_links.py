"""Public links: addresses by which anybody may fill in one form."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import select

from server import current
from server.api.app_users import SHOWN_ONCE
from server.api.schemas import ListQuery, Strict
from server.api.users import show_actor
from server.db import session
from server.door.guards import needs
from server.wire.answers import answer, done
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.accounts.people import add_public_link, disable
from sync.errors import NotFound
from sync.models import Actor
from sync.models.database import begin_writing
from sync.review.listing import require_form

bp = Blueprint("public_links", __name__, url_prefix="/v1/projects/<int:pid>/forms/<fid>/public-links")


class PublicLinkSchema(Strict):
    """A link to make. With `once` a browser is asked to send one answer only."""

    displayName = fields.String(required=True, validate=validate.Length(min=1, max=200))  # noqa: N815
    once = fields.Boolean(load_default=False, allow_none=True)


@bp.get("")
@needs("project.manage")
@documented("forms", query=ListQuery, answer="application/json")
def get_links(pid: int, fid: str) -> ResponseReturnValue:
    """The form's public links that are open; a token is shown only when it is made."""
    require_form(session(), pid, fid)
    asked = read_query(ListQuery())
    query = (
        select(Actor)
        .where(Actor.kind == "public_link", Actor.project_id == pid, Actor.form_id == fid, Actor.disabled_at.is_(None))
        .order_by(Actor.id.desc())
        .offset(asked["offset"])
        .limit(asked["limit"])
    )
    return answer([_shown(link, SHOWN_ONCE) for link in session().scalars(query).all()])


@bp.post("")
@needs("project.manage")
@documented("forms", body=PublicLinkSchema, answer="application/json")
def post_link(pid: int, fid: str) -> ResponseReturnValue:
    """Make a public link. The answer carries its token, this once."""
    given = read_json(PublicLinkSchema())
    require_form(session(), pid, fid)
    begin_writing(session())
    link, issued = add_public_link(session(), pid, fid, given["displayName"], bool(given["once"]), current.now())
    record_act(session(), pid, current.origin(), "public_link.added", current.now(), str(link.id), {"form": fid})
    session().commit()
    return answer(_shown(link, issued.token))


@bp.delete("/<int:number>")
@needs("project.manage")
@documented("forms")
def delete_link(pid: int, fid: str, number: int) -> ResponseReturnValue:
    """Close a public link. What came by it stays."""
    close_link(pid, fid, number)
    return done()


def close_link(pid: int, fid: str, number: int) -> None:
    """Close it, and commit. Raises NotFound."""
    begin_writing(session())
    link = session().get(Actor, number)
    if link is None or link.kind != "public_link" or (link.project_id, link.form_id) != (pid, fid) or link.disabled_at:
        raise NotFound
    disable(session(), link, current.now())
    record_act(session(), pid, current.origin(), "public_link.closed", current.now(), str(number), {"form": fid})
    session().commit()


def _shown(link: Actor, token: str) -> dict[str, Any]:
    shown = show_actor(link) | {"token": token, "once": link.once}
    del shown["email"]
    return shown
