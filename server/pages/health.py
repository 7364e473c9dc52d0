"""How the server does, for who administers it."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from server import current
from server.door.guards import needs, site_admin
from server.pages.frame import project_of
from server.upkeep.checkup import examined
from sync.errors import Forbidden
from sync.models import Project

bp = Blueprint("health_pages", __name__)


@bp.get("/health")
@site_admin
def health() -> ResponseReturnValue:
    """What `siby doctor` finds; it is looked for once in a minute at most, however often the page is asked for."""
    return _page(None)


@bp.get("/projects/<int:pid>/health")
@needs("project.manage")
def health_beside(pid: int) -> ResponseReturnValue:
    """The same with the sections of the project around it that one came from."""
    if not current.visitor().admin:
        raise Forbidden
    return _page(project_of(pid))


def _page(project: Project | None) -> str:
    found = examined(current.settings())
    return render_template(
        "health.html",
        around="base.html" if project is None else "project_page.html",
        project=project,
        manages=True,
        lines=found.lines,
        at=found.at,
        faults=sum(not line.good for line in found.lines),
        advised=sum(line.good and line.advises for line in found.lines),
    )
