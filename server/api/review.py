"""The list of what a coordinator looks at, and one decision about many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, g
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError, fields, validate, validates_schema

from forms.xpath.numbers import LARGEST
from server.acts.changing import begin, finish
from server.api.matches import in_hand, show_shift
from server.api.schemas import CursorQuery, Strict, Whole, text
from server.api.submission_shapes import Shown, show_flags
from server.db import session
from server.door.guards import needs
from server.language.sentences import said_in
from server.language.words import words
from server.logs import log, log_failure
from server.queries.totals import totals_of
from server.wire.answers import answer
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from sync.indicators.moving import Totals
from sync.models import Submission
from sync.review.bulk import (
    MOST_AT_ONCE,
    WORDS,
    LeftOut,
    Moved,
    Reviewed,
    Undone,
    preview_review,
    review_many,
    undo_review,
)
from sync.review.decide import STATES
from sync.review.queue import STATES as FOUND_BY
from sync.review.queue import Sought, Waiting, review_queue
from sync.review.shifts import Shift, Span, shifts_between

bp = Blueprint("review", __name__, url_prefix="/v1/projects/<int:pid>/review")
_UNCOUNTED = "This is done. How far it has moved the figures could not be counted yet: look at the indicators later."


class ReviewQuery(CursorQuery):
    """Which submissions to list."""

    state = text(load_default=None, validate=validate.OneOf(FOUND_BY))
    form = text(load_default=None)
    place = text(load_default=None, metadata={"description": "a place's code; everything below it is included"})
    collector = fields.Integer(
        load_default=None,
        validate=validate.Range(min=0, max=LARGEST),
        metadata={"description": "a device's or person's number"},
    )


@bp.get("")
@needs("submissions.review")
@documented("review", query=ReviewQuery, answer="application/json")
def get_review(pid: int) -> ResponseReturnValue:
    """Submissions to look at, the newest first."""
    query = read_query(ReviewQuery())
    sought = Sought(query["state"], query["form"], query["place"], query["collector"])
    page = review_queue(session(), pid, sought, query["cursor"], query["limit"])
    held = in_hand(pid, Submission)
    flags = show_flags(waiting.flags for waiting in page.items)
    shown = [
        _shown(waiting, said) | {"held_by": held.get(waiting.id)}
        for waiting, said in zip(page.items, flags, strict=True)
    ]
    return answer({"submissions": shown, "cursor": page.cursor})


class SoughtSchema(Strict):
    """Which submissions, as the list takes it."""

    state = text(load_default=None, allow_none=True, validate=validate.OneOf(FOUND_BY))
    form = text(load_default=None, allow_none=True)
    place = text(load_default=None, allow_none=True)
    collector = Whole(load_default=None, allow_none=True, validate=validate.Range(min=0, max=LARGEST))


class BulkReviewSchema(Strict):
    """A decision about many: all that `filter` finds, or those of `ids`. With `preview` nothing is done, and what would
    be is told. What has changed after the event `seen` is left out."""

    filter = fields.Nested(SoughtSchema, load_default=None, allow_none=True)
    ids = fields.List(
        Whole(validate=validate.Range(min=1, max=LARGEST)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(min=1, max=MOST_AT_ONCE),
    )
    state = fields.String(required=True, allow_none=True, validate=validate.OneOf([one for one in STATES if one]))
    comment = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=10_000))
    seen = fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(min=0, max=2**53))
    preview = fields.Boolean(load_default=False)

    @validates_schema
    def _one_of_both(self, given: dict[str, Any], **_: Any) -> None:
        if (given.get("filter") is None) == (given.get("ids") is None):
            raise ValidationError("Give either a filter or ids.", "filter")


@bp.post("/bulk")
@needs("submissions.review")
@documented("review", body=BulkReviewSchema, answer="application/json")
def post_bulk(pid: int) -> ResponseReturnValue:
    """Decide alike about many submissions at once; figures, entities and second copies follow.

    With `preview` nothing is done; give its `seen` back to leave out what changes until you decide. Otherwise `undo` is
    the number by which all of it can be taken back.
    """
    given = read_json(BulkReviewSchema())
    asked = given["filter"]
    meant = given["ids"] if asked is None else Sought(asked["state"], asked["form"], asked["place"], asked["collector"])
    state, preview = given["state"], given["preview"]
    known = None if preview else totals_of(session(), pid)
    found = decide_many(pid, meant, state, comment=given["comment"], seen=given["seen"], preview=preview)
    shown = {
        "state": state,
        "submissions": [_moved(one) for one in found.moved],
        "unchanged": found.unchanged,
        "left_out": [_left_out(one) for one in found.left_out],
        "more": found.more,
        **(_figures(found.shifts) if found.bulk is None else _figures_since(pid, found.span, known)),
        "seen": found.seen,
        "undo": str(found.bulk) if found.bulk is not None else None,
    }
    return answer(shown)


@bp.post("/bulk/<int:number>/undo")
@needs("submissions.review")
@documented("review", answer="application/json")
def undo_bulk(pid: int, number: int) -> ResponseReturnValue:
    """Give back the states that submissions had before a decision about many, but for those touched since."""
    known = totals_of(session(), pid)
    found = undo_many(pid, number)
    return answer(
        {
            "submissions": [_moved(one) for one in found.restored],
            "left_out": [_left_out(one) for one in found.left_out],
            **_figures_since(pid, found.span, known),
            "event": found.event,
        }
    )


def decide_many(
    pid: int,
    meant: Sought | Sequence[int],
    state: str | None,
    *,
    comment: str | None = None,
    seen: int | None = None,
    preview: bool = False,
) -> Reviewed:
    """Decide about many with the act in the audit trail, and commit; a preview tells the figures too, and leaves
    nothing behind."""
    if preview:
        known = totals_of(session(), pid)
        return preview_review(lambda: begin(pid), meant, state, comment=comment, seen=seen, known=known)
    journal = begin(pid)
    found = review_many(journal, meant, state, comment=comment, seen=seen)
    if found.bulk is None:
        session().rollback()
        return found
    details = {"state": state, "submissions": len(found.moved), "left_out": len(found.left_out)}
    finish(journal, "review.decided", str(found.bulk), details | {"event": journal.last_event})
    log("many_reviewed", project=pid, submissions=len(found.moved), state=state)
    return found


def undo_many(pid: int, number: int) -> Undone:
    """Take a decision about many back, with the act in the audit trail, and commit."""
    journal = begin(pid)
    found = undo_review(journal, number)
    details = {"submissions": len(found.restored), "left_out": len(found.left_out), "event": found.event}
    finish(journal, "review.undone", str(number), details)
    log("many_reviews_undone", project=pid, submissions=len(found.restored))
    return found


def _figures_since(pid: int, span: Span, known: Totals | None) -> dict[str, Any]:
    """Which figures a decision has moved. It stands, whatever becomes of the counting."""
    try:
        return _figures(shifts_between(session(), pid, span, known))
    except Exception:
        session().rollback()
        log_failure("figures_not_counted", request=g.get("request_id"), project=pid)
        return {"figures": None, "note": said_in(words().locale, _UNCOUNTED)}


def _figures(shifts: Sequence[Shift]) -> dict[str, Any]:
    return {"figures": [show_shift(shift) for shift in shifts], "note": None}


def _moved(one: Moved) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "form": one.form_id,
        "instance_id": one.instance_id,
        "before": one.before,
        "after": one.after,
    }


def _left_out(one: LeftOut) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "form": one.form_id,
        "instance_id": one.instance_id,
        "why": one.why,
        "words": WORDS[one.why][words().language],
    }


def _shown(waiting: Waiting, flags: list[Shown]) -> Shown:
    return {
        "id": str(waiting.id),
        "instance_id": waiting.instance_id,
        "form": waiting.form_id,
        "version": waiting.form_version,
        "reviewState": waiting.review_state,
        "flags": flags,
        "versions": waiting.versions,
        "missing": waiting.missing,
        "double_of": waiting.double_of,
        "counts": waiting.counts,
        "place": waiting.place,
        "subject": waiting.subject,
        "collector": waiting.actor_id,
        "device": waiting.device,
        "received_at": waiting.received_at,
        "recorded_at": waiting.recorded_at,
        "event": waiting.event,
    }
