"""Which role may do what in a project: the one table of rights."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.orm import Session

from sync.accounts.tokens import Inside, Owner
from sync.errors import Unexpected
from sync.models import Actor, Assignment, FormAssignment
from sync.models.probing import look_up

ROLES = ("administrator", "coordinator", "viewer", "collector")
# Of a public link: nobody is given it, and it opens the one form of the link.
RESPONDENT = "respondent"
# Of whoever has the token of a draft: nobody is given it, and it opens that draft.
TESTER = "tester"

_EVERY = frozenset(ROLES)
_STAFF = frozenset({"administrator", "coordinator"})
_SENDERS = frozenset({"administrator", "coordinator", "collector"})
RIGHTS: dict[str, frozenset[str]] = {
    "project.read": _EVERY,  # its settings; the forms, lists and files that devices work with
    "forms.read": _EVERY | {RESPONDENT},  # forms as devices get them, with their files
    "drafts.try": frozenset({"administrator", TESTER}),  # a draft as devices get it, and trial answers
    "forms.fill": _SENDERS | {RESPONDENT},  # the OpenRosa door: forms that one may fill, and what one fills in
    "data.send": _SENDERS,  # batches, files, changes
    "figures.read": frozenset({"administrator", "coordinator", "viewer"}),  # figures, evidence, statements, journal
    "data.export": frozenset({"administrator", "coordinator", "viewer"}),  # rows; identifying columns by the next one
    "submissions.read": _STAFF,  # answers, attachments, who is who
    "submissions.review": _STAFF,
    "submissions.delete": frozenset({"administrator"}),
    "quarantine.decide": _STAFF,
    "people.decide": _STAFF,  # who may be the same person: records side by side, decisions, lists to load
    "statements.issue": _STAFF,
    "devices.manage": _STAFF,  # devices, which rows reach them
    "project.manage": frozenset({"administrator"}),  # settings, places, forms, statement texts, who has which role
}


def role_in(session: Session, actor: Actor | Owner, project_id: int, inside: Inside | None = None) -> str | None:
    """The actor's role in a project, None without one. Who administers the installation administers every project.

    Who may fill in some forms only is a collector; `fillable_forms` says which. `inside` is what is known of the actor
    in the project, if it was looked up before.
    """
    if actor.admin:
        return "administrator"
    if actor.kind != "user" and actor.project_id != project_id:
        return None
    if actor.kind == "public_link":
        return RESPONDENT
    if inside is not None:
        role = inside.role
    else:
        role = next((row.role for row in look_up(session, _ROLE, {"project": project_id, "actor": actor.id})), None)
    if role is None and actor.kind == "user" and _has_forms(session, actor, project_id):
        return "collector"
    return role


_ROLE = select(Assignment.role).where(
    Assignment.project_id == bindparam("project"), Assignment.actor_id == bindparam("actor")
)


def fillable_forms(session: Session, actor: Actor | Owner, project_id: int) -> frozenset[str] | None:
    """The forms to which the actor is bound: those of a public link, of a device with chosen forms, of a person who has
    no role in the whole project. None for all.
    """
    if actor.kind == "public_link":
        return frozenset([actor.form_id] if actor.form_id else [])
    if actor.admin or not (actor.assigned_only or actor.kind == "user"):
        return None
    if actor.kind == "user" and session.get(Assignment, (project_id, actor.id)) is not None:
        return None
    query = select(FormAssignment.form_id).where(
        FormAssignment.project_id == project_id, FormAssignment.actor_id == actor.id
    )
    return frozenset(session.scalars(query))


def projects_of(session: Session, actor: Actor | Owner) -> list[int] | None:
    """The projects in which the actor has a role; None for all."""
    if actor.admin:
        return None
    if actor.kind != "user":
        return [actor.project_id] if actor.project_id is not None else []
    whole = select(Assignment.project_id).where(Assignment.actor_id == actor.id)
    some = select(FormAssignment.project_id).where(FormAssignment.actor_id == actor.id)
    return sorted(set(session.scalars(whole.union(some))))


def administers_any(session: Session, actor_id: int) -> bool:
    """Whether the actor administers at least one project."""
    mine = (Assignment.actor_id == actor_id) & (Assignment.role == "administrator")
    return bool(session.scalar(select(exists().where(mine))))


def is_last_administrator(session: Session, project_id: int, actor_id: int) -> bool:
    """Whether the actor administers the project and no other account that can sign in does."""
    query = (
        select(Assignment.actor_id)
        .join(Actor, Actor.id == Assignment.actor_id)
        .where(Assignment.project_id == project_id, Assignment.role == "administrator", Actor.disabled_at.is_(None))
        .limit(2)
    )
    return list(session.scalars(query)) == [actor_id]


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


def withdraw(session: Session, actor_id: int, project_id: int, role: str) -> bool:
    """Take a role away; False if the actor had it not."""
    row = session.get(Assignment, (project_id, actor_id))
    if row is None or row.role != role:
        return False
    session.delete(row)
    session.flush()
    return True


def assign_form(session: Session, actor_id: int, project_id: int, form_id: str) -> None:
    """Let the actor fill in this form; saying it twice is saying it once."""
    if session.get(FormAssignment, (project_id, form_id, actor_id)) is None:
        session.add(FormAssignment(project_id=project_id, form_id=form_id, actor_id=actor_id))
        session.flush()


def share_forms(session: Session, project_id: int, wanted: Mapping[str, Collection[int]], now: dt.datetime) -> bool:
    """Let exactly these actors, and no others, fill in each form named by being bound to it; False if it was so."""
    found = session.execute(
        select(FormAssignment.form_id, FormAssignment.actor_id).where(
            FormAssignment.project_id == project_id, FormAssignment.form_id.in_(list(wanted))
        )
    )
    known = {(form_id, actor_id) for form_id, actor_id in found}
    meant = {(form_id, actor_id) for form_id, actors in wanted.items() for actor_id in actors}
    for form_id, actor_id in known - meant:
        withdraw_form(session, actor_id, project_id, [form_id])
    for form_id, actor_id in meant - known:
        assign_form(session, actor_id, project_id, form_id)
    for _, actor_id in known ^ meant:
        session.get_one(Actor, actor_id).updated_at = now
    return known != meant


def withdraw_form(session: Session, actor_id: int, project_id: int, form_ids: Iterable[str]) -> None:
    """Take forms away from an actor."""
    session.execute(
        delete(FormAssignment).where(
            FormAssignment.project_id == project_id,
            FormAssignment.actor_id == actor_id,
            FormAssignment.form_id.in_(list(form_ids)),
        )
    )


def _has_forms(session: Session, actor: Actor | Owner, project_id: int) -> bool:
    named = (FormAssignment.project_id == project_id) & (FormAssignment.actor_id == actor.id)
    return bool(session.scalar(select(exists().where(named))))
