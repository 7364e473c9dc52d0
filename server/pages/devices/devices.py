"""The devices of a project: how each has been doing, one alone, and for a whole team at once a sheet of codes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from marshmallow import EXCLUDE, Schema, fields, validate
from sqlalchemy import bindparam, select

from server import current
from server.api.app_users import (
    DeviceChangeSchema,
    NewDeviceSchema,
    change_device,
    device_of,
    is_shut_out,
    make_device,
    revoke_device,
)
from server.db import session
from server.door.guards import needs
from server.logs import log
from server.pages.frame import LANGUAGES as FRAME_LANGUAGES
from server.pages.frame import project_of
from server.pages.said import FLAGS, NETWORKS_SAID, REASONS, SIZES_SAID, STATES
from server.queries.counting import COUNTED
from server.queries.submissions import titles_of_forms
from server.queries.team import devices_page, files_lacking, how_many_devices, parked_of, rows_given, sent_last
from server.wire.bodies import load
from server.wire.qr import AUTOSEND, IMAGE_SIZES, WAYS, code_svg, device_setup, settings_text
from sync.accounts.audit import record_act
from sync.accounts.habits import habits
from sync.accounts.people import add_device
from sync.accounts.traffic import Used, traffic_since
from sync.entities.reach import tree_of
from sync.entities.share import Shares
from sync.errors import Exists, NotFound, Refusal, Unexpected
from sync.intake.items import storable
from sync.models import Form, Project, Submission
from sync.models.database import begin_writing
from sync.review.queue import Sought, count_sought

bp = Blueprint("devices", __name__)

_THIS_COMPUTER = ("localhost", "127.0.0.1", "::1")

LANGUAGES = ("fr", "en", "bm")
_MOST = 200
_ON_A_PAGE = 50
_PARKED_SHOWN = 20
_LATEST = 20
_SPANS = (7, 30)  # days over which the data that a device used is told


class SheetForm(Schema):
    """Names, one on a line, and how the tablets are to be set up."""

    class Meta:
        unknown = EXCLUDE

    names = fields.String(required=True, validate=validate.Length(min=1, max=50_000))
    way = fields.String(load_default="", validate=validate.OneOf(("", *WAYS)))
    language = fields.String(load_default="", validate=validate.OneOf(("", *LANGUAGES)))
    autosend = fields.String(load_default="wifi_and_cellular", validate=validate.OneOf(AUTOSEND))
    image_size = fields.String(load_default="", validate=validate.OneOf(("", *IMAGE_SIZES)))
    delete_sent = fields.Boolean(load_default=False)


@bp.get("/projects/<int:pid>/devices")
@needs("devices.manage")
def devices(pid: int) -> ResponseReturnValue:
    """All of them, and one more to add."""
    return _list(pid, done=request.args.get("done"))


@bp.post("/projects/<int:pid>/devices")
@needs("devices.manage")
def post_device(pid: int) -> ResponseReturnValue:
    """Make one, and show its code this once."""
    given = {"displayName": request.form.get("name", ""), "language": request.form.get("language") or None}
    try:
        read = load(NewDeviceSchema(), given | {"places": _codes(), "all_forms": True})
        actor, token = make_device(pid, read)
    except Refusal as refusal:
        session().rollback()
        return _list(pid, refusal)
    project = project_of(pid)
    base = current.public_address()
    setup = device_setup(base, pid, project.name, actor.name, token, language=actor.language)
    code = Markup(code_svg(settings_text(setup)))  # noqa: S704 — it holds squares only
    local = urlsplit(base).hostname in _THIS_COMPUTER
    return render_template("device_added.html", project=project, device=actor, code=code, address=base, local=local)


@bp.get("/projects/<int:pid>/devices/<int:number>")
@needs("devices.manage")
def device(pid: int, number: int) -> ResponseReturnValue:
    """What is known of one, its latest submissions and what is wrong with them."""
    return _one(pid, number, done=request.args.get("done"))


@bp.post("/projects/<int:pid>/devices/<int:number>")
@needs("devices.manage")
def post_change(pid: int, number: int) -> ResponseReturnValue:
    """Its name and language; its places have a page of their own."""
    given = {"displayName": request.form.get("name", ""), "language": request.form.get("language") or None}
    try:
        change_device(pid, number, load(DeviceChangeSchema(), given))
    except NotFound:
        raise
    except Refusal as refusal:
        session().rollback()
        return _one(pid, number, refusal)
    return redirect(url_for("devices.device", pid=pid, number=number, done="changed"), 303)


@bp.get("/projects/<int:pid>/devices/<int:number>/revoke")
@needs("devices.manage")
def ask_revoke(pid: int, number: int) -> ResponseReturnValue:
    """What will happen."""
    device, shut_out = device_of(pid, number), is_shut_out(number)
    return render_template("device_revoke.html", project=project_of(pid), device=device, shut_out=shut_out)


@bp.post("/projects/<int:pid>/devices/<int:number>/revoke")
@needs("devices.manage")
def post_revoke(pid: int, number: int) -> ResponseReturnValue:
    """Shut it out at once."""
    revoke_device(pid, number)
    return redirect(url_for("devices.devices", pid=pid, done="revoked"), 303)


@bp.get("/projects/<int:pid>/devices/sheet")
@needs("devices.manage")
def ask(pid: int) -> ResponseReturnValue:
    """What devices are to be made."""
    project = session().get_one(Project, pid)
    return render_template(
        "devices_ask.html",
        project=project,
        languages=LANGUAGES,
        sizes={size: SIZES_SAID[size] for size in IMAGE_SIZES},
        autosend={network: NETWORKS_SAID[network] for network in AUTOSEND},
    )


@bp.post("/projects/<int:pid>/devices/sheet")
@needs("devices.manage")
def sheet(pid: int) -> ResponseReturnValue:
    """Make the devices, all or none, and show their codes this once."""
    given = load(SheetForm(), request.form.to_dict())
    names = [name.strip() for name in given["names"].splitlines() if name.strip()]
    if not names or len(names) > _MOST:
        raise Unexpected(f"Write 1 to {_MOST} names, one on a line.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Unexpected(f"Two devices cannot have one name: {', '.join(twice)}.")
    begin_writing(session())
    project = session().get_one(Project, pid)
    made = [(name, *_made(pid, name, given["language"] or None)) for name in names]
    base = current.public_address()
    more = _more(given)
    cards = []
    for name, number, token in made:
        setup = device_setup(base, pid, project.name, name, token, given["way"] or None, **more)
        cards.append((name, number, Markup(code_svg(settings_text(setup)))))  # noqa: S704 — it holds squares only
    today = current.now().astimezone(ZoneInfo(project.time_zone))
    page = render_template("devices_sheet.html", project=project, cards=cards, day=today)
    session().commit()
    log("devices_added", project=pid, devices=len(made))
    return page


def _list(pid: int, refusal: Refusal | None = None, done: str | None = None) -> ResponseReturnValue:
    after = (storable(request.args["name"]), int(request.args["after"])) if _goes_on() else None
    found = devices_page(session(), pid, after, _ON_A_PAGE + 1)
    shown = found[:_ON_A_PAGE]
    page = render_template(
        "devices.html",
        project=project_of(pid),
        devices=habits(session(), pid, current.now(), [one.id for one in shown]),
        actors={one.id: one for one in shown},
        count=how_many_devices(session(), pid),
        more=shown[-1] if len(found) > _ON_A_PAGE else None,
        languages=FRAME_LANGUAGES,
        used=traffic_since(session(), pid, [one.id for one in shown], _days_ago(30)),
        place_names=tree_of(session(), pid).names_of(code for one in shown for code in one.places),
        act=request.args.get("act", ""),
        typed=request.form if refusal else {},
        problem=refusal.detail if refusal else None,
        lost=isinstance(refusal, Exists),
        done=done,
    )
    return make_response(page, refusal.status if refusal else 200)


def _days_ago(days: int) -> dt.date:
    """The first of so many days that end today."""
    return current.now().date() - dt.timedelta(days=days - 1)


def _goes_on() -> bool:
    written = request.args.get("after", "")
    return "name" in request.args and written.isascii() and written.isdecimal() and len(written) < 17


def _one(pid: int, number: int, refusal: Refusal | None = None, done: str | None = None) -> ResponseReturnValue:
    actor = device_of(pid, number)
    sent = sent_last(session(), pid, number, _LATEST)
    page = render_template(
        "device.html",
        project=project_of(pid),
        device=actor,
        habit=next(iter(habits(session(), pid, current.now(), [number]))),
        sent=sent,
        count=count_sought(session(), pid, Sought(collector=number), COUNTED),
        counted=COUNTED,
        held=_held(pid, sent),
        drifts=sum(1 for one in sent for flag in one.flags if flag[0] == "clock"),
        parked=parked_of(session(), pid, number),
        most=_PARKED_SHOWN,
        rows=rows_given(session(), pid, number),
        shares=Shares(session(), pid, sized=False).of(actor),
        place_names=tree_of(session(), pid).names_of(actor.places),
        used={days: traffic_since(session(), pid, [number], _days_ago(days)).get(number, Used()) for days in _SPANS},
        lacking=files_lacking(session(), pid, number),
        titles=titles_of_forms(session(), pid),
        states=STATES,
        flags=FLAGS,
        reasons=REASONS,
        languages=FRAME_LANGUAGES,
        typed=request.form if refusal else {},
        problem=refusal.detail if refusal else None,
        done=done,
    )
    return make_response(page, refusal.status if refusal else 200)


def _held(pid: int, sent: Sequence[Submission]) -> list[tuple[str, str, str]]:
    """Of each form that it sent lately, the version of the newest that it sent, and that which devices get now."""
    now = {row.form_id: row.version for row in session().execute(_VERSIONS, {"project": pid})}
    seen: dict[str, str] = {}
    for one in sent:
        seen.setdefault(one.form_id, one.form_version)
    return [(form_id, version, now.get(form_id) or "") for form_id, version in seen.items()]


_VERSIONS = select(Form.form_id, Form.version).where(Form.project_id == bindparam("project"), Form.deleted_at.is_(None))


def _codes() -> list[str]:
    return [line.strip() for line in request.form.get("places", "").splitlines() if line.strip()]


def _made(pid: int, name: str, language: str | None) -> tuple[int, str]:
    actor, issued = add_device(session(), pid, name, current.now())
    actor.language = language
    record_act(session(), pid, current.origin(), "device.added", current.now(), str(actor.id))
    return actor.id, issued.token


def _more(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "language": given["language"] or None,
        "autosend": given["autosend"],
        "image_size": given["image_size"] or None,
        "delete_sent": given["delete_sent"],
    }
