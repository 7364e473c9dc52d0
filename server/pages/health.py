"""How the server does, for who administers it."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from server import current
from server.checkup import examined
from server.guards import site_admin

bp = Blueprint("health_pages", __name__)


@bp.get("/health")
@site_admin
def health() -> ResponseReturnValue:
    """What `siby doctor` finds; it is looked for once in a minute at most, however often the page is asked for."""
    found = examined(current.settings())
    return render_template(
        "health.html", lines=found.lines, at=found.at, faults=sum(not line.good for line in found.lines)
    )
