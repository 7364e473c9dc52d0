"""The bin of a project: what was deleted, by whom, until when it can be restored."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from forms.xpath.numbers import LARGEST
from server import current
from server.acts import reviewing
from server.api.schemas import CursorQuery
from server.db import session
from server.door.guards import needs
from server.pages.frame import project_of
from server.queries.bin import deleted_forms, deleted_submissions, how_many_deleted, how_many_discarded
from server.queries.counting import COUNTED
from server.queries.submissions import titles_of_forms
from server.wire.bodies import read_query

bp = Blueprint("bin_pages", __name__, url_prefix="/projects/<int:pid>/bin")


class BinQuery(CursorQuery):
    """From where on, and what was restored before."""

    restored = fields.Integer(load_default=None, validate=validate.Range(min=0, max=LARGEST))


@bp.get("")
@needs("submissions.delete")
def contents(pid: int) -> ResponseReturnValue:
    """What was deleted, the last first."""
    query = read_query(BinQuery())
    page = deleted_submissions(session(), pid, query["cursor"], query["limit"])
    project = project_of(pid)
    shown: dict[str, Any] = {
        "kept": dt.timedelta(days=project.keep_deleted),
        "titles": titles_of_forms(session(), pid),
        "count": how_many_deleted(session(), pid),
        "discarded": how_many_discarded(session(), pid),
        "counted": COUNTED,
        "forms": deleted_forms(session(), pid) if current.has_right("project.manage") else [],
        "manages": current.has_right("project.manage"),
        "restored": query["restored"],
    }
    return render_template("bin.html", project=project, gone=page.items, cursor=page.cursor, **shown)


@bp.post("/<int:number>/restore")
@needs("submissions.delete")
def post_restore(pid: int, number: int) -> ResponseReturnValue:
    """Take a submission out of the bin."""
    reviewing.restore(pid, number)
    return redirect(url_for("bin_pages.contents", pid=pid, restored=number), 303)
