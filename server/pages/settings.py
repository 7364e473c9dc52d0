"""The settings of a project, its data as files, its webhooks; and how the server does, for who administers it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from server import current
from server.api.projects import change_settings
from server.api.schemas import ProjectSettings
from server.bodies import load
from server.checkup import examine
from server.db import session
from server.guards import needs, site_admin
from server.pages.frame import project_of
from server.queries.submissions import titles_of_forms
from sync.errors import Refusal
from sync.webhooks.hooks import deliveries_of, find_webhook, webhooks_of

bp = Blueprint("settings_pages", __name__)

FILES = {
    "csv": _("CSV: opens in Excel and any other program"),
    "csv.zip": _("CSV with repeats and photos, zipped"),
    "xlsx": _("Excel workbook"),
    "sav": _("SPSS, with labels"),
    "geojson": _("GeoJSON: a map layer for QGIS"),
    "kml": _("KML: for Google Earth"),
    "jsonl": _("JSON lines: for programs"),
}
_DELIVERIES = 50


@bp.get("/projects/<int:pid>/exports")
@needs("data.export")
def exports(pid: int) -> ResponseReturnValue:
    """What the project's data can be had as, form by form."""
    base = current.public_address()
    return render_template(
        "exports.html",
        project=project_of(pid),
        forms=titles_of_forms(session(), pid),
        files=FILES,
        base=base,
        manages=current.has_right("project.manage"),
    )


@bp.get("/projects/<int:pid>/settings")
@needs("project.manage")
def settings(pid: int) -> ResponseReturnValue:
    """What a project can choose."""
    return _page(pid, done=request.args.get("done"))


@bp.post("/projects/<int:pid>/settings")
@needs("project.manage")
def post_settings(pid: int) -> ResponseReturnValue:
    """Change them."""
    form = request.form
    given: dict[str, Any] = {name: form.get(name, "") for name in ("name", "time_zone", "counts")}
    given["description"] = form.get("description", "").replace("\r\n", "\n").strip() or None
    given["languages"] = form.get("languages", "").replace(",", " ").split()
    month = form.get("fiscal_year_start", "")
    given["fiscal_year_start"] = int(month) if month.isascii() and month.isdecimal() and len(month) < 3 else 0
    given["archived"] = "archived" in form
    try:
        change_settings(pid, load(ProjectSettings(), given))
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal)
    return redirect(url_for("settings_pages.settings", pid=pid, done="changed"), 303)


@bp.get("/projects/<int:pid>/settings/webhooks")
@needs("project.manage")
def webhooks(pid: int) -> ResponseReturnValue:
    """Who is told of what happens, and how far each has come."""
    return render_template("webhooks.html", project=project_of(pid), hooks=webhooks_of(session(), pid), manages=True)


@bp.get("/projects/<int:pid>/settings/webhooks/<int:number>")
@needs("project.manage")
def webhook(pid: int, number: int) -> ResponseReturnValue:
    """One webhook with the attempts to tell it."""
    hook = find_webhook(session(), pid, number)
    return render_template(
        "webhook.html", project=project_of(pid), hook=hook, attempts=deliveries_of(session(), hook, _DELIVERIES)
    )


@bp.get("/health")
@site_admin
def health() -> ResponseReturnValue:
    """What `siby doctor` finds, which takes a while where there is much."""
    lines = list(examine(current.settings()))
    return render_template("health.html", lines=lines, faults=sum(not line.good for line in lines))


def _page(pid: int, refusal: Refusal | None = None, done: str | None = None) -> ResponseReturnValue:
    page = render_template(
        "settings.html",
        project=project_of(pid),
        manages=True,
        typed=request.form if refusal else None,
        problem=refusal.detail if refusal else None,
        findings=refusal.findings if refusal else [],
        done=done,
    )
    return make_response(page, refusal.status if refusal else 200)
