"""The forms that one may fill in, as OpenRosa clients list them: those of a project, and the draft of one form."""

from __future__ import annotations

from urllib.parse import quote
from xml.sax.saxutils import escape

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from server import current
from server.current import own_address
from server.db import session
from server.door.guards import needs
from server.openrosa.answers import XML, speak_openrosa
from server.openrosa.kept import KeptAnswers, stamp_of
from server.openrosa.unchanged import remember_this
from server.wire.documents import documented
from sync.accounts.roles import fillable_forms
from sync.intake.items import storable
from sync.models import Actor
from sync.projects.drafts import draft_of
from sync.projects.manifest import Fillable, files_for, fillable

bp = Blueprint("formlist", __name__)
speak_openrosa(bp)

_NAMESPACE = "http://openrosa.org/xforms/xformsList"
_kept = KeptAnswers()


@bp.get("/formList", endpoint="at_root")
@bp.get("/v1/projects/<int:pid>/formList")
@needs("forms.fill")
@documented("openrosa", answer="text/xml")
def form_list(pid: int) -> ResponseReturnValue:
    """The open forms that one may fill in; with `formID`, that one only.

    The root of the server has the same list for whoever has exactly one project, as KoboToolbox and Aggregate have it.
    """
    actor = session().get_one(Actor, current.visitor().actor_id)
    bound = fillable_forms(session(), actor, pid)
    wanted = storable(request.args.get("formID"))
    remember_this()
    asked = ("formList", pid, actor.id, bound, wanted, own_address(""))
    return _kept.answer(
        session(),
        asked,
        stamp_of(session(), pid, actor),
        lambda: _document(pid, fillable(session(), pid, bound, wanted)),
        XML,
    )


@bp.get("/v1/projects/<int:pid>/forms/<fid>/draft/formList")
@needs("drafts.try")
@documented("openrosa", answer="text/xml")
def draft_form_list(pid: int, fid: str) -> ResponseReturnValue:
    """The draft alone, to be tried out; with another `formID`, nothing."""
    draft = draft_of(session(), pid, fid)
    actor = maker_of(draft.actor_id)
    files = files_for(session(), pid, fid, actor, draft=True)
    asked = storable(request.args.get("formID")) in (None, fid)
    forms = [Fillable(fid, draft.title, draft.version, draft.md5, bool(files))] if asked else []
    return _kept.answer(
        session(),
        ("draft formList", pid, fid, asked, own_address("")),
        (draft.sha256, draft.title, bool(files)),
        lambda: _document(pid, forms, "/draft"),
        XML,
    )


def maker_of(actor_id: int | None) -> Actor:
    """Whose rows of lists a draft is tried out with: those of whoever made it, else all."""
    found = session().get(Actor, actor_id) if actor_id else None
    return found or Actor(id=0, kind="user", name="", admin=True, places=[], properties={}, assigned_only=False)


def form_path(pid: int, fid: str) -> str:
    """The path of a form below the version of the API, its id encoded."""
    return f"/projects/{pid}/forms/{quote(fid, safe='')}"


def _document(pid: int, forms: list[Fillable], draft: str = "") -> bytes:
    items = "".join(_item(form, form_path(pid, form.form_id) + draft) for form in forms)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<xforms xmlns="{_NAMESPACE}">{items}</xforms>'.encode()


def _item(form: Fillable, path: str) -> str:
    parts = {
        "formID": form.form_id,
        "name": form.title or form.form_id,
        "version": form.version,
        "hash": f"md5:{form.md5}",
        "downloadUrl": own_address(f"{path}.xml"),
    }
    if form.has_files:
        parts["manifestUrl"] = own_address(f"{path}/manifest")
    inside = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts.items())
    return f"<xform>{inside}</xform>"
