"""The places of several devices at once, given in one act that can be taken back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import select

from server import current
from server.api.app_users import place_codes
from server.api.schemas import Strict, text
from server.db import session
from server.door.guards import needs
from server.wire.answers import answer
from server.wire.bodies import read_json
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.errors import NotFound, Unexpected
from sync.models import Actor, Audit
from sync.models.database import begin_writing

bp = Blueprint("api_device_places", __name__, url_prefix="/v1/projects/<int:pid>/app-users/places")

_MOST = 100
_ACT = "device.places"


class DevicePlacesSchema(Strict):
    """Which devices are given which places; no place means all of them."""

    devices = fields.List(fields.Integer(validate=validate.Range(min=0, max=2**53)), required=True)
    places = fields.List(text(), required=True, validate=validate.Length(max=1000))


@bp.put("")
@needs("devices.manage")
@documented("devices", body=DevicePlacesSchema, answer="application/json")
def put_places(pid: int) -> ResponseReturnValue:
    """Give devices these places. `act` is what undoes it, null if nothing is different."""
    given = read_json(DevicePlacesSchema())
    begin_writing(session())
    codes = list(dict.fromkeys(place_codes(pid, given["places"])))
    return answer({"act": give_places(pid, {one.id: codes for one in devices_named(pid, given["devices"])})})


@bp.post("/<int:act>/undo")
@needs("devices.manage")
@documented("devices", answer="application/json")
def undo_places(pid: int, act: int) -> ResponseReturnValue:
    """Give the devices of an act the places that they had before it; those that were changed since stay."""
    return answer({"act": take_places_back(pid, act)})


def devices_named(pid: int, numbers: Collection[int]) -> list[Actor]:
    """Raises NotFound for what is no device of the project, Unexpected for none or too many."""
    if not numbers or len(numbers) > _MOST:
        raise Unexpected(f"Choose 1 to {_MOST} devices.")
    query = select(Actor).where(
        Actor.id.in_(numbers), Actor.kind == "device", Actor.project_id == pid, Actor.disabled_at.is_(None)
    )
    found = list(session().scalars(query.order_by(Actor.name, Actor.id)))
    if len(found) < len(set(numbers)):
        raise NotFound
    return found


def give_places(pid: int, wanted: Mapping[int, Sequence[str]]) -> int | None:
    """Commits. Gives the number of the act by which it can be taken back; None if nothing is different."""
    changed = {}
    for number, codes in wanted.items():
        one = session().get_one(Actor, number)
        if one.places != codes:
            changed[str(number)] = [list(one.places), codes]
            one.places, one.updated_at = list(codes), current.now()
    act = None
    if changed:
        details = {"places": changed}
        subject = next(iter(changed)) if len(changed) == 1 else None
        act = record_act(session(), pid, current.origin(), _ACT, current.now(), subject, details)
    session().commit()
    return act


def take_places_back(pid: int, number: int) -> int | None:
    """Undo an act, but for the devices that were changed since, and commit. Raises NotFound."""
    begin_writing(session())
    act = session().get(Audit, (pid, number))
    if act is None or act.action != _ACT:
        raise NotFound
    before: dict[int, list[str]] = {}
    for device, (was, became) in (act.details or {})["places"].items():
        one = session().get(Actor, int(device))
        if one is not None and one.disabled_at is None and one.places == became:
            before[one.id] = was
    return give_places(pid, before)
