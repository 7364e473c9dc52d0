"""The review queue: one submission at a time, made for the keyboard; and one decision about many."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import current
from server.acts import reviewing
from server.api.review import decide_many, undo_many
from server.db import session
from server.door.guards import needs
from server.language.words import words
from server.pages.asked import without_empty_fields
from server.pages.frame import let_it_come_back, project_of
from server.pages.said import DECISIONS, TEMPLATES
from server.pages.shifts import said_shifts
from server.pages.submissions.filters import FilterQuery, choices, filters_asked, sought_in
from server.pages.submissions.submission_seen import shown_of
from server.pages.submissions.submissions import most_counted, page_of
from server.queries.arrivals import last_arrival
from server.queries.review import bulk_review
from server.queries.submissions import name_of_submission, names_of_actors
from server.wire.bodies import load
from sync.accounts.audit import record_act
from sync.entities.sent_back import receiver_of
from sync.errors import NotFound, Refusal, Stale, Unexpected
from sync.models import Submission
from sync.models.database import begin_writing
from sync.review.bulk import MOST_AT_ONCE, WORDS, Reviewed
from sync.review.leases import held_by_others, leave, take_lease
from sync.review.queue import Searched, Sought, count_sought, next_waiting, search

bp = Blueprint("review_pages", __name__, url_prefix="/projects/<int:pid>")

_LEFT_OUT_SHOWN = 20
# So long answers are looked through for words before a page says how far it has come.
_SECONDS = 1.0


@bp.get("/review")
@needs("submissions.review")
def review(pid: int) -> ResponseReturnValue:
    """The next submission to look at, with what is wrong with it first."""
    return without_empty_fields() or _queue(pid, request.args.get("at", type=int))


def _queue(pid: int, at: int | None, status: int = 200, **more: Any) -> ResponseReturnValue:
    sought = sought_in(pid, load(FilterQuery(), filters_asked()), "undecided")
    if sought.state == "flagged":
        # Of what has flags, that which nobody has decided about: or it would come again and again.
        sought = replace(sought, state="undecided", flagged=True)
    visitor, given = current.visitor().actor_id, request.values
    if at is not None:
        name_of_submission(session(), pid, at)
        begin_writing(session())
        next_one = _Next(at, held_by_others(session(), pid, visitor, current.now(), Submission))
    else:
        next_one = _next_free(pid, sought, given.get("cursor") or given.get("after"))
        at = next_one.id
    if at is None:
        leave(session(), pid, visitor)
    else:
        take_lease(session(), pid, visitor, at, current.now())
        record_act(session(), pid, current.origin(), "submission.viewed", current.now(), str(at))
    session().commit()
    others = next_one.others
    filters = filters_asked()
    # All of them are counted in an index: the overview and the statements say the same number.
    most = most_counted() if filters else None
    left = None if sought.words else count_sought(session(), pid, sought, most)
    offered = choices(pid, sought)
    page = {
        **offered,
        "project": project_of(pid),
        "filters": filters,
        "query": urlencode(filters),
        "templates": TEMPLATES,
        "left": left,
        "arrived": at is not None or last_arrival(session(), pid) is not None,
        "most": most,
        "after": given.get("after"),
        "searched": next_one.searched,
        "others": names_of_actors(session(), others.values()),
        "looked_at": others.get(at) if at is not None else None,
        "done": _last(pid, offered["titles"]),
        "undone": request.args.get("undone") == "yes",
        **more,
    }
    # Who decided before is said where somebody came second.
    shown = shown_of(pid, at, whole=bool(more.get("stale"))) if at is not None else {"submission": None}
    return render_template("review.html", **shown | page), status


@dataclass(frozen=True, slots=True)
class _Next:
    """The one to look at, and which ones others have before them. `searched` says how far words were looked for where
    none was found yet."""

    id: int | None
    others: Mapping[int, int]
    searched: Searched | None = None


def _next_free(pid: int, sought: Sought, cursor: str | None) -> _Next:
    """The next one that nobody else has, in a transaction that can take it. Words are looked for before that begins,
    for whoever sends waits for its end; what is found is looked at again within it."""
    visitor, end, looked_at = current.visitor().actor_id, time.monotonic() + _SECONDS, 0
    while True:
        found, here = None, sought
        if sought.words:
            held = held_by_others(session(), pid, visitor, current.now(), Submission)
            found = search(session(), pid, sought, cursor, len(held) + 1, lambda: time.monotonic() > end)
            here = replace(sought, among=[one.id for one in found.items])
            looked_at += found.looked_at
        begin_writing(session())
        others = held_by_others(session(), pid, visitor, current.now(), Submission)
        one = next_waiting(session(), pid, here, cursor, list(others))
        if one is not None:
            return _Next(one.id, others)
        if found is None or found.cursor is None:
            return _Next(None, others)
        if time.monotonic() > end:
            return _Next(None, others, replace(found, looked_at=looked_at))
        session().rollback()
        cursor = found.cursor


def _last(pid: int, titles: Mapping[str, str]) -> dict[str, Any] | None:
    """What was decided last, with what it takes to undo it; nothing if that submission is not there any more."""
    number, was = request.args.get("done", type=int), request.args.get("was", "")
    if number is None or was not in DECISIONS:
        return None
    try:
        form_id, _ = name_of_submission(session(), pid, number)
    except NotFound:
        return None
    decided = session().get_one(Submission, (pid, number))
    receiver = receiver_of(session(), pid, number, current.now())
    return {
        "number": number,
        "was": was,
        "submission": decided,
        "title": titles.get(form_id, form_id),
        "receiver": receiver,
    }


@bp.post("/submissions/<int:number>/decision")
@needs("submissions.review")
def decide(pid: int, number: int) -> ResponseReturnValue:
    """Decide on a submission, on its page or in the queue. Whoever comes second is shown what the first decided."""
    name_of_submission(session(), pid, number)
    given, queued = request.form, request.form.get("queue") == "yes"
    decision, seen = given.get("decision", ""), given.get("seen", type=int)
    was, own = given.get("was", "received"), given.get("comment", "").strip()
    template = TEMPLATES.get(given.get("template", ""))
    comment = own or (str(template) if template is not None else None)
    try:
        if decision not in DECISIONS:
            raise Unexpected(gettext("Choose what is to be decided."))
        state = DECISIONS[decision]
        if state == "hasIssues" and comment is None and given.get("undo") != "yes":
            raise Unexpected(gettext("Say what is to be corrected: choose a sentence, or write one of your own."))
        if seen is None:
            raise Stale
        reviewing.decide(pid, number, state, seen, comment)
    except Refusal as refusal:
        session().rollback()
        said = {"problem": refusal.detail, "stale": isinstance(refusal, Stale), "typed": own}
        if queued:
            return _queue(pid, number, refusal.status, **said)
        return page_of(pid, number, **said), refusal.status
    filters = filters_asked()
    if not queued:
        undone: dict[str, Any] = {"done": "undone"} if given.get("undo") == "yes" else {"done": "decided", "was": was}
        return redirect(url_for("submission_pages.submission", pid=pid, number=number, **undone), 303)
    if given.get("undo") == "yes":
        return redirect(_queue_address(pid, filters, at=number, undone="yes"), 303)
    return redirect(_queue_address(pid, filters, after=number, done=number, was=was), 303)


@bp.get("/review/many")
@needs("submissions.review")
def many(pid: int) -> ResponseReturnValue:
    """Which are meant, and what is to be decided about all of them; or what was decided, with its undo."""
    return without_empty_fields() or _many(pid)


@bp.post("/review/many")
@needs("submissions.review")
def post_many(pid: int) -> ResponseReturnValue:
    """Say what a decision about all would change, or take it."""
    let_it_come_back()
    filters, given = filters_asked(), request.form
    template = TEMPLATES.get(given.get("template", ""))
    comment = given.get("comment", "").strip() or (str(template) if template is not None else None)
    try:
        sought = sought_in(pid, load(FilterQuery(), _without_words(filters)))
        if given.get("decision") not in DECISIONS:
            raise Unexpected(gettext("Choose what is to be decided about all of them."))
        state = DECISIONS[given["decision"]]
        if state == "hasIssues" and comment is None:
            raise Unexpected(gettext("Say what is to be corrected: choose a sentence, or write one of your own."))
        if given.get("act") == "decide":
            seen = given.get("seen", type=int)
            found = decide_many(pid, sought, state, comment=comment, seen=seen)
            return redirect(
                f"{url_for('review_pages.many', pid=pid)}?{urlencode(filters | {'done': str(found.bulk or 0)})}", 303
            )
        told = decide_many(pid, sought, state, comment=comment, preview=True)
    except Refusal as refusal:
        session().rollback()
        return _many(pid, refusal.status, problem=refusal.detail)
    return _many(pid, told=told)


@bp.post("/review/many/<int:bulk>/undo")
@needs("submissions.review")
def post_undo(pid: int, bulk: int) -> ResponseReturnValue:
    """Take a decision about many back."""
    filters = filters_asked()
    try:
        undo_many(pid, bulk)
    except Refusal as refusal:
        session().rollback()
        return _many(pid, refusal.status, problem=refusal.detail)
    return redirect(f"{url_for('review_pages.many', pid=pid)}?{urlencode(filters | {'done': str(bulk)})}", 303)


def _many(pid: int, status: int = 200, told: Reviewed | None = None, **more: Any) -> ResponseReturnValue:
    filters = _without_words(filters_asked())
    sought = sought_in(pid, load(FilterQuery(), filters))
    done = request.args.get("done", type=int)
    return render_template(
        "review_many.html",
        **choices(pid, sought),
        project=project_of(pid),
        filters=filters,
        count=count_sought(session(), pid, sought, MOST_AT_ONCE + 1),
        most=MOST_AT_ONCE,
        templates=TEMPLATES,
        decision=request.form.get("decision", ""),
        typed=request.form.get("comment", ""),
        template=request.form.get("template", ""),
        done=bulk_review(session(), pid, done) if done else None,
        nothing_done=done == 0,
        why={code: said[words().language] for code, said in WORDS.items()},
        left_out_shown=_LEFT_OUT_SHOWN,
        told=told,
        shifts=said_shifts(told.shifts) if told else [],
        **more,
    ), status


def _without_words(filters: dict[str, str]) -> dict[str, str]:
    """Words stand in no index; whoever decides about many has to name them otherwise."""
    return {name: value for name, value in filters.items() if name != "words"}


def _queue_address(pid: int, filters: dict[str, str], **more: Any) -> str:
    return (
        f"{url_for('review_pages.review', pid=pid)}?{urlencode(filters | {key: str(one) for key, one in more.items()})}"
    )
