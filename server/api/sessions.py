"""Signing in and out, and who one is."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from server import current
from server.api.schemas import CredentialsSchema, SessionSchema
from server.db import session
from server.door.guards import public, signed_in
from server.door.signing_in import clear_cookie, require_no_other_site, set_cookie, sign_in
from server.wire.answers import answer, done
from server.wire.bodies import read_json
from server.wire.documents import documented
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.tokens import Issued, digest, revoke
from sync.errors import NotFound
from sync.models import Token
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
    return answer({"createdAt": token.created_at, "expiresAt": token.expires_at})


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
    """End the session of this token, which has to be one's own unless one administers the installation."""
    row = session().get(Token, digest(token))
    if row is None or row.kind != "session" or row.revoked_at:
        raise NotFound
    if row.actor_id != current.visitor().actor_id and not current.visitor().admin:
        raise NotFound
    return _end(row.sha256)


def _end(sha256: bytes) -> ResponseReturnValue:
    begin_writing(session())
    revoke(session(), sha256, current.now())
    record_act(session(), NO_PROJECT, current.origin(), "session.ended", current.now())
    session().commit()
    response = done()
    clear_cookie(response)
    return response


def _own_session() -> Token:
    visitor = current.visitor()
    if visitor.token is None or not visitor.in_session:
        raise NotFound("This token is no session; it stays until it is revoked.")
    return session().get_one(Token, visitor.token)


def _times(issued: Issued) -> dict[str, object]:
    return {"createdAt": issued.created_at, "expiresAt": issued.expires_at}
