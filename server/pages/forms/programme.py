"""A programme loaded by page: a zipped folder is checked, what it would change is shown, then it is done at once."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from itsdangerous import BadSignature, URLSafeTimedSerializer

from forms.workbooks.differences import Change
from server import current
from server.acts.loading import foresee, read_zip, take
from server.acts.uploads import uploaded
from server.db import session
from server.door.guards import needs
from server.pages.forms.forms import grouped
from server.pages.frame import project_of
from sync.accounts.installation import installation
from sync.errors import Missing, Refusal, Unexpected
from sync.projects.comparing import Compared

bp = Blueprint("programme_pages", __name__, url_prefix="/projects/<int:pid>/programme")

_KEPT_SECONDS = 12 * 3600  # what was looked at lies aside for a day before it is deleted
SETTINGS = {
    "name": _("Name"),
    "time_zone": _("Time zone"),
    "languages": _("Languages"),
    "fiscal_year_start": _("The fiscal year begins in month"),
    "counts": _("Figures count"),
}
FORM_STATES = {"new": _("new form"), "version": _("new version"), "same": _("is published already")}


@bp.get("")
@needs("project.manage")
def ask(pid: int) -> ResponseReturnValue:
    """Where a zip is handed in."""
    return _page(pid)


@bp.post("")
@needs("project.manage")
def look(pid: int) -> ResponseReturnValue:
    """Check it, and show what it would change; nothing is changed yet."""
    try:
        body = uploaded("programme", current.settings().max_request)
        if not body:
            raise Missing("Choose a file.")
        programme = read_zip(pid, body)
        foreseen = foresee(pid, programme)
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal)
    store = current.store()
    sha256 = store.put(body)
    store.set_aside(sha256)
    report = foreseen.report
    return render_template(
        "programme_preview.html",
        project=project_of(pid),
        manages=True,
        programme=programme,
        compared=foreseen.compared,
        figures=_figures(foreseen.compared),
        report=report,
        lists={name: (len(file.rows), f"list {name}" in report.changed) for name, file in programme.lists.items()},
        statements={
            f"{name}.{language}": f"statement {name}.{language}" in report.changed
            for name, language in programme.statements
        },
        setting_names=SETTINGS,
        form_states_of=FORM_STATES,
        token=_tokens().dumps([pid, current.visitor().actor_id, sha256]),
    )


@bp.post("/load")
@needs("project.manage")
def load(pid: int) -> ResponseReturnValue:
    """Do what was shown."""
    current.take_slot()
    try:
        report = take(pid, read_zip(pid, _looked_at(pid, request.form.get("token", ""))))
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal)
    return render_template("programme_loaded.html", project=project_of(pid), manages=True, report=report)


def _looked_at(pid: int, token: str) -> bytes:
    """The zip that this visitor has looked at in this project. Raises Unexpected."""
    store = current.store()
    try:
        project_id, actor_id, sha256 = _tokens().loads(token, max_age=_KEPT_SECONDS)
        if (project_id, actor_id) == (pid, current.visitor().actor_id):
            body = store.read(sha256)
            store.set_aside(sha256)
            return body
    except (BadSignature, FileNotFoundError):
        pass
    raise Unexpected("What was looked at is no longer here. Upload it once more.")


def _tokens() -> URLSafeTimedSerializer:
    row = installation(session())
    if row is None:
        raise Unexpected("The installation has no epoch: run siby init")
    return URLSafeTimedSerializer(row.secret, salt="siby.programme")


def _figures(compared: Compared) -> dict[str, list[Change]]:
    """What is different about indicators and targets, by form and version."""
    return {f"{form.form_id} {form.version}": grouped(form.changes)["figures"] for form in compared.forms}


def _page(pid: int, refusal: Refusal | None = None) -> ResponseReturnValue:
    shown: dict[str, Any] = {
        "problem": refusal.detail if refusal else None,
        "findings": refusal.findings if refusal else [],
    }
    page = render_template("programme.html", project=project_of(pid), manages=True, **shown)
    return make_response(page, refusal.status if refusal else 200)
