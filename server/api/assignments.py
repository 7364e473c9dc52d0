"""Roles, and who has which one: in the installation, in a project, for one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from server import current
from server.api.users import show_actor
from server.db import session
from server.door.guards import needs, public, site_admin
from server.wire.answers import answer, done, wants_more
from server.wire.documents import documented
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.roles import (
    RIGHTS,
    assign,
    assign_form,
    is_last_administrator,
    withdraw,
    withdraw_form,
)
from sync.errors import Forbidden, LastAdministrator, NotFound, Unexpected
from sync.models import Actor, Assignment, FormAssignment
from sync.models.database import begin_writing
from sync.review.listing import require_form

bp = Blueprint("assignments", __name__, url_prefix="/v1")


@dataclass(frozen=True, slots=True)
class Role:
    """A role as ODK's clients name it: by number or by system name. `ours` is what the project's table says."""

    id: int
    system: str
    name: str
    ours: str


ADMIN = Role(1, "admin", "Administrator", "administrator")
APP_USER = Role(2, "app-user", "App User", "collector")
ROLES = (
    ADMIN,
    APP_USER,
    Role(3, "pub-link", "Public Link", "respondent"),
    Role(4, "coordinator", "Coordinator", "coordinator"),
    Role(5, "manager", "Project Manager", "administrator"),
    Role(6, "formfill", "Data Collector", "collector"),
    Role(8, "viewer", "Project Viewer", "viewer"),
)
_OF_PROJECTS = {role.ours: role for role in ROLES if role.system in ("coordinator", "manager", "formfill", "viewer")}


@bp.get("/roles")
@public
@documented("roles", answer="application/json")
def get_roles() -> ResponseReturnValue:
    """All roles."""
    return answer([_shown(role) for role in ROLES])


@bp.get("/roles/<role>")
@public
@documented("roles", answer="application/json")
def get_role(role: str) -> ResponseReturnValue:
    """One role, by number or system name."""
    return answer(_shown(_role(role)))


# In the installation


@bp.get("/assignments")
@site_admin
@documented("roles", answer="application/json")
def get_assignments() -> ResponseReturnValue:
    """Who administers the installation."""
    return answer([_assigned(actor, ADMIN) for actor in _administrators()])


@bp.get("/assignments/<role>")
@site_admin
@documented("roles", answer="application/json")
def get_actors(role: str) -> ResponseReturnValue:
    """Who has this role in the installation."""
    return answer([show_actor(actor) for actor in _administrators()] if _role(role) == ADMIN else [])


@bp.post("/assignments/<role>/<int:number>")
@site_admin
@documented("roles")
def post_assignment(role: str, number: int) -> ResponseReturnValue:
    """Let an account administer the installation."""
    return _let_administer(role, number, True)


@bp.delete("/assignments/<role>/<int:number>")
@site_admin
@documented("roles")
def delete_assignment(role: str, number: int) -> ResponseReturnValue:
    """End that."""
    if number == current.visitor().actor_id:
        raise Unexpected("Nobody takes this from themselves, or there might be no administrator left.")
    return _let_administer(role, number, False)


# In a project


@bp.get("/projects/<int:pid>/assignments")
@needs("project.manage")
@documented("roles", answer="application/json")
def get_project_assignments(pid: int) -> ResponseReturnValue:
    """Who has which role in the project."""
    return answer([_assigned(actor, role) for actor, role in _in_project(pid)])


@bp.get("/projects/<int:pid>/assignments/forms")
@needs("project.manage")
@documented("roles", answer="application/json")
def get_form_assignments(pid: int) -> ResponseReturnValue:
    """Which forms were given to whom."""
    return answer([_assigned(actor, _filling(actor), xmlFormId=form_id) for actor, form_id in _by_form(pid)])


@bp.get("/projects/<int:pid>/assignments/forms/<role>")
@needs("project.manage")
@documented("roles", answer="application/json")
def get_form_assignments_of_role(pid: int, role: str) -> ResponseReturnValue:
    """Which forms were given to whom, in one role."""
    meant = _role(role)
    found = [(actor, form_id) for actor, form_id in _by_form(pid) if _filling(actor) == meant]
    return answer([_assigned(actor, meant, xmlFormId=form_id) for actor, form_id in found])


@bp.get("/projects/<int:pid>/assignments/<role>")
@needs("project.manage")
@documented("roles", answer="application/json")
def get_project_actors(pid: int, role: str) -> ResponseReturnValue:
    """Who has this role in the project."""
    meant = _role(role)
    return answer([show_actor(actor) for actor, has in _in_project(pid) if has == meant])


@bp.post("/projects/<int:pid>/assignments/<role>/<int:number>")
@needs("project.manage")
@documented("roles")
def post_project_assignment(pid: int, role: str, number: int) -> ResponseReturnValue:
    """Give an account a role in the project, in place of the one it has."""
    give_role(pid, number, _of_projects(role).ours)
    return done()


@bp.delete("/projects/<int:pid>/assignments/<role>/<int:number>")
@needs("project.manage")
@documented("roles")
def delete_project_assignment(pid: int, role: str, number: int) -> ResponseReturnValue:
    """Take a role in the project away."""
    take_role(pid, number, _of_projects(role).ours)
    return done()


def give_role(pid: int, number: int, role: str) -> None:
    """Give an account this role in the project, and commit. Raises NotFound, LastAdministrator."""
    begin_writing(session())
    if role != "administrator":
        _require_another_administrator(pid, number)
    assign(session(), _user(number).id, pid, role)
    record_act(session(), pid, current.origin(), "role.given", current.now(), str(number), {"role": role})
    session().commit()


def take_role(pid: int, number: int, role: str) -> None:
    """Take this role away from an account, and commit. Raises NotFound if it has it not, LastAdministrator."""
    begin_writing(session())
    _require_another_administrator(pid, number)
    if not withdraw(session(), _user(number).id, pid, role):
        raise NotFound
    record_act(session(), pid, current.origin(), "role.taken", current.now(), str(number), {"role": role})
    session().commit()


def _require_another_administrator(pid: int, number: int) -> None:
    """Who administers a project cannot leave it without an administrator; who administers them all may."""
    if (
        number == current.visitor().actor_id
        and not current.visitor().admin
        and is_last_administrator(session(), pid, number)
    ):
        raise LastAdministrator


# For one form


@bp.get("/projects/<int:pid>/forms/<fid>/assignments")
@needs("project.manage")
@documented("roles", answer="application/json")
def get_assignments_of_form(pid: int, fid: str) -> ResponseReturnValue:
    """To whom this form was given."""
    require_form(session(), pid, fid)
    return answer([_assigned(actor, _filling(actor)) for actor, form in _by_form(pid) if form == fid])


@bp.get("/projects/<int:pid>/forms/<fid>/assignments/<role>")
@needs("project.manage")
@documented("roles", answer="application/json")
def get_actors_of_form(pid: int, fid: str, role: str) -> ResponseReturnValue:
    """To whom this form was given, in one role."""
    require_form(session(), pid, fid)
    meant = _role(role)
    return answer([show_actor(actor) for actor, form in _by_form(pid) if form == fid and _filling(actor) == meant])


@bp.post("/projects/<int:pid>/forms/<fid>/assignments/<role>/<int:number>")
@needs("devices.manage")
@documented("roles")
def post_form_assignment(pid: int, fid: str, role: str, number: int) -> ResponseReturnValue:
    """Let a device with chosen forms, or a person without a role in the project, fill in this form."""
    actor = filler(pid, role, number)
    require_form(session(), pid, fid)
    begin_writing(session())
    assign_form(session(), actor.id, pid, fid)
    session().get_one(Actor, number).updated_at = current.now()
    record_act(session(), pid, current.origin(), "form.given", current.now(), str(number), {"form": fid})
    session().commit()
    return done()


@bp.delete("/projects/<int:pid>/forms/<fid>/assignments/<role>/<int:number>")
@needs("devices.manage")
@documented("roles")
def delete_form_assignment(pid: int, fid: str, role: str, number: int) -> ResponseReturnValue:
    """End that."""
    actor = filler(pid, role, number)
    begin_writing(session())
    if session().get(FormAssignment, (pid, fid, actor.id)) is None:
        raise NotFound
    withdraw_form(session(), actor.id, pid, [fid])
    session().get_one(Actor, number).updated_at = current.now()
    record_act(session(), pid, current.origin(), "form.taken", current.now(), str(number), {"form": fid})
    session().commit()
    return done()


def _shown(role: Role) -> dict[str, Any]:
    verbs = sorted(right for right, roles in RIGHTS.items() if role.ours in roles)
    return {"id": role.id, "name": role.name, "system": role.system, "verbs": verbs}


def _assigned(actor: Actor, role: Role, **more: str) -> dict[str, Any]:
    """Who has a role; the extended form says who that is."""
    return {"actorId": actor.id, "roleId": role.id, **more} | ({"actor": show_actor(actor)} if wants_more() else {})


def _role(written: str) -> Role:
    for role in ROLES:
        if written in (role.system, str(role.id)):
            return role
    raise NotFound


def _of_projects(written: str) -> Role:
    role = _role(written)
    if role not in _OF_PROJECTS.values():
        raise Unexpected(f"In a project one is {', '.join(role.system for role in _OF_PROJECTS.values())}.")
    return role


def _administrators() -> list[Actor]:
    query = select(Actor).where(Actor.admin, Actor.disabled_at.is_(None)).order_by(Actor.id)
    return list(session().scalars(query))


def _let_administer(role: str, number: int, may: bool) -> ResponseReturnValue:
    if _role(role) != ADMIN:
        raise Unexpected("In the installation one may be admin; all other roles are in a project.")
    begin_writing(session())
    _user(number).admin = may
    action = "role.given" if may else "role.taken"
    record_act(session(), NO_PROJECT, current.origin(), action, current.now(), str(number), {"role": "admin"})
    session().commit()
    return done()


def _in_project(pid: int) -> list[tuple[Actor, Role]]:
    query = (
        select(Actor, Assignment.role)
        .join(Assignment, Assignment.actor_id == Actor.id)
        .where(Assignment.project_id == pid, Actor.kind == "user", Actor.disabled_at.is_(None))
        .order_by(Actor.id)
    )
    return [(actor, _OF_PROJECTS[role]) for actor, role in session().execute(query)]


def _by_form(pid: int) -> list[tuple[Actor, str]]:
    query = (
        select(Actor, FormAssignment.form_id)
        .join(FormAssignment, FormAssignment.actor_id == Actor.id)
        .where(FormAssignment.project_id == pid, Actor.disabled_at.is_(None))
        .order_by(FormAssignment.form_id, Actor.id)
    )
    return [(actor, form_id) for actor, form_id in session().execute(query)]


def _filling(actor: Actor) -> Role:
    return APP_USER if actor.kind == "device" else _OF_PROJECTS["collector"]


def _user(number: int) -> Actor:
    actor = session().get(Actor, number)
    if actor is None or actor.kind != "user" or actor.disabled_at:
        raise NotFound
    return actor


def filler(pid: int, role: str, number: int) -> Actor:
    """A device of the project in the role app-user, or a person in the role formfill. Raises NotFound, Unexpected."""
    actor = session().get(Actor, number)
    if actor is None or actor.disabled_at or (actor.kind != "user" and actor.project_id != pid):
        raise NotFound
    if _role(role) != _filling(actor):
        raise Unexpected("A form is given to devices as app-user, and to people as formfill.")
    if actor.kind == "user" and not current.has_right("project.manage"):
        raise Forbidden("Who administers the project gives forms to people; to devices, coordinators do too.")
    return actor
