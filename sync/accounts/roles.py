"""Which role may do what in a project: the one table of rights."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.errors import Unexpected
from sync.models import Actor, Assignment

ROLES = ("administrator", "coordinator", "viewer", "collector")

_EVERY = frozenset(ROLES)
_STAFF = frozenset({"administrator", "coordinator"})
RIGHTS: dict[str, frozenset[str]] = {
    "project.read": _EVERY,  # its settings; the forms, lists and files that devices work with
    "data.send": frozenset({"administrator", "coordinator", "collector"}),  # batches, files, changes
    "figures.read": frozenset({"administrator", "coordinator", "viewer"}),  # figures, evidence, statements, journal
    "submissions.read": _STAFF,  # answers, attachments, who is who
    "submissions.review": _STAFF,
    "quarantine.decide": _STAFF,
    "statements.issue": _STAFF,
    "project.manage": frozenset({"administrator"}),  # settings, places, forms, statement texts
}


def role_in(session: Session, actor: Actor, project_id: int) -> str | None:
    """The actor's role in a project, None without one. Who administers the installation administers every project."""
    if actor.admin:
        return "administrator"
    if actor.kind == "device" and actor.project_id != project_id:
        return None
    return session.scalar(
        select(Assignment.role).where(Assignment.project_id == project_id, Assignment.actor_id == actor.id)
    )


def projects_of(session: Session, actor: Actor) -> list[int] | None:
    """The projects in which the actor has a role; None for all."""
    if actor.admin:
        return None
    return list(session.scalars(select(Assignment.project_id).where(Assignment.actor_id == actor.id)))


def may(role: str, right: str) -> bool:
    """Whether the role has the right."""
    return role in RIGHTS[right]


def assign(session: Session, actor_id: int, project_id: int, role: str) -> None:
    """Give the actor this one role in the project, in place of any other."""
    if role not in ROLES:
        raise Unexpected(f"‘{role}’ is not a role. There are {', '.join(ROLES)}.")
    row = session.get(Assignment, (project_id, actor_id))
    if row is None:
        session.add(Assignment(project_id=project_id, actor_id=actor_id, role=role))
    else:
        row.role = role
    session.flush()
