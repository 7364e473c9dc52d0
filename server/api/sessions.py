"""Signing in and out, and who one is."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from server import current
from server.api.app_users import revoke_device
from server.api.public_links import close_link
from server.api.schemas import CredentialsSchema, SessionSchema
from server.db import session
from server.door.guards import public, signed_in
from server.door.signing_in import clear_cookie, require_no_other_site, set_cookie, sign_in
from server.wire.answers import answer, done
from server.wire.bodies import read_json
from server.wire.documents import documented
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.roles import may, role_in
from sync.accounts.tokens import Issued, digest, revoke
from sync.errors import Forbidden, NotFound
from sync.models import Actor, Token
from sync.models.database import begin_writing

bp = Blueprint("sessions", __name__, url_prefix="/v1")


@bp.post("/sessions")
@public
@documented("sessions", body=CredentialsSchema, answer=SessionSchema)
def post_session() -> ResponseReturnValue:
    """Sign in with e-mail address and password; the answer carries a token for 12 hours.

    An account with a second factor needs a code as well; without it the answer is 401.4.
    """
    require_no_other_site()
    given = read_json(CredentialsSchema())
    issued = sign_in(given["email"], given["password"], given["code"])
    response = answer({"token": issued.token, "csrf": issued.csrf} | _times(issued))
    set_cookie(response, issued)
    return response


@bp.get("/sessions/restore")
@signed_in
@documented("sessions", answer=SessionSchema)
def get_session() -> ResponseReturnValue:
    """How long the session that one has still lasts."""
    token = _own_session()
    times = {"createdAt": token.created_at, "expiresAt": token.expires_at}
    return answer(times, headers={"Cache-Control": "no-store"})


@bp.delete("/sessions/current")
@signed_in
@documented("sessions")
def delete_current_session() -> ResponseReturnValue:
    """Sign out: the session's token opens nothing any more."""
    return _end(_own_session().sha256)


@bp.delete("/sessions/<token>")
@signed_in
@documented("sessions")
def delete_session(token: str) -> ResponseReturnValue:
    """End what this token opens: a session of one's own or, for who administers the installation, of anybody; a device
    or a public link, for who manages those of its project. What may not be ended is 403.1, and so is no token at all.
    """
    row = session().get(Token, digest(token))
    if row is None or row.revoked_at:
        raise Forbidden
    actor = session().get_one(Actor, row.actor_id)
    if row.kind == "session" and (current.visitor().admin or actor.id == current.visitor().actor_id):
        return _end(row.sha256)
    if row.kind == "device" and actor.project_id is not None and _may("devices.manage", actor.project_id):
        revoke_device(actor.project_id, actor.id, listed=True)
    elif row.kind == "public_link" and actor.project_id is not None and _may("project.manage", actor.project_id):
        close_link(actor.project_id, actor.form_id or "", actor.id)
    else:
        raise Forbidden
    return done()


def _may(right: str, project_id: int) -> bool:
    role = role_in(session(), session().get_one(Actor, current.visitor().actor_id), project_id)
    return role is not None and may(role, right)


def _end(sha256: bytes) -> ResponseReturnValue:
    begin_writing(session())
    revoke(session(), sha256, current.now())
    record_act(session(), NO_PROJECT, current.origin(), "session.ended", current.now())
    session().commit()
    response = done()
    if sha256 == current.visitor().token:
        clear_cookie(response)
    return response


def _own_session() -> Token:
    visitor = current.visitor()
    if visitor.token is None or not visitor.in_session:
        raise NotFound("This token is no session; it stays until it is revoked.")
    return session().get_one(Token, visitor.token)


def _times(issued: Issued) -> dict[str, object]:
    return {"createdAt": issued.created_at, "expiresAt": issued.expires_at}
