"""Devices as ODK's clients know them: app users of a project, and what their project calls a device by."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import func, select

from server import current
from server.api.schemas import ListQuery, Strict, text
from server.api.users import show_actor
from server.db import session
from server.door.front import KEY
from server.door.guards import needs
from server.logs import log
from server.openrosa.answers import LANGUAGES
from server.wire.answers import answer, done, wants_more
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from server.wire.qr import AUTOSEND, IMAGE_SIZES, code_png, code_svg, device_setup, settings_text
from sync.accounts.audit import record_act
from sync.accounts.people import HAS_LOST_ITS_TOKEN, add_device, disable, find_device, on_one_line
from sync.accounts.tokens import revoke_all
from sync.entities.reach import tree_of
from sync.errors import Exists, NotFound, Unexpected
from sync.models import Actor, Project, Token
from sync.models.database import begin_writing

bp = Blueprint("app_users", __name__, url_prefix="/v1/projects/<int:pid>")

# In place of a token that is kept as a hash: by null clients know devices that are shut out.
SHOWN_ONCE = "shown-once"
_PROPERTY = r"[A-Za-z_][A-Za-z0-9_.-]*\Z"
_PROPERTIES = fields.Dict(
    keys=fields.String(validate=validate.Length(max=200)),
    values=fields.String(validate=validate.Length(max=1000), allow_none=True),
)


class DeviceChangeSchema(Strict):
    """What may change of a device. `places` bounds which rows of lists reach it, `language` is its user's."""

    displayName = fields.String(validate=validate.Length(min=1, max=200))  # noqa: N815
    properties = _PROPERTIES
    places = fields.List(text(), validate=validate.Length(max=1000))
    language = fields.String(validate=validate.OneOf(LANGUAGES), allow_none=True)


class NewDeviceSchema(DeviceChangeSchema):
    """A device to make. It gets the forms that are assigned to it, or all with `all_forms`."""

    displayName = fields.String(required=True, validate=validate.Length(min=1, max=200))  # noqa: N815
    all_forms = fields.Boolean(load_default=False)


class CodeQuery(Strict):
    """What ODK Collect is set to beside the way to the server; what is left out it sets to its own default."""

    image_size = fields.String(validate=validate.OneOf(IMAGE_SIZES))
    autosend = fields.String(validate=validate.OneOf(AUTOSEND))


class DevicePropertySchema(Strict):
    """Something that the project notes of each device."""

    name = fields.String(required=True, validate=[validate.Regexp(_PROPERTY), validate.Length(max=200)])


@bp.get("/app-users")
@needs("devices.manage")
@documented("devices", query=ListQuery, answer="application/json")
def get_devices(pid: int) -> ResponseReturnValue:
    """The devices of the project, the newest first; a token is shown only when it is made, null once it was ended."""
    asked = read_query(ListQuery())
    query = (
        select(Actor, func.max(Token.last_used_at), HAS_LOST_ITS_TOKEN)
        .outerjoin(Token, Token.actor_id == Actor.id)
        .where(Actor.kind == "device", Actor.project_id == pid, Actor.disabled_at.is_(None))
        .group_by(Actor.id)
        .order_by(Actor.id.desc())
        .offset(asked["offset"])
        .limit(asked["limit"])
    )
    rows = session().execute(query).all()
    return answer([_shown(actor, last, _token(shut_out)) for actor, last, shut_out in rows])


@bp.post("/app-users")
@needs("devices.manage")
@documented("devices", body=NewDeviceSchema, answer="application/json")
def post_device(pid: int) -> ResponseReturnValue:
    """Make a device. The answer carries its token, this once."""
    actor, token = make_device(pid, read_json(NewDeviceSchema()))
    return answer(_shown(actor, None, token))


@bp.get("/app-users/<int:number>")
@needs("devices.manage")
@documented("devices", answer="application/json")
def get_device(pid: int, number: int) -> ResponseReturnValue:
    """One device."""
    last = session().scalar(select(func.max(Token.last_used_at)).where(Token.actor_id == number))
    return answer(_shown(device_of(pid, number), last, _token(is_shut_out(number))))


@bp.patch("/app-users/<int:number>")
@needs("devices.manage")
@documented("devices", body=DeviceChangeSchema, answer="application/json")
def patch_device(pid: int, number: int) -> ResponseReturnValue:
    """Change a device's name, places, language or properties."""
    changed = change_device(pid, number, read_json(DeviceChangeSchema()))
    return answer(_shown(changed, None, _token(is_shut_out(number))))


@bp.delete("/app-users/<int:number>")
@needs("devices.manage")
@documented("devices")
def delete_device(pid: int, number: int) -> ResponseReturnValue:
    """Shut a device out at once, and take it off the list. What it sent stays."""
    revoke_device(pid, number)
    return done()


@bp.get("/qr.<any(png, svg):kind>")
@needs("forms.fill")
@documented("devices", query=CodeQuery, answer="image/png")
def get_code(pid: int, kind: str) -> ResponseReturnValue:
    """The code that sets ODK Collect up for the device whose token is in the address: nobody else can know it.

    `image_size` and `autosend` are settings of Collect that the code then carries.
    """
    asked = read_query(CodeQuery())
    token, visitor = request.environ.get(KEY), current.visitor()
    if token is None or visitor.kind != "device":
        raise NotFound("Ask for the code with the device's token in the address: /v1/key/TOKEN/projects/NUMBER/qr.png.")
    base = current.public_address()
    project = session().get_one(Project, pid)
    text = settings_text(device_setup(base, pid, project.name, visitor.name, token, language=visitor.language, **asked))
    if kind == "png":
        return Response(code_png(text), content_type="image/png")
    return Response(code_svg(text), content_type="image/svg+xml")


