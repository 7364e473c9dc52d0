"""Where a visitor begins: the projects, and what came into one."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from server import current
from server.db import session
from server.guards import needs, signed_in
from server.pages.frame import project_of
from server.pages.said import STATES
from server.queries.submissions import how_many, how_many_wait, names_of_actors, titles_of_forms
from sync.accounts.roles import projects_of
from sync.indicators.statements import statements_at
from sync.models import Actor, Project
from sync.projects.places import places_at
from sync.review.queue import Sought, review_queue

bp = Blueprint("overview", __name__)

_LATEST = 20


@bp.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """The projects in which one has a role."""
    actor = session().get_one(Actor, current.visitor().actor_id)
    query = select(Project).where(Project.archived_at.is_(None)).order_by(Project.name)
    if (mine := projects_of(session(), actor)) is not None:
        query = query.where(Project.id.in_(mine))
    return render_template("home.html", projects=session().scalars(query).all())


@bp.get("/projects/<int:pid>")
@needs("project.read")
def project(pid: int) -> ResponseReturnValue:
    """What came in, what waits, and the statements."""
    reads = current.has_right("submissions.read")
    latest = review_queue(session(), pid, Sought(), limit=_LATEST).items if reads else ()
    return render_template(
        "project.html",
        states=STATES,
        project=project_of(pid),
        statements=statements_at(session(), pid, None),
        counts=how_many(session(), pid),
        titles=titles_of_forms(session(), pid),
        waiting=how_many_wait(session(), pid) if reads else 0,
        latest=latest,
        actors=names_of_actors(session(), [row.actor_id for row in latest]),
        places=places_at(session(), pid, None).names_of([row.place for row in latest]),
        reads_figures=current.has_right("figures.read"),
        reads_submissions=reads,
        manages_devices=current.has_right("devices.manage"),
    )
