"""A project's data as files."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from server import current
from server.db import session
from server.guards import needs
from server.pages.frame import project_of
from server.queries.submissions import titles_of_forms

bp = Blueprint("data_pages", __name__)

FILES = {
    "csv": _("CSV: opens in Excel and any other program"),
    "csv.zip": _("CSV with repeats and photos, zipped"),
    "xlsx": _("Excel workbook"),
    "sav": _("SPSS, with labels"),
    "geojson": _("GeoJSON: a map layer for QGIS"),
    "kml": _("KML: for Google Earth"),
    "jsonl": _("JSON lines: for programs"),
}


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
