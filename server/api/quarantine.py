"""The quarantine: what waits there, and what a coordinator does with it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.acts.changing import begin
from server.api.batches import said
from server.api.schemas import CursorQuery, Strict, text
from server.db import session
from server.door.guards import needs
from server.language.sentences import said_in
from server.language.words import words
from server.logs import log
from server.wire.answers import answer, download
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.intake.quarantine import (
    ACTIONS,
    STATES,
    Parked,
    Resolved,
    quarantined_item,
    quarantined_items,
    raw_of,
    resolve,
)
from sync.journal import Journal
from sync.models.database import begin_writing

bp = Blueprint("quarantine", __name__, url_prefix="/v1/projects/<int:pid>/quarantine")


class QuarantineQuery(CursorQuery):
    """Which items to list."""

    state = text(load_default=None, validate=validate.OneOf(STATES))


class DecisionSchema(Strict):
    """What to do with an item, and why."""

    action = fields.String(required=True, validate=validate.OneOf(ACTIONS))
    reason = text(load_default=None, allow_none=True)


@bp.get("")
@needs("quarantine.decide")
@documented("quarantine", query=QuarantineQuery, answer="application/json")
def get_quarantine(pid: int) -> ResponseReturnValue:
    """What was sent and could not be filed, the oldest first."""
    query = read_query(QuarantineQuery())
    page, count = quarantined_items(session(), pid, query["state"], query["cursor"], query["limit"])
    return answer({"items": [show_parked(parked) for parked in page.items], "count": count, "cursor": page.cursor})


@bp.get("/<int:item>")
@needs("quarantine.decide")
@documented("quarantine", answer="application/json")
def get_quarantined(pid: int, item: int) -> ResponseReturnValue:
    """One item."""
    return answer(show_parked(quarantined_item(session(), pid, item)))


@bp.get("/<int:item>/raw")
@needs("quarantine.decide")
@documented("quarantine", answer="application/octet-stream")
def get_raw(pid: int, item: int) -> ResponseReturnValue:
    """The bytes as they were sent."""
    raw = raw_of(session(), pid, item)
    note_raw(pid, item)
    return download(raw, f"quarantine-{item}", None)


@bp.post("/<int:item>/resolve")
@needs("quarantine.decide")
@documented("quarantine", body=DecisionSchema, answer="application/json")
def post_resolve(pid: int, item: int) -> ResponseReturnValue:
    """Try to file it again, accept it as the next version of what it conflicts with, or discard it; the bytes stay."""
    given = read_json(DecisionSchema())
    journal = begin(pid)
    found = resolve_noted(journal, item, given["action"], given["reason"])
    journal.close()
    session().commit()
    log("quarantine_decided", project=pid, item=item, action=given["action"], state=found.parked.state)
    (receipt,) = said([found.receipt.to_json()]) if found.receipt else (None,)
    return answer(show_parked(found.parked) | {"receipt": receipt})


def note_raw(pid: int, item: int) -> None:
    """Write into the audit trail that somebody read what was sent. It ends what the session was reading."""
    begin_writing(session())
    record_act(session(), pid, current.origin(), "quarantine.viewed", current.now(), str(item))
    session().commit()


def resolve_noted(journal: Journal, item: int, action: str, reason: str | None) -> Resolved:
    """Decide about an item, with the act in the audit trail."""
    found = resolve(journal, item, action, reason)
    details = {"action": action, "state": found.parked.state}
    record_act(session(), journal.project_id, current.origin(), "quarantine.decided", current.now(), str(item), details)
    return found


def show_parked(parked: Parked) -> dict[str, Any]:
    """An item as the wire has it, its message in the language that was asked for."""
    return {
        "id": str(parked.id),
        "instance_id": parked.instance_id,
        "form": parked.form_id,
        "version": parked.form_version,
        "edits": parked.edits,
        "actor": parked.actor_id,
        "device": parked.device,
        "reason": parked.reason,
        "message": said_in(words().locale, parked.message),
        "received_at": parked.received_at,
        "state": parked.state,
        "resolution": parked.resolution,
    }
