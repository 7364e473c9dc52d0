"""A project's data as files."""

from __future__ import annotations

from contextlib import suppress

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from server import current
from server.acts.exporting import BeingMade
from server.api.exports import export_file, forgo_file
from server.db import session
from server.door.guards import needs
from server.pages.frame import project_of
from server.queries.submissions import titles_of_forms
from sync.errors import NotFound
from sync.exports.fields import tables_of

bp = Blueprint("data_pages", __name__)

FILES = {
    "csv": _("CSV: opens in Excel and any other program"),
    "csv.zip": _("CSV with repeats and photos, zipped"),
    "xlsx": _("Excel workbook"),
    "sav": _("SPSS, with labels"),
    "sav.zip": _("SPSS with repeats, zipped"),
    "geojson": _("GeoJSON: a map layer for QGIS"),
    "kml": _("KML: for Google Earth"),
    "jsonl": _("JSON lines: for programs"),
}
# Nothing of them can be sent before all rows are read.
WAITED_FOR = ("sav", "sav.zip")
_PATIENCE_SECONDS, _AGAIN_SECONDS = 10.0, 20


@bp.get("/projects/<int:pid>/exports")
@needs("data.export")
def exports(pid: int) -> ResponseReturnValue:
    """What the project's data can be had as, form by form."""
    base = current.public_address()
    forms = titles_of_forms(session(), pid)
    stopped, kind = request.args.get("stopped", ""), request.args.get("kind")
    return render_template(
        "exports.html",
        project=project_of(pid),
        forms=forms,
        stopped=stopped if stopped in forms and kind in WAITED_FOR else None,
        kind=kind,
        files=FILES,
        waited_for=WAITED_FOR,
        base=base,
        manages=current.has_right("project.manage"),
    )


@bp.get("/projects/<int:pid>/exports/<fid>.<any(sav, 'sav.zip'):kind>")
@needs("data.export")
def file(pid: int, fid: str, kind: str) -> ResponseReturnValue:
    """The file; a page that asks for it again by itself as long as it is being made. What is too much for one .sav
    comes zipped."""
    if kind == "sav" and len(tables_of(session(), pid, fid)) > 1:
        zipped = url_for("data_pages.file", pid=pid, fid=fid, kind="sav.zip")
        return redirect(f"{zipped}?{request.query_string.decode('latin-1')}".rstrip("?"))
    try:
        return export_file(pid, fid, kind, patience=_PATIENCE_SECONDS)
    except BeingMade:
        title = titles_of_forms(session(), pid).get(fid, fid)
        page = render_template(
            "export_waiting.html",
            project=project_of(pid),
            title=title,
            label=FILES[kind],
            seconds=_AGAIN_SECONDS,
            stop=url_for("data_pages.stop", pid=pid, fid=fid, kind=kind),
            asked=request.query_string.decode("latin-1"),
        )
        waiting = make_response(page, 503)
        waiting.headers["Refresh"] = waiting.headers["Retry-After"] = str(_AGAIN_SECONDS)
        return waiting


@bp.post("/projects/<int:pid>/exports/<fid>.<any(sav, 'sav.zip'):kind>/stop")
@needs("data.export")
def stop(pid: int, fid: str, kind: str) -> ResponseReturnValue:
    """Whoever waits for the file wants it no more."""
    with suppress(NotFound):  # it came meanwhile
        forgo_file(pid, fid, kind)
    return redirect(url_for("data_pages.exports", pid=pid, stopped=fid, kind=kind), 303)
