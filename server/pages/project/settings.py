"""The settings of a project: what it is called, what its figures count, how long it keeps what was thrown away."""

from __future__ import annotations

from typing import Any

from babel.dates import get_month_names
from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from marshmallow import fields, validate
from sqlalchemy import select

from server import current
from server.api.projects import change_settings, checked
from server.api.schemas import ProjectSettings
from server.db import session
from server.door.guards import needs
from server.kept.beside import how_far
from server.kept.remembered import Recalled, Shared
from server.language.words import words
from server.pages.asked import FreshQuery
from server.pages.frame import let_it_come_back, project_of
from server.pages.shifts import said_shifts
from server.queries.bin import Erased, erased_under
from server.queries.counting import COUNTED
from server.queries.submissions import how_many
from server.queries.totals import totals_of
from server.wire.bodies import load, read_query
from sync.errors import Refusal, Stale
from sync.models import Event, Project
from sync.projects.publish import SETTINGS, how_many_count
from sync.review.rehearsal import shifts_by_rule

bp = Blueprint("settings_pages", __name__, url_prefix="/projects/<int:pid>/settings")

# What changes figures, so that it is asked about first.
_ASKED = ("counts", "fiscal_year_start", "time_zone", "archived")
_KEPT = ("keep_deleted", "keep_deliveries")
# With more submissions, or with more that would begin to count, what another rule does to the figures has a page of its
# own, which says how far it is.
_SOON, _BEGIN_SOON = 20_000, 1000


class RuleQuery(FreshQuery):
    """By which rule figures would count."""

    counts = fields.String(required=True, validate=validate.OneOf(["received", "approved"]))


@bp.get("")
@needs("project.manage")
def settings(pid: int) -> ResponseReturnValue:
    """What a project can choose."""
    return _page(pid, done=request.args.get("done"), event=request.args.get("event", type=int))


@bp.post("")
@needs("project.manage")
def post_settings(pid: int) -> ResponseReturnValue:
    """Change them; what changes figures is said first."""
    let_it_come_back()
    form = request.form
    given: dict[str, Any] = {name: form.get(name, "") for name in ("name", "time_zone", "counts")}
    given["description"] = form.get("description", "").replace("\r\n", "\n").strip() or None
    given["languages"] = form.get("languages", "").replace(",", " ").split()
    given["fiscal_year_start"] = _number(form.get("fiscal_year_start", ""))
    given["archived"] = "archived" in form
    try:
        wanted = checked(load(ProjectSettings(), given))
        if (asked := _what_follows(project_of(pid), wanted)) and form.get("sure") != _signed(wanted):
            return _page(pid, asked=asked, sure=_signed(wanted), rule=wanted["counts"])
        before = _last_settings(pid)
        change_settings(pid, wanted)
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal)
    event = _last_settings(pid)
    changed = event if event != before else None
    return redirect(url_for("settings_pages.settings", pid=pid, done="changed", event=changed), 303)


@bp.post("/undo")
@needs("project.manage")
def post_undo(pid: int) -> ResponseReturnValue:
    """Take the last change of the settings back; not one that was followed by another."""
    event, last = _number(request.form.get("event", "")), _last_settings(pid)
    before = _settings_before(pid, event)
    try:
        if event != last or before is None:
            raise Stale("Somebody has changed the settings since.")
        change_settings(pid, {name: before[name] for name in SETTINGS if name in before})
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal, typed=False)
    return redirect(url_for("settings_pages.settings", pid=pid, done="undone"), 303)


@bp.get("/counts")
@needs("project.manage")
def what_counts(pid: int) -> ResponseReturnValue:
    """What the figures would be if others counted; nothing is changed."""
    query = read_query(RuleQuery())
    told = _figures_by(pid, query["counts"], fresh=query["fresh"])
    return render_template(
        "settings_counts.html", project=project_of(pid), manages=True, counts=query["counts"], told=told
    )


@bp.get("/retention")
@needs("project.manage")
def retention(pid: int) -> ResponseReturnValue:
    """How long what was thrown away is kept."""
    return _retention(pid, done=request.args.get("done"))


@bp.post("/retention")
@needs("project.manage")
def post_retention(pid: int) -> ResponseReturnValue:
    """Change that; what will be erased by it is said in numbers first."""
    let_it_come_back()
    try:
        wanted = load(ProjectSettings(), {name: _number(request.form.get(name, "")) for name in _KEPT})
        erased = erased_under(session(), pid, wanted["keep_deleted"], wanted["keep_deliveries"], current.now())
        if erased and request.form.get("sure") != _signed(wanted):
            return _retention(pid, erased=erased, sure=_signed(wanted))
        change_settings(pid, wanted)
    except Refusal as refusal:
        session().rollback()
        return _retention(pid, refusal)
    return redirect(url_for("settings_pages.retention", pid=pid, done="changed"), 303)