@bp.get("/actor-properties")
@needs("devices.manage")
@documented("devices", answer="application/json")
def get_properties(pid: int) -> ResponseReturnValue:
    """What the project notes of each device."""
    return answer([{"name": name} for name in session().get_one(Project, pid).device_properties])


@bp.post("/actor-properties")
@needs("devices.manage")
@documented("devices", body=DevicePropertySchema)
def post_property(pid: int) -> ResponseReturnValue:
    """Note one thing more of each device."""
    name = read_json(DevicePropertySchema())["name"]
    begin_writing(session())
    project = session().get_one(Project, pid, with_for_update=True)
    if name.lower() in {known.lower() for known in project.device_properties}:
        raise Exists(f"Devices have a property called {name} already.")
    project.device_properties = [*project.device_properties, name]
    record_act(session(), pid, current.origin(), "device_property.added", current.now(), name)
    session().commit()
    return done()


def make_device(pid: int, given: dict[str, Any]) -> tuple[Actor, str]:
    """Make a device of what `NewDeviceSchema` has read, and commit. Gives its token, readable this once."""
    begin_writing(session())
    actor, issued = add_device(
        session(), pid, given["displayName"], current.now(), assigned_only=not given.pop("all_forms")
    )
    _change(pid, actor, given)
    record_act(session(), pid, current.origin(), "device.added", current.now(), str(actor.id))
    session().commit()
    log("device_added", project=pid, actor=actor.id)
    return actor, issued.token


def change_device(pid: int, number: int, given: dict[str, Any]) -> Actor:
    """Change what `DeviceChangeSchema` has read, and commit. Raises NotFound, Exists, Unexpected."""
    begin_writing(session())
    actor = device_of(pid, number)
    _change(pid, actor, given)
    actor.updated_at = current.now()
    record_act(
        session(), pid, current.origin(), "device.changed", current.now(), str(number), {"fields": sorted(given)}
    )
    session().commit()
    return actor


def revoke_device(pid: int, number: int, *, listed: bool = False) -> None:
    """Shut it out at once, and commit; if `listed`, the project still has it among its devices. Raises NotFound."""
    begin_writing(session())
    device = device_of(pid, number)
    if listed:
        revoke_all(session(), device.id, current.now())
    else:
        disable(session(), device, current.now())
    record_act(session(), pid, current.origin(), "device.revoked", current.now(), str(number))
    session().commit()
    log("device_revoked", project=pid, actor=number)


def _change(pid: int, actor: Actor, given: dict[str, Any]) -> None:
    if "displayName" in given:
        name = on_one_line(given["displayName"])
        if name != actor.name and find_device(session(), pid, name) is not None:
            raise Exists(f"The project has a device called {name} already; give this one another name.")
        actor.name = name
    if "places" in given:
        actor.places = place_codes(pid, given["places"])
    if "language" in given:
        actor.language = given["language"]
    if "properties" in given:
        known = set(session().get_one(Project, pid).device_properties)
        if unknown := sorted(set(given["properties"]) - known):
            raise Unexpected(f"Devices have no property called {unknown[0]}; add it under actor-properties first.")
        merged = actor.properties | given["properties"]
        actor.properties = {name: value for name, value in merged.items() if value is not None}


def place_codes(pid: int, written: list[str]) -> list[str]:
    """The codes of places that were written as codes or aliases, or by a name that no other has. Raises Unexpected."""
    tree = tree_of(session(), pid)
    return [tree.code_of(place) or _only_one(place, tree.called(place)) for place in written]


def _only_one(name: str, codes: list[str]) -> str:
    if not codes:
        raise Unexpected(f"‘{name}’ is not a place of the project.")
    if len(codes) > 1:
        raise Unexpected(f"Several places are called ‘{name}’; write the code of one of them: {', '.join(codes)}.")
    return codes[0]


def device_of(pid: int, number: int) -> Actor:
    """Raises NotFound for what is no device of the project, or none any more."""
    actor = session().get(Actor, number)
    if actor is None or actor.kind != "device" or actor.project_id != pid or actor.disabled_at:
        raise NotFound
    return actor


def is_shut_out(number: int) -> bool:
    """Whether a device that the project has may not come in any more."""
    return bool(session().scalar(select(HAS_LOST_ITS_TOKEN).where(Actor.id == number)))


def _token(shut_out: bool) -> str | None:
    return None if shut_out else SHOWN_ONCE


def _shown(actor: Actor, last_used: Any, token: str | None) -> dict[str, Any]:
    shown = {
        **show_actor(actor),
        "projectId": actor.project_id,
        "token": token,
        "properties": actor.properties,
        "places": actor.places,
        "language": actor.language,
        "all_forms": not actor.assigned_only,
    }
    del shown["email"]
    if wants_more():
        shown |= {"lastUsed": last_used, "createdBy": None}
    return shown
