"""Rights: every route declares what it asks for, and one that declares nothing opens for nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from flask import Flask, Response, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import bindparam, exists, select
from werkzeug.exceptions import HTTPException

from server import current
from server.db import release, session
from server.door.carrying import TooLong, carried_here, for_programs, note_mark, page_to_send
from server.door.front import GARBLED, SLASH
from server.door.signing_in import OfAnEarlierSession, identify, require_no_other_site, require_own_page
from sync.accounts.roles import RIGHTS, TESTER, fillable_forms, may, projects_of, role_in
from sync.accounts.tokens import Inside, Owner
from sync.errors import Forbidden, NotFound, Refusal, Unauthenticated, Unexpected
from sync.models import Actor, Form, Project
from sync.models.probing import look_up

View = TypeVar("View", bound=Callable[..., Any])

_PUBLIC, _SIGNED_IN, _ADMIN = "public", "signed in", "admin"
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks of its visitor: a right in the project of its address, or one of the general ones."""

    right: str
    takes_data: bool = True  # a changing request needs room on the disk; signing in and out does not


def public(view: View) -> View:
    """Open to everybody."""
    return _declare(view, Need(_PUBLIC, takes_data=False))


def signed_in(view: View) -> View:
    """Open to whoever is signed in, whatever the role; the route itself shows only what is theirs."""
    return _declare(view, Need(_SIGNED_IN))


def site_admin(view: View) -> View:
    """For those who administer the installation."""
    return _declare(view, Need(_ADMIN))


def needs(right: str) -> Callable[[View], View]:
    """For roles that have the right in the project `pid` of the address; to all others there is no such project."""
    if right not in RIGHTS:
        raise ValueError(f"{right} is not a right")
    return lambda view: _declare(view, Need(right))


def need_of(view: Callable[..., Any]) -> Need | None:
    """What a view has declared."""
    found: Need | None = getattr(view, "__need__", None)
    return found


def guard(app: Flask) -> None:
    """Have every request looked at before its route runs."""
    app.view_functions["static"] = public(app.view_functions["static"])
    app.before_request(_admit)


def _declare(view: View, need: Need) -> View:
    view.__need__ = need  # type: ignore[attr-defined]
    return view


def _admit() -> ResponseReturnValue | None:
    if request.endpoint is None:
        return None  # no such address: Flask says so
    if "\0" in request.path:
        raise NotFound  # nothing has such a name, and PostgreSQL cannot be asked for one
    if request.environ.get(GARBLED):
        raise Unexpected("What stands after the ? of this address is not UTF-8.")
    need = need_of(_view(request.endpoint))
    if need is None:
        raise Forbidden
    if need.right == _PUBLIC:
        visitor = g.visitor = _whoever()
    else:
        visitor = g.visitor = identify()
        if visitor is None:
            return _ask_to_sign_in()
        _authorise(need, visitor)
    release()
    if request.method in _CHANGING:
        # What is public is not done in the visitor's name, such as signing in once more in another tab.
        if need.right != _PUBLIC and visitor is not None and (instead := _beware_of_other_sites(visitor)) is not None:
            return instead
        if need.takes_data and request.method != "DELETE":
            current.store().require_room(min(request.content_length or 0, current.settings().max_file))
    return None


def _beware_of_other_sites(visitor: current.Visitor) -> ResponseReturnValue | None:
    """Refuses what another site sends; for a form filled in before signing in anew, gives a page that asks first."""
    if visitor.by == "cookie":
        try:
            require_own_page()
        except OfAnEarlierSession:
            if (page := _to_send_after_all(visitor)) is None:
                raise
            return page, 409
        note_mark()
    elif visitor.by == "basic":
        require_no_other_site()
    return None


def _view(endpoint: str) -> Callable[..., Any]:
    return current_app.view_functions[endpoint]


def _whoever() -> current.Visitor | None:
    """On a public route a credential that is not good is no credential."""
    try:
        return identify()
    except Refusal:
        return None


