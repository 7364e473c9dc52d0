"""People with an account: who they are, their passwords, and shutting them out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import select

from server import current
from server.api.schemas import ActorSchema, ListQuery, Strict, text
from server.db import session
from server.door.guards import public, signed_in, site_admin
from server.door.signing_in import check_password
from server.logs import log
from server.wire.answers import answer, done, wants_more
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.people import add_user, change_email, change_password, disable
from sync.accounts.roles import administers_any
from sync.errors import Forbidden, NotFound, NotImplementedHere, Unauthenticated, Unexpected
from sync.models import Actor
from sync.models.database import begin_writing

bp = Blueprint("users", __name__, url_prefix="/v1/users")


class UsersQuery(ListQuery):
    """`q` is part of a name or address; for those who do not administer the installation, a whole address."""

    q = text(load_default=None)


class NewUserSchema(Strict):
    """An account to make. Without a password, `siby login-link` lets its owner in."""

    email = text(required=True)
    password = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=1000))
    displayName = text(load_default=None)  # noqa: N815


class UserChangeSchema(Strict):
    """What may change of an account."""

    email = text()
    displayName = fields.String(validate=validate.Length(min=1, max=200))  # noqa: N815


class PasswordChangeSchema(Strict):
    """The password so far, unless an administrator sets it for somebody else, and the new one."""

    old = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=1000))
    new = fields.String(required=True, validate=validate.Length(max=1000))


class ResetSchema(Strict):
    """Whose password is to be set anew."""

    email = text(required=True)


@bp.get("")
@signed_in
@documented("users", query=UsersQuery, answer=ActorSchema)
def get_users() -> ResponseReturnValue:
    """The accounts. Who administers no more than projects finds others by their whole address only."""
    if not (current.visitor().admin or administers_any(session(), current.visitor().actor_id)):
        raise Forbidden("Who administers a project looks people up, to give them a role in it.")
    asked = read_query(UsersQuery())
    query = select(Actor).where(Actor.kind == "user", Actor.disabled_at.is_(None)).order_by(Actor.email)
    if not current.visitor().admin:
        query = query.where(Actor.email == (asked["q"] or "").strip().lower())
    elif asked["q"]:
        query = query.where(
            Actor.email.icontains(asked["q"], autoescape=True) | Actor.name.icontains(asked["q"], autoescape=True)
        )
    query = query.offset(asked["offset"]).limit(asked["limit"])
    return answer([show_actor(actor) for actor in session().scalars(query).all()])


@bp.post("")
@site_admin
@documented("users", body=NewUserSchema, answer=ActorSchema)
def post_user() -> ResponseReturnValue:
    """Make an account; a role in a project comes by an assignment."""
    given = read_json(NewUserSchema())
    begin_writing(session())
    actor = add_user(
        session(), given["email"], current.now(), name=given["displayName"], password=given["password"] or None
    )
    record_act(session(), NO_PROJECT, current.origin(), "user.added", current.now(), str(actor.id))
    session().commit()
    return answer(show_actor(actor))


@bp.get("/current")
@signed_in
@documented("users", answer=ActorSchema)
def get_current_user() -> ResponseReturnValue:
    """Who one is, as seen from here."""
    shown = show_actor(session().get_one(Actor, current.visitor().actor_id))
    if wants_more():
        shown["verbs"] = ["*"] if current.visitor().admin else []
    return answer(shown)


@bp.get("/<int:number>")
@signed_in
@documented("users", answer=ActorSchema)
def get_user(number: int) -> ResponseReturnValue:
    """One account: one's own, or any for who administers the installation."""
    return answer(show_actor(_account(number)))


@bp.patch("/<int:number>")
@signed_in
@documented("users", body=UserChangeSchema, answer=ActorSchema)
def patch_user(number: int) -> ResponseReturnValue:
    """Change an account's name or, as an administrator, its address."""
    given = read_json(UserChangeSchema())
    begin_writing(session())
    actor = _account(number)
    if "email" in given and given["email"].strip().lower() != actor.email:
        if not current.visitor().admin:
            raise Forbidden("An administrator changes addresses: whoever holds the address can get the account.")
        change_email(session(), actor, given["email"])
    actor.name = given.get("displayName", actor.name)
    actor.updated_at = current.now()
    record_act(
        session(), NO_PROJECT, current.origin(), "user.changed", current.now(), str(actor.id), {"fields": sorted(given)}
    )
    session().commit()
    return answer(show_actor(actor))


@bp.delete("/<int:number>")
@site_admin
@documented("users")
def delete_user(number: int) -> ResponseReturnValue:
    """Shut an account out at once; what it did stays."""
    if number == current.visitor().actor_id:
        raise Unexpected("Nobody shuts out themselves; another administrator may do it.")
    begin_writing(session())
    disable(session(), _account(number), current.now())
    record_act(session(), NO_PROJECT, current.origin(), "user.disabled", current.now(), str(number))
    session().commit()
    log("user_disabled", actor=number)
    return done()


@bp.put("/<int:number>/password")
@signed_in
@documented("users", body=PasswordChangeSchema)
def put_password(number: int) -> ResponseReturnValue:
    """Set a new password: one's own with the one so far, or another's as an administrator. Other sessions end."""
    given = read_json(PasswordChangeSchema())
    set_password(number, given["old"], given["new"])
    return done()


@bp.post("/reset/initiate")
@public
@documented("users", body=ResetSchema)
def post_reset() -> ResponseReturnValue:
    """This server sends no mail: an administrator makes a link that signs in once. The answer is alike for all."""
    read_json(ResetSchema())
    raise NotImplementedHere(
        "This server sends no mail. Ask its administrator for a link that signs you in (`siby login-link EMAIL`), "
        "or for a new password (PUT /v1/users/NUMBER/password)."
    )


def set_password(number: int, old: str | None, new: str) -> None:
    """And commit. Raises Unauthenticated for a wrong old one, Unexpected for a new one that will not do, NotFound."""
    actor, own = _account(number), number == current.visitor().actor_id
    if own and actor.password_hash is not None:
        _require_known(actor, old)
    begin_writing(session())
    keep = current.visitor().token if own else None
    change_password(session(), _account(number), new, current.now(), keep=keep)
    record_act(session(), NO_PROJECT, current.origin(), "user.password_changed", current.now(), str(number))
    session().commit()


def show_actor(actor: Actor) -> dict[str, Any]:
    """As ODK's REST shows people, devices and public links."""
    return {
        "id": actor.id,
        "type": {"device": "field_key"}.get(actor.kind, actor.kind),
        "displayName": actor.name,
        "email": actor.email,
        "createdAt": actor.created_at,
        "updatedAt": actor.updated_at,
        "deletedAt": actor.disabled_at,
    }


def _account(number: int) -> Actor:
    """The account of this number, which is one's own or that of anybody for an administrator. Raises NotFound."""
    if number != current.visitor().actor_id and not current.visitor().admin:
        raise NotFound
    actor = session().get(Actor, number)
    if actor is None or actor.kind != "user" or actor.disabled_at:
        raise NotFound
    return actor


def _require_known(actor: Actor, password: str | None) -> None:
    try:
        check_password(actor.email or "", password or "")
    except Unauthenticated:
        raise Unauthenticated("The password so far is not right.") from None
