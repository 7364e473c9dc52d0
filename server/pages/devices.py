"""Devices for a whole team at once: names in, a sheet of codes out, to be printed, cut and scanned."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from marshmallow import EXCLUDE, Schema, fields, validate

from server import current
from server.bodies import load
from server.db import session
from server.guards import needs
from server.logs import log
from server.qr import AUTOSEND, IMAGE_SIZES, WAYS, code_svg, device_setup, settings_text
from sync.accounts.audit import record_act
from sync.accounts.people import add_device
from sync.errors import Unexpected
from sync.models import Project
from sync.models.database import begin_writing

bp = Blueprint("devices", __name__)

LANGUAGES = ("fr", "en", "bm")
_MOST = 200


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


@bp.get("/projects/<int:pid>/devices/sheet")
@needs("devices.manage")
def ask(pid: int) -> ResponseReturnValue:
    """What devices are to be made."""
    project = session().get_one(Project, pid)
    return render_template(
        "devices_ask.html", project=project, languages=LANGUAGES, sizes=IMAGE_SIZES, autosend=AUTOSEND
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
    base = current.settings().public_url or request.host_url.rstrip("/")
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