def _what_follows(project: Project, wanted: dict[str, Any]) -> list[str]:
    """What the new settings do to figures and people, a sentence for each that does anything."""
    now = {name: getattr(project, name) for name in _ASKED if name != "archived"}
    now["archived"] = project.archived_at is not None
    changes = {name: wanted[name] for name in _ASKED if wanted[name] != now[name]}
    return [str(_said(project, name, value)) for name, value in changes.items()]


def _figures_by(pid: int, rule: str, *, fresh: bool) -> Recalled[list[dict[str, str]]]:
    """The figures that would be others by this rule of what counts, before and after."""

    def shifted() -> list[dict[str, str]]:
        known = totals_of(session(), pid)
        return said_shifts(shifts_by_rule(session(), pid, rule, current.now(), known, how_far()))

    return _by_rule.recall(session(), pid, (project_of(pid).counts, rule, words().locale), shifted, fresh=fresh)


def _is_soon(pid: int, rule: str) -> bool:
    before, after = (how_many_count(session(), pid, one) for one in (project_of(pid).counts, rule))
    return sum(how_many(session(), pid).values()) <= _SOON and after - before <= _BEGIN_SOON


_by_rule: Shared[list[dict[str, str]]] = Shared("rule", awaited=True)


def _said(project: Project, name: str, value: Any) -> Any:
    if name == "counts":
        before, after = (how_many_count(session(), project.id, rule) for rule in (project.counts, value))
        numbers = {"before": words().number(before), "after": words().number(after)}
        return ngettext(
            "Figures count %(after)s submission instead of %(before)s. All are worked out anew, which takes a while "
            "where there is much; what was asked as of an earlier day stays as it was.",
            "Figures count %(after)s submissions instead of %(before)s. All are worked out anew, which takes a while "
            "where there is much; what was asked as of an earlier day stays as it was.",
            after,
            **numbers,
        )
    if name == "fiscal_year_start":
        return gettext(
            "Fiscal years begin in %(month)s, the past ones too: figures and targets by fiscal year or quarter gather "
            "other visits. Statements that were issued stay as they are.",
            month=get_month_names("wide", locale=words().language)[value],
        )
    if name == "time_zone":
        return gettext(
            "Days begin and end by the clock of %(zone)s. Visits around midnight may come to count for another day; "
            "all figures are worked out anew.",
            zone=value,
        )
    if value:
        return gettext("The project leaves the list of projects. Its data stays, and devices go on sending.")
    return gettext("The project is back in the list of projects.")


def _signed(wanted: dict[str, Any]) -> str:
    """What was agreed to: if anything of it is changed afterwards, it is asked about again."""
    return ";".join(f"{name}={wanted[name]}" for name in (*_ASKED, *_KEPT) if name in wanted)


def _page(
    pid: int,
    refusal: Refusal | None = None,
    done: str | None = None,
    *,
    event: int | None = None,
    asked: list[str] | None = None,
    sure: str = "",
    rule: str = "",
    typed: bool = True,
) -> ResponseReturnValue:
    ruled = bool(asked) and rule != project_of(pid).counts
    page = render_template(
        "settings.html",
        rule=rule if ruled else None,
        shifts=_figures_by(pid, rule, fresh=True).worked if ruled and _is_soon(pid, rule) else None,
        project=project_of(pid),
        manages=True,
        months=get_month_names("wide", locale=words().language),
        typed=request.form if typed and (refusal or asked) else None,
        problem=refusal.detail if refusal else None,
        findings=refusal.findings if refusal else [],
        asked=asked or [],
        sure=sure,
        done=done,
        event=event if event is not None and event == _last_settings(pid) and _settings_before(pid, event) else None,
    )
    return make_response(page, refusal.status if refusal else 200)


def _retention(
    pid: int, refusal: Refusal | None = None, *, erased: Erased | None = None, sure: str = "", done: str | None = None
) -> ResponseReturnValue:
    page = render_template(
        "retention.html",
        project=project_of(pid),
        manages=True,
        typed=request.form if refusal or erased else None,
        problem=refusal.detail if refusal else None,
        findings=refusal.findings if refusal else [],
        erased=erased,
        counted=COUNTED,
        sure=sure,
        done=done,
    )
    return make_response(page, refusal.status if refusal else 200)


def _number(given: str) -> int:
    """0 for what is no number of a moderate length: nothing here may be 0."""
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0


def _last_settings(pid: int) -> int | None:
    query = select(Event.number).where(Event.project_id == pid, Event.kind == "settings")
    return session().scalar(query.order_by(Event.number.desc()).limit(1))


def _settings_before(pid: int, event: int) -> dict[str, Any] | None:
    query = select(Event.details).where(Event.project_id == pid, Event.kind == "settings", Event.number < event)
    return session().scalar(query.order_by(Event.number.desc()).limit(1))
