"""The team of a project: who has which role, who is invited, and what was done by whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup
from marshmallow import fields, pre_load, validate

from forms.xpath.numbers import LARGEST
from server import current
from server.api.assignments import give_role, take_role
from server.api.schemas import Strict, text
from server.db import session
from server.door.guards import needs, public
from server.pages.frame import ask_first, project_of
from server.pages.project.acts import ACTS, LOOKS, ROLES, address_of, called_in, one_line_each, sentence
from server.pages.signing import let_in, refused_on, require_same_site
from server.queries.team import acts_of, administrators, members, names_of
from server.wire.bodies import read_query
from server.wire.qr import code_svg
from sync.accounts.audit import record_act
from sync.accounts.invitations import (
    State,
    accept,
    find_invitation,
    invite,
    open_invitations,
    revoke_invitation,
    state_of,
)
from sync.accounts.people import find_user
from sync.accounts.tokens import issue_token
from sync.errors import NotFound, Refusal, Unexpected
from sync.models import Actor, Assignment, Project
from sync.models.database import begin_writing

bp = Blueprint("team_pages", __name__)

_TEAM = "team_pages.team"


class TrailQuery(Strict):
    """Whose acts, which ones, and up to the end of which day."""

    person = fields.Integer(load_default=None, validate=validate.Range(min=0, max=LARGEST))
    act = text(load_default="")
    looks = text(load_default="")
    day = text(load_default="")
    below = fields.Integer(load_default=None, validate=validate.Range(min=0, max=LARGEST))
    lang = text(load_default=None)

    @pre_load
    def leave_out_what_is_empty(self, given: dict[str, Any], **_more: Any) -> dict[str, Any]:
        """A form sends its fields also where nothing was chosen."""
        return {name: value for name, value in given.items() if value != ""}


@bp.get("/projects/<int:pid>/team")
@needs("project.manage")
def team(pid: int) -> ResponseReturnValue:
    """The people and the open invitations."""
    return _page(pid, done=request.args.get("done"))


@bp.post("/projects/<int:pid>/team/invitations")
@needs("project.manage")
def post_invitation(pid: int) -> ResponseReturnValue:
    """Who has an account gets the role at once; for others there is a link, shown this once."""
    email, role = request.form.get("email", "")[:1000], request.form.get("role", "")
    try:
        if role not in ROLES:
            raise Unexpected("Choose a role.")
        if not email.isprintable():
            raise Unexpected("This is not an e-mail address.")
        known = find_user(session(), email)
        if known is not None and known.disabled_at is None:
            if session().get(Assignment, (pid, known.id)) is not None:
                raise Unexpected("This person is in the team already; change the role in the table.")
            give_role(pid, known.id, role)
            return redirect(url_for(_TEAM, pid=pid, done="added"), 303)
        begin_writing(session())
        made = invite(session(), pid, email, role, current.visitor().actor_id, current.now())
        record_act(session(), pid, current.origin(), "invitation.made", current.now(), None, {"role": role})
        session().commit()
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal, typed={"email": email, "role": role})
    base = current.public_address()
    address = f"{base}/invitation/{made.token}"
    code = Markup(code_svg(address))  # noqa: S704 — it holds squares only
    return render_template(
        "team_invited.html", project=project_of(pid), address=address, code=code, invitation=made.invitation
    )


@bp.get("/projects/<int:pid>/team/invitations/<key>/revoke")
@needs("project.manage")
def ask_revoked(pid: int, key: str) -> ResponseReturnValue:
    """What will happen."""
    sha256 = _key_of(key)
    found = next((one for one in open_invitations(session(), pid, current.now()) if one.sha256 == sha256), None)
    if found is None:
        raise NotFound
    return ask_first(
        gettext("Withdraw the invitation?"),
        gettext(
            "The link that %(email)s was given opens nothing any more; for another one, invite again.",
            email=found.email,
        ),
        url_for("team_pages.post_revoked", pid=pid, key=key),
        gettext("Withdraw"),
        url_for(_TEAM, pid=pid),
        section="team",
        pid=pid,
    )


@bp.post("/projects/<int:pid>/team/invitations/<key>/revoke")
@needs("project.manage")
def post_revoked(pid: int, key: str) -> ResponseReturnValue:
    """The link opens nothing any more."""
    begin_writing(session())
    revoke_invitation(session(), pid, _key_of(key), current.now())
    record_act(session(), pid, current.origin(), "invitation.revoked", current.now())
    session().commit()
    return redirect(url_for(_TEAM, pid=pid, done="revoked"), 303)


@bp.get("/projects/<int:pid>/team/<int:number>/role")
@needs("project.manage")
def ask_administrator(pid: int, number: int) -> ResponseReturnValue:
    """What it means to be one."""
    _role_of(pid, number)
    name = names_of(session(), [number])[number]
    return ask_first(
        gettext("Make %(name)s an administrator?", name=name),
        gettext("%(name)s will be able to do everything in this project, also to take your role away.", name=name),
        url_for("team_pages.post_role", pid=pid, number=number),
        gettext("Make an administrator"),
        url_for(_TEAM, pid=pid),
        section="team",
        pid=pid,
        role="administrator",
        sure="yes",
    )


@bp.post("/projects/<int:pid>/team/<int:number>/role")
@needs("project.manage")
def post_role(pid: int, number: int) -> ResponseReturnValue:
    """Another role; who is to be an administrator is asked about first."""
    role = request.form.get("role", "")
    before = _role_of(pid, number)  # to whom nobody gave one, there is no such person here
    if role == "administrator" != before and request.form.get("sure") != "yes":
        return redirect(url_for("team_pages.ask_administrator", pid=pid, number=number), 303)

    def give() -> None:
        if role not in ROLES:
            raise Unexpected("Choose a role.")
        give_role(pid, number, role)

    return _tried(pid, give, "role")


@bp.get("/projects/<int:pid>/team/<int:number>/remove")
@needs("project.manage")
def ask_remove(pid: int, number: int) -> ResponseReturnValue:
    """What will happen."""
    role = _role_of(pid, number)
    name = names_of(session(), [number])[number]
    return render_template("team_remove.html", project=project_of(pid), number=number, name=name, role=ROLES[role])


@bp.post("/projects/<int:pid>/team/<int:number>/remove")
@needs("project.manage")
def post_remove(pid: int, number: int) -> ResponseReturnValue:
    """Take the role away."""
    role = _role_of(pid, number)
    return _tried(pid, lambda: take_role(pid, number, role), "removed")


@bp.get("/projects/<int:pid>/team/trail")
@needs("project.manage")
def trail(pid: int) -> ResponseReturnValue:
    """What was done in the project, the newest first."""
    asked, project = read_query(TrailQuery()), project_of(pid)
    found = acts_of(
        session(),
        pid,
        actor_id=asked["person"],
        action=asked["act"] if asked["act"] in ACTS else None,
        without=() if asked["looks"] or asked["act"] in LOOKS else LOOKS,
        until=_end_of(asked["day"], project),
        below=asked["below"],
    )
    known = called_in(project, found.rows)
    return render_template(
        "team_trail.html",
        project=project,
        asked=asked,
        acts=[(line[0], sentence(line, known), address_of(line[0])) for line in one_line_each(found.rows)],
        names=known.actors,
        below=found.below,
        count=found.count,
        or_more=found.or_more,
        people=_all_of(pid),
        known=ACTS,
    )


@bp.get("/invitation/<token>")
@public
def invitation(token: str) -> ResponseReturnValue:
    """Where who was invited chooses a name and a password."""
    return _invitation(token)


@bp.post("/invitation/<token>")
@public
def post_accepted(token: str) -> ResponseReturnValue:
    """Make the account, and sign in."""
    require_same_site()
    name, password = request.form.get("name", "")[:200], request.form.get("password", "")
    begin_writing(session())
    try:
        if not name.isprintable():
            raise Unexpected("The name has to be a text on one line.")
        actor, found = accept(session(), token, name, password, current.now())
    except Refusal as refusal:
        session().rollback()
        return _invitation(token, refusal, name)
    record_act(
        session(),
        found.project_id,
        replace(current.origin(), actor_id=actor.id),
        "invitation.accepted",
        current.now(),
        str(actor.id),
        {"role": found.role},
    )
    issued = issue_token(session(), actor.id, "session", current.now(), address=current.origin().address)
    session().commit()
    return let_in(issued, url_for("overview.project", pid=found.project_id))


def _invitation(token: str, refusal: Refusal | None = None, name: str = "") -> ResponseReturnValue:
    found = find_invitation(session(), token)
    if found is None:
        raise NotFound
    state = state_of(found, current.now())
    project = session().get_one(Project, found.project_id)
    shown = {"invitation": found, "state": state, "project": project, "role": ROLES[found.role], "name": name}
    if refusal is not None and state is State.OPEN:
        return refused_on("invitation.html", refusal, **shown)
    return make_response(render_template("invitation.html", **shown), 200 if state is State.OPEN else 410)


def _page(
    pid: int, refusal: Refusal | None = None, typed: dict[str, str] | None = None, done: str | None = None
) -> ResponseReturnValue:
    page = render_template(
        "team.html",
        project=project_of(pid),
        people=members(session(), pid),
        administrators=administrators(session()),
        invitations=open_invitations(session(), pid, current.now()),
        roles=ROLES,
        typed=typed or {},
        problem=refusal.detail if refusal else None,
        done=done,
    )
    return make_response(page, refusal.status if refusal else 200)


def _all_of(pid: int) -> list[Actor]:
    """Whoever may have done something: those with a role, and those who may do everything everywhere."""
    found = {one.id: one for one in (*(one for one, _role in members(session(), pid)), *administrators(session()))}
    return sorted(found.values(), key=lambda one: (one.name, one.id))


def _tried(pid: int, act: Callable[[], object], done: str) -> ResponseReturnValue:
    """The team after the act; where it was refused, the same page with the reason."""
    try:
        act()
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal)
    return redirect(url_for(_TEAM, pid=pid, done=done), 303)


def _key_of(key: str) -> bytes:
    try:
        return bytes.fromhex(key)
    except ValueError:
        raise NotFound from None


def _role_of(pid: int, number: int) -> str:
    row = session().get(Assignment, (pid, number))
    if row is None:
        raise NotFound
    return row.role


def _end_of(day: str, project: Project) -> dt.datetime | None:
    try:
        end = dt.date.fromisoformat(day) + dt.timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return dt.datetime.combine(end, dt.time(), ZoneInfo(project.time_zone)).astimezone(dt.UTC)