def _ask_to_sign_in() -> ResponseReturnValue:
    if for_programs():
        raise Unauthenticated
    if "HX-Request" in request.headers:
        # A part of a page: it is the whole page that has to be asked for again.
        onwards = url_for("signing.sign_in", next=_page_before(), ended="yes")
        return Response(status=204, headers={"HX-Redirect": onwards})
    if request.method in ("GET", "HEAD"):
        return redirect(url_for("signing.sign_in", next=_page_asked_for()), 303)
    if request.endpoint == "signing.sign_out":
        return redirect(url_for("signing.sign_in"), 303)
    before = _page_before()
    ended = "yes"
    try:
        if (carried := carried_here()) is not None:
            return render_template("sign_in.html", next=before, ended=ended, carried=carried.written())
    except TooLong:
        ended = "long"
    return redirect(url_for("signing.sign_in", next=before, ended=ended), 303)


def _page_asked_for() -> str:
    """The address of this request, names in it encoded as they were sent."""
    path = quote(request.path).replace(quote(SLASH), "%2F")
    return f"{path}?{request.query_string.decode()}".rstrip("?")


def _to_send_after_all(visitor: current.Visitor) -> str | None:
    """For whoever sends what they had filled in before they signed in anew."""
    try:
        carried = carried_here()
    except TooLong:
        return None
    if carried is None or visitor.token is None:
        return None
    return page_to_send(carried, visitor.token, visitor.csrf or "", _page_before())


def _page_before() -> str | None:
    """From where a form was sent, if that is a page of ours that can be asked for again."""
    try:
        before = urlsplit(request.referrer or "")
        if before.netloc != request.host or not before.path.startswith(("/projects/", "/account")):
            return None
        current_app.url_map.bind(request.host).match(before.path, method="GET")
    except (ValueError, HTTPException):
        return None
    return urlunsplit(("", "", *before[2:4], ""))


def _authorise(need: Need, visitor: current.Visitor) -> None:
    current.parts().rates.count(visitor.token or visitor.actor_id)
    if need.right == _SIGNED_IN and visitor.kind != "draft":
        return
    if need.right in (_SIGNED_IN, _ADMIN):
        if not visitor.admin:
            raise Forbidden
        return
    if visitor.kind == "draft":
        _authorise_tester(need)
    else:
        _authorise_in_project(need)


def _authorise_tester(need: Need) -> None:
    if not may(TESTER, need.right):
        raise Forbidden
    asked = request.view_args or {}
    if not _is_there(asked["pid"], asked["fid"]):
        raise NotFound
    g.role = TESTER


def _authorise_in_project(need: Need) -> None:
    actor: Actor | Owner = g.actor
    project_id = _project_asked(actor)
    inside: Inside | None = g.get("inside")
    if inside is not None and inside.project_id != project_id:
        inside = None
    role = role_in(session(), actor, project_id, inside)
    form_id = (request.view_args or {}).get("fid")
    if role is None or not ((inside and form_id is None) or _is_there(project_id, form_id)):
        raise NotFound
    g.role = role
    if not may(role, need.right):
        raise Forbidden
    if need.right in ("forms.fill", "data.send"):
        g.fillable = fillable_forms(session(), actor, project_id)


def _is_there(project_id: int, form_id: str | None) -> bool:
    """Whether neither the project nor the form, if the address names one, was deleted."""
    if form_id is None:
        return bool(look_up(session(), _THERE, {"project": project_id}))
    return bool(look_up(session(), _FORM_THERE, {"project": project_id, "form": form_id}))


_THERE = select(Project.id).where(Project.id == bindparam("project"), Project.deleted_at.is_(None))
_FORM_THERE = _THERE.where(
    ~exists().where(
        Form.project_id == bindparam("project"), Form.form_id == bindparam("form"), Form.deleted_at.is_not(None)
    )
)


def _project_asked(actor: Actor | Owner) -> int:
    """The project of the address. At an address of none it is the visitor's only one, and the route is given it."""
    if request.view_args is None:
        request.view_args = {}
    if "pid" not in request.view_args:
        known = projects_of(session(), actor)
        if known is None:
            known = list(session().scalars(select(Project.id).where(Project.deleted_at.is_(None)).limit(2)))
        if len(known) != 1:
            raise Unexpected("This address leads to your project if you have exactly one; use /v1/projects/NUMBER.")
        request.view_args["pid"] = known[0]
    project_id: int = request.view_args["pid"]
    return project_id
