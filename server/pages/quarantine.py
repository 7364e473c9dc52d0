"""What could not be filed, and waits for a decision."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from server.api.schemas import CursorQuery
from server.bodies import read_query
from server.db import session
from server.guards import needs
from server.pages.frame import project_of
from server.pages.said import REASONS
from server.queries.submissions import titles_of_forms
from sync.intake.quarantine import OPEN, quarantined_items

bp = Blueprint("quarantine_pages", __name__)


@bp.get("/projects/<int:pid>/quarantine")
@needs("quarantine.decide")
def quarantine(pid: int) -> ResponseReturnValue:
    """What waits for a decision."""
    query = read_query(CursorQuery())
    page, count = quarantined_items(session(), pid, OPEN, query["cursor"], query["limit"])
    return render_template(
        "quarantine.html",
        reasons=REASONS,
        project=project_of(pid),
        items=page.items,
        count=count,
        cursor=page.cursor,
        titles=titles_of_forms(session(), pid),
    )
