"""Which rows of lists tablets get by their places: seen before it is changed, for several at once, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from server.api.app_users import place_codes
from server.api.device_places import devices_named, give_places, take_places_back
from server.api.figures import reading_of
from server.db import session
from server.door.guards import needs
from server.pages.asked import places_to_choose
from server.pages.frame import project_of
from sync.entities.share import Share, Shares
from sync.errors import NotFound, Refusal, Unexpected
from sync.models import Actor
from sync.models.database import begin_writing

bp = Blueprint("device_places", __name__)


@dataclass(frozen=True, slots=True)
class Changed:
    """A device with what it gets of each list now, and what it would get."""

    device: Actor
    lists: Sequence[tuple[Share, Share]]


@bp.get("/projects/<int:pid>/devices/places")
@needs("devices.manage")
def places(pid: int) -> ResponseReturnValue:
    """Places to choose for the devices that were ticked; once they are chosen, what would change."""
    return _page(pid)


@bp.post("/projects/<int:pid>/devices/places")
@needs("devices.manage")
def post_places(pid: int) -> ResponseReturnValue:
    """Give the devices these places."""
    try:
        begin_writing(session())
        codes = _codes(pid, request.form)
        number = give_places(pid, {one.id: codes for one in _devices(pid, request.form)})
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal)
    return redirect(url_for("devices.devices", pid=pid, done="places", act=number), 303)


@bp.post("/projects/<int:pid>/devices/places/undo")
@needs("devices.manage")
def post_undo(pid: int) -> ResponseReturnValue:
    """Give the devices of an act the places that they had before it; those that were changed since stay."""
    take_places_back(pid, _number(request.form.get("act", "")))
    return redirect(url_for("devices.devices", pid=pid, done="places_back"), 303)


def _page(pid: int, refusal: Refusal | None = None) -> ResponseReturnValue:
    asked = request.form if refusal else request.args
    devices = _devices(pid, asked)
    chosen: list[str] | None = None
    if not refusal and "seen" in asked:
        try:
            chosen = _codes(pid, asked)
        except Unexpected as unknown:
            refusal = unknown
    reading = reading_of(pid, None)
    held = chosen if chosen is not None else devices[0].places
    shares = Shares(session(), pid, sized=True)
    changed = [
        Changed(one, list(zip(shares.of(one), shares.of(one, chosen), strict=True)))
        for one in (devices if chosen is not None else ())
    ]
    shown_places = places_to_choose(reading, None)
    page = render_template(
        "device_places.html",
        project=project_of(pid),
        devices=devices,
        chosen=chosen,
        names=reading.tree.names_of([place for one in devices for place in one.places] + (chosen or [])),
        changed=changed,
        places=shown_places,
        held=set(held),
        deeper=asked.get("others", "\n".join(code for code in held if code not in {one.code for one in shown_places})),
        problem=refusal.detail if refusal else None,
    )
    return make_response(page, refusal.status if refusal else 200)


def _devices(pid: int, asked: MultiDict[str, str]) -> list[Actor]:
    return devices_named(pid, {_number(written) for written in asked.getlist("device")})


def _codes(pid: int, asked: MultiDict[str, str]) -> list[str]:
    """Those that were ticked, then those that were written; none for all places."""
    written = [line.strip() for line in asked.get("others", "").splitlines() if line.strip()]
    return list(dict.fromkeys(place_codes(pid, [*asked.getlist("place"), *written])))


def _number(written: str) -> int:
    if not (written.isascii() and written.isdecimal() and len(written) < 18):
        raise NotFound
    return int(written)
