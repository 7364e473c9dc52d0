"""Signing in and out, and who one is."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from server import current
from server.answers import answer, done
from server.api.schemas import ActorSchema, CredentialsSchema, SessionSchema
from server.bodies import read_json
from server.db import session
from server.documents import documented
from server.guards import public, signed_in
from server.signing_in import clear_cookie, set_cookie, sign_in
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.tokens import Issued, revoke
from sync.errors import NotFound
from sync.models import Actor, Token
from sync.models.database import begin_writing

bp = Blueprint("sessions", __name__, url_prefix="/v1")


@bp.post("/sessions")
@public
@documented("sessions", body=CredentialsSchema, answer=SessionSchema)
def post_session() -> ResponseReturnValue:
    """Sign in with e-mail address and password; the answer carries a token for 12 hours."""
    given = read_json(CredentialsSchema())
    issued = sign_in(given["email"], given["password"])
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
def delete_session() -> ResponseReturnValue:
    """Sign out: the session's token opens nothing any more."""
    token = _own_session()
    sha256 = token.sha256
    begin_writing(session())
    revoke(session(), sha256, current.now())
    record_act(session(), NO_PROJECT, current.origin(), "session.ended", current.now())
    session().commit()
    response = done()
    clear_cookie(response)
    return response


@bp.get("/users/current")
@signed_in
@documented("sessions", answer=ActorSchema)
def get_current_user() -> ResponseReturnValue:
    """Who one is, as seen from here."""
    actor = session().get_one(Actor, current.visitor().actor_id)
    return answer(
        {
            "id": actor.id,
            "type": "user" if actor.kind == "user" else "field_key",
            "displayName": actor.name,
            "email": actor.email,
            "createdAt": actor.created_at,
            "updatedAt": None,
            "deletedAt": actor.disabled_at,
        }
    )


def _own_session() -> Token:
    visitor = current.visitor()
    if visitor.token is None or not visitor.in_session:
        raise NotFound("This token is no session; it stays until it is revoked.")
    return session().get_one(Token, visitor.token)


def _times(issued: Issued) -> dict[str, object]:
    return {"createdAt": issued.created_at, "expiresAt": issued.expires_at}
