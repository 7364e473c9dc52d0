"""Where a visitor begins: the projects, and one of them readable in a minute."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import func, select, tuple_

from forms.xpath.numbers import LARGEST
from server import current
from server.api.projects import make_project
from server.api.schemas import NewProjectSchema, Strict, text
from server.db import session
from server.door.guards import needs, signed_in, site_admin
from server.language.words import words
from server.pages.frame import SECTIONS, project_of
from server.pages.said import STATES
from server.queries.arrivals import in_conflict, last_arrival, open_pairs, quarantined
from server.queries.forms import drafts_of
from server.queries.submissions import how_many, labels_of_subjects, names_of_actors, titles_of_forms
from server.wire.bodies import load, read_query
from sync.accounts.roles import may, projects_of, role_in
from sync.dedup.yardsticks import compared_simply
from sync.entities.reach import tree_of
from sync.errors import Refusal
from sync.models import Actor, Form, Project
from sync.review.matches import compared_lists
from sync.review.paging import cursor_to
from sync.review.queue import Sought, review_queue
from sync.statements.statements import titles_at

bp = Blueprint("overview", __name__)

_LATEST = 10
_PROJECTS = 50


class HomeQuery(Strict):
    """From which project on."""

    after = fields.Integer(load_default=None, validate=validate.Range(min=0, max=2**53))
    name = text(load_default="")


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits in a project, for those who may decide about it; the open pairs of each list that has any, those of
    people first."""

    project: Project
    decides: bool
    quarantined: int
    pairs: Mapping[str, int]
    last: dt.datetime | None


@bp.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """The projects in which one has a role, each with what waits in it."""
    return _home()


@bp.post("/projects")
@site_admin
def post_project() -> ResponseReturnValue:
    """Make a project, which is filled on its own pages."""
    typed = {name: request.form.get(name, "").strip() for name in ("name", "time_zone")}
    try:
        pid = make_project(load(NewProjectSchema(), typed | {"languages": [words().locale]}))
    except Refusal as refusal:
        session().rollback()
        return _home(typed=typed, refused=refusal), refusal.status
    return redirect(url_for("overview.project", pid=pid), 303)


def _home(**more: Any) -> str:
    asked = read_query(HomeQuery())
    actor = session().get_one(Actor, current.visitor().actor_id)
    query = select(Project).where(Project.archived_at.is_(None), Project.deleted_at.is_(None))
    if (mine := projects_of(session(), actor)) is not None:
        query = query.where(Project.id.in_(mine))
    count = session().scalar(select(func.count()).select_from(query.subquery()))
    if asked["after"] is not None:
        query = query.where(tuple_(Project.name, Project.id) > (asked["name"], asked["after"]))
    found = session().scalars(query.order_by(Project.name, Project.id).limit(_PROJECTS + 1)).all()
    shown = found[:_PROJECTS]
    waiting = quarantined(session(), [project.id for project in shown])
    return render_template(
        "home.html",
        projects=[_waits(actor, project, waiting.get(project.id, 0)) for project in shown],
        count=count,
        more=shown[-1] if len(found) > _PROJECTS else None,
        administers=current.visitor().admin,
        **more,
    )


@bp.get("/projects/<int:pid>")
@needs("project.read")
def project(pid: int) -> ResponseReturnValue:
    """What waits, what came in, and where things stand; what takes longer to find out comes after the page."""
    reads = current.has_right("submissions.read")
    # From the largest id down: also a database without statistics then goes by the primary key.
    latest = review_queue(session(), pid, Sought(), cursor_to(LARGEST), _LATEST).items if reads else ()
    forms = session().scalars(select(Form.form_id).where(Form.project_id == pid, Form.deleted_at.is_(None))).all()
    counts = {form_id: number for form_id, number in how_many(session(), pid).items() if form_id in set(forms)}
    return render_template(
        "project.html",
        states=STATES,
        project=project_of(pid),
        statements=titles_at(session(), pid, None),
        forms=len(forms),
        drafts=[] if forms else drafts_of(session(), pid),
        counts=counts,
        last=last_arrival(session(), pid),
        titles=titles_of_forms(session(), pid),
        quarantined=quarantined(session(), [pid]).get(pid, 0) if reads else 0,
        pairs=_pairs(pid) if reads else [],
        in_conflict=in_conflict(session(), pid) if reads else {},
        latest=latest,
        subjects=labels_of_subjects(session(), pid, [row.subject for row in latest]),
        actors=names_of_actors(session(), [row.actor_id for row in latest]),
        places=tree_of(session(), pid).names_of([row.place for row in latest]),
        ways=ways_of(pid),
        reads_figures=current.has_right("figures.read"),
        reads_submissions=reads,
        manages_devices=current.has_right("devices.manage"),
        manages=current.has_right("project.manage"),
    )


def _waits(actor: Actor, project: Project, number: int) -> Waits:
    role = role_in(session(), actor, project.id) or ""
    decides = may(role, "submissions.read")
    pairs = {name: number for name, _, number in _pairs(project.id) if number} if decides else {}
    last = last_arrival(session(), project.id) if may(role, "figures.read") else None
    return Waits(project, decides, number if decides else 0, pairs, last)


def _pairs(pid: int) -> list[tuple[str, bool, int]]:
    """Each list that is compared, those of people first: its name, whether it is one of people, and its open pairs."""
    waits = open_pairs(session(), pid)
    lists = compared_lists(session(), pid)
    return [(known.name, not compared_simply(known.matching), waits.get(known.name, 0)) for known in lists]


def ways_of(pid: int) -> dict[str, str]:
    """The first page of each section that the visitor may open, by its name."""
    return {one.name: url_for(one.endpoint, pid=pid) for one in SECTIONS if current.has_right(one.right)}
