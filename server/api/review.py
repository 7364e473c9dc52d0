"""The list of what a coordinator looks at."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server.answers import answer
from server.api.schemas import TEXT, CursorQuery, text
from server.bodies import read_query
from server.db import session
from server.documents import documented
from server.guards import needs
from sync.review.queue import STATES, Sought, Waiting, review_queue

bp = Blueprint("review", __name__, url_prefix="/v1/projects/<int:pid>/review")


class ReviewQuery(CursorQuery):
    """Which submissions to list."""

    state = text(load_default=None, validate=validate.OneOf(STATES))
    form = text(load_default=None, validate=[TEXT, validate.ContainsNoneOf("\0")])
    place = text(load_default=None, metadata={"description": "a place's code; everything below it is included"})
    collector = fields.Integer(
        load_default=None,
        validate=validate.Range(min=0, max=2**63 - 1),
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
    return answer({"submissions": [_shown(waiting) for waiting in page.items], "cursor": page.cursor})


def _shown(waiting: Waiting) -> dict[str, Any]:
    return {
        "id": str(waiting.id),
        "instance_id": waiting.instance_id,
        "form": waiting.form_id,
        "version": waiting.form_version,
        "reviewState": waiting.review_state,
        "flags": [{"code": flag.code, "place": flag.place, "message": flag.message} for flag in waiting.flags],
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
