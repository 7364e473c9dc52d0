"""Submissions: the list with its filters and saved views, and each one as its collector saw it, to be decided about."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from server import current
from server.acts import reviewing
from server.acts.changing import begin, finish
from server.api.submission_shapes import files_of
from server.api.submissions import note_view
from server.db import session
from server.door.guards import needs
from server.pages.asked import without_empty_fields
from server.pages.frame import project_of
from server.pages.photos import is_picture, small_picture
from server.pages.said import DECISIONS, FLAGS, STATES, TEMPLATES
from server.pages.submissions.filters import FilterQuery, choices, filters_asked, sought_in
from server.pages.submissions.searching import PAGE, search_on
from server.pages.submissions.standing_words import lists_naming, marked, standing_in
from server.pages.submissions.submission_seen import shown_of
from server.queries.submissions import (
    how_many,
    labels_of_subjects,
    name_of_submission,
    names_of_actors,
    titles_of_forms,
)
from server.wire.answers import FRESH
from server.wire.bodies import load
from sync.entities.reach import tree_of
from sync.errors import NotFound, Refusal
from sync.review.paging import Page
from sync.review.queue import Sought, count_sought, review_queue
from sync.review.saved_views import forget_view, save_view, views_of
from sync.review.view import submission_seen

bp = Blueprint("submission_pages", __name__, url_prefix="/projects/<int:pid>/submissions")

# Beyond it a count costs more than it tells, unless it is asked for.
_MOST_COUNTED = 1000


@bp.get("")
@needs("submissions.read")
def submissions(pid: int) -> ResponseReturnValue:
    """What came in, the newest first, as far as it is sought."""
    return without_empty_fields() or _list(pid)


def _list(pid: int, problem: str | None = None, status: int = 200) -> ResponseReturnValue:
    given = load(FilterQuery(), dict(request.args))
    sought = sought_in(pid, given)
    filters = filters_asked()
    search = search_on(pid, sought) if sought.words else None
    alone = search is not None and request.headers.get("HX-Request") == "true"
    if search is not None:
        page = Page(search.last.items if alone else search.items, None)
    else:
        page = review_queue(session(), pid, sought, request.args.get("cursor"), PAGE)
    tree = tree_of(session(), pid)
    # What a search finds next is added to what it has found before.
    around = (
        {"titles": titles_of_forms(session(), pid), "flags": FLAGS, "states": STATES} if alone else _around(pid, sought)
    )
    text = render_template(
        "submissions_list.html" if alone else "submissions.html",
        **around,
        project=project_of(pid),
        filters=filters,
        query=urlencode(filters),
        items=page.items,
        search=search,
        standing=standing_in(pid, page.items, sought.words) if sought.words else {},
        marked=lambda text: marked(text, sought.words or ""),
        named_in=lists_naming(pid, sought.words) if sought.words and search and search.is_in_vain else [],
        further=_address(pid, {**filters, **search.further}) if search else None,
        alone=alone,
        cursor=page.cursor,
        count=_count(pid, filters, sought),
        most=most_counted(),
        place_names=tree.names_of([one.place for one in page.items]),
        actors=names_of_actors(session(), [one.actor_id for one in page.items]),
        subjects=labels_of_subjects(session(), pid, [one.subject for one in page.items]),
        problem=problem,
    )
    return text, status


def _around(pid: int, sought: Sought) -> dict[str, Any]:
    """What a page shows beside the list."""
    return {
        **choices(pid, sought),
        "views": views_of(session(), pid, current.visitor().actor_id),
        "visitor_id": current.visitor().actor_id,
        "reviews": current.has_right("submissions.review"),
        "manages": current.has_right("project.manage"),
        "done": request.args.get("done"),
        "gone": request.args.get("gone", type=int),
        "typed": request.form.get("name", ""),
    }


def _count(pid: int, filters: dict[str, str], sought: Sought) -> int | None:
    """How many are sought, in whatever words; None where it would take long beside a search for words."""
    if not filters.keys() - {"form", "words"}:
        counts = how_many(session(), pid)
        return counts.get(filters["form"], 0) if "form" in filters else sum(counts.values())
    return None if sought.words else count_sought(session(), pid, sought, most_counted())


def most_counted() -> int | None:
    """So many of a list are counted at most: all, where the address says so."""
    return None if request.args.get("count") == "all" else _MOST_COUNTED


@bp.post("/views")
@needs("submissions.read")
def post_view(pid: int) -> ResponseReturnValue:
    """Keep the filters under a name."""
    filters = filters_asked()
    load(FilterQuery(), filters)
    journal = begin(pid)
    shared = request.form.get("shared") == "yes" and current.has_right("submissions.review")
    try:
        save_view(journal, request.form.get("name", ""), filters, shared)
    except Refusal as refusal:
        session().rollback()
        return render_template(
            "submissions_view.html",
            project=project_of(pid),
            filters=filters,
            query=urlencode(filters),
            typed=request.form.get("name", ""),
            problem=refusal.detail,
            reviews=current.has_right("submissions.review"),
        ), refusal.status
    finish(journal, "view.saved")
    return redirect(_address(pid, filters, done="saved"), 303)


@bp.post("/views/<int:view>/delete")
@needs("submissions.read")
def delete_view(pid: int, view: int) -> ResponseReturnValue:
    """Forget a saved view; its filters stay in the address, so that it can be saved again."""
    journal = begin(pid)
    filters = dict(forget_view(journal, view, current.has_right("project.manage")).filters)
    finish(journal, "view.deleted")
    return redirect(_address(pid, filters, done="forgotten"), 303)


@bp.get("/<int:number>")
@needs("submissions.read")
def submission(pid: int, number: int) -> ResponseReturnValue:
    """One submission, as its collector saw it, and what became of it."""
    page = page_of(pid, number)
    note_view(pid, number)
    return page


def page_of(pid: int, number: int, **more: Any) -> str:
    """The page of a submission, with what was typed on it and why it was not taken."""
    return render_template(
        "submission.html",
        **shown_of(pid, number),
        reviews=current.has_right("submissions.review"),
        deletes=current.has_right("submissions.delete"),
        corrects=bool(current.settings().web_form),
        filters={},
        templates=TEMPLATES,
        decisions=DECISIONS,
        done=request.args.get("done"),
        was=request.args.get("was", ""),
        **more,
    )


@bp.post("/<int:number>/comments")
@needs("submissions.review")
def post_comment(pid: int, number: int) -> ResponseReturnValue:
    """Say something about it."""
    name_of_submission(session(), pid, number)
    said = request.form.get("body", "")
    try:
        reviewing.say(pid, number, said)
    except Refusal as refusal:
        session().rollback()
        return page_of(pid, number, problem=refusal.detail, typed_comment=said), refusal.status
    return redirect(f"{url_for('submission_pages.submission', pid=pid, number=number, done='commented')}#comments", 303)


@bp.get("/<int:number>/delete")
@needs("submissions.delete")
def ask_to_delete(pid: int, number: int) -> ResponseReturnValue:
    """What deleting it will do."""
    return render_template("submission_delete.html", **shown_of(pid, number))


@bp.post("/<int:number>/delete")
@needs("submissions.delete")
def post_delete(pid: int, number: int) -> ResponseReturnValue:
    """Put it into the bin."""
    name_of_submission(session(), pid, number)
    reviewing.delete(pid, number)
    return redirect(url_for("submission_pages.submissions", pid=pid, done="deleted", gone=number), 303)


@bp.post("/<int:number>/restore")
@needs("submissions.delete")
def post_restore(pid: int, number: int) -> ResponseReturnValue:
    """Take it out of the bin."""
    reviewing.restore(pid, number)
    return redirect(url_for("submission_pages.submission", pid=pid, number=number, done="restored"), 303)


@bp.get("/<int:number>/photos/<path:name>")
@needs("submissions.read")
def photo(pid: int, number: int, name: str) -> ResponseReturnValue:
    """A small picture of a photo of its current version."""
    name_of_submission(session(), pid, number)
    files = files_of(submission_seen(session(), pid, number, whole=False))
    file = next((file for file in files if file.name == name and file.present), None)
    if file is None or file.sha256 is None or not is_picture(file.name, file.type):
        raise NotFound
    path = small_picture(file.sha256) if current.store().holds(file.sha256) else None
    if path is None:
        raise NotFound
    if not request.if_none_match.contains_weak(file.sha256):
        note_view(pid, number, name)
    response: Response = send_file(path, mimetype="image/webp", etag=file.sha256, conditional=True)
    response.headers["Cache-Control"] = FRESH
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _address(pid: int, filters: dict[str, str], **more: str) -> str:
    return f"{url_for('submission_pages.submissions', pid=pid)}?{urlencode(filters | more)}"
