"""What could not be filed: why, in plain words, what was sent, and what a coordinator does with it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from lxml import etree
from marshmallow import fields, validate

from forms.xforms.instance import read_instance
from server import current
from server.acts.changing import begin
from server.api.quarantine import DecisionSchema, note_raw, resolve_noted
from server.api.schemas import CursorQuery, text
from server.api.submissions import note_view
from server.db import session
from server.door.guards import needs
from server.logs import log
from server.pages.frame import project_of
from server.pages.said import REASONS
from server.pages.submissions.compared import answers_of_both
from server.pages.submissions.quarantine_words import ACTIONS, FILED, MENDED_HERE, OUTCOMES, STATES, WHAT_TO_DO
from server.queries.submissions import names_of_actors, titles_of_forms
from server.wire.bodies import load, parse_json, read_query
from sync.errors import AlreadyDecided, Refusal, Unexpected, Unparseable
from sync.intake.quarantine import (
    OPEN,
    Parked,
    quarantined_by_reason,
    quarantined_item,
    quarantined_items,
    raw_of,
    readable_of,
)
from sync.models import Submission
from sync.review.files import submission_called
from sync.review.view import raw_instance, submission_seen

bp = Blueprint("quarantine_pages", __name__, url_prefix="/projects/<int:pid>/quarantine")

_LIMIT = 50
_AT_ONCE = 50
_LONGEST_SHOWN = 100_000


class ItemsQuery(CursorQuery):
    """Which items, and what was done before."""

    state = fields.String(load_default=OPEN, validate=validate.OneOf(list(STATES)))
    reason = fields.String(load_default="", validate=validate.OneOf(["", *REASONS]))
    limit = fields.Integer(load_default=_LIMIT, validate=validate.Range(min=1, max=200))
    done = text(load_default=None)
    tried = fields.Integer(load_default=None, validate=validate.Range(min=0, max=_AT_ONCE))
    filed = fields.Integer(load_default=0, validate=validate.Range(min=0, max=_AT_ONCE))
    more = text(load_default=None)


@bp.get("")
@needs("quarantine.decide")
def quarantine(pid: int) -> ResponseReturnValue:
    """What waits for a decision, by reason; or what was decided."""
    query = read_query(ItemsQuery())
    page, count = quarantined_items(
        session(), pid, query["state"], query["cursor"], query["limit"], query["reason"] or None
    )
    done = quarantined_item(session(), pid, int(query["done"])) if _is_number(query["done"]) else None
    return render_template(
        "quarantine.html",
        reasons=REASONS,
        states=STATES,
        actions=ACTIONS,
        what_to_do=WHAT_TO_DO,
        project=project_of(pid),
        asked=query,
        items=page.items,
        count=count,
        cursor=page.cursor,
        by_reason=quarantined_by_reason(session(), pid, query["state"]),
        titles=titles_of_forms(session(), pid),
        senders=names_of_actors(session(), [item.actor_id for item in page.items]),
        done=done,
        undo=_undo_of(pid, done) if done is not None else None,
        outcomes=OUTCOMES,
        filed=FILED,
        erased={item.id: _erased_at(pid, item) for item in page.items},
    )


@bp.post("/retry")
@needs("quarantine.decide")
def retry_many(pid: int) -> ResponseReturnValue:
    """Try to file what waits for one reason once more, so many at once; from where the last time ended."""
    reason, cursor = request.form.get("reason", ""), request.form.get("cursor") or None
    if reason and reason not in REASONS:
        raise Unexpected("There is no such reason to wait.")
    journal = begin(pid)
    page, _count = quarantined_items(session(), pid, OPEN, cursor, _AT_ONCE, reason or None)
    found = [resolve_noted(journal, item.id, "retry", None) for item in page.items if _still_waits(pid, item)]
    filed = sum(1 for one in found if one.receipt is not None and one.receipt.outcome in FILED)
    journal.close()
    session().commit()
    log("quarantine_tried_again", project=pid, tried=len(page.items), filed=filed)
    done: dict[str, Any] = {"tried": len(page.items), "filed": filed, "more": page.cursor}
    return redirect(url_for("quarantine_pages.quarantine", pid=pid, reason=reason or None, **done), 303)


@bp.get("/<int:item>")
@needs("quarantine.decide")
def parked(pid: int, item: int) -> ResponseReturnValue:
    """One item: why it waits, what to do next, and what was sent, readable."""
    return _item_page(pid, item, None)


@bp.post("/<int:item>")
@needs("quarantine.decide")
def decide(pid: int, item: int) -> ResponseReturnValue:
    """Try to file it again, take it as a correction, discard it, or take that back."""
    given = load(DecisionSchema(), {name: request.form.get(name) or None for name in ("action", "reason")})
    try:
        if given["action"] == "discard" and not given["reason"]:
            raise Unexpected("Say why it is discarded: whoever looks for it later wants to know.")
        journal = begin(pid)
        found = resolve_noted(journal, item, given["action"], given["reason"])
        journal.close()
        session().commit()
    except (AlreadyDecided, Unexpected) as refusal:
        session().rollback()
        return _item_page(pid, item, refusal, typed=given["reason"] or ""), refusal.status
    log("quarantine_decided", project=pid, item=item, action=given["action"], state=found.parked.state)
    if given["action"] == "restore":
        return redirect(url_for("quarantine_pages.parked", pid=pid, item=item, done="restored"), 303)
    if found.parked.state == OPEN:
        return redirect(url_for("quarantine_pages.parked", pid=pid, item=item, done="tried"), 303)
    return redirect(url_for("quarantine_pages.quarantine", pid=pid, done=item), 303)


def _item_page(pid: int, item: int, problem: Refusal | None, typed: str = "") -> str:
    query = read_query(ItemsQuery())
    found = quarantined_item(session(), pid, item)
    stored = _stored(pid, found)
    shown, cut = readable(raw_of(session(), pid, item))
    both = _both(pid, found, stored) if stored is not None else None
    page = render_template(
        "quarantine_item.html",
        reasons=REASONS,
        states=STATES,
        actions=ACTIONS,
        outcomes=OUTCOMES,
        what_to_do=WHAT_TO_DO,
        mends=found.reason in MENDED_HERE,
        project=project_of(pid),
        item=found,
        stored=stored,
        both=both,
        raw=shown,
        cut=cut,
        title=titles_of_forms(session(), pid).get(found.form_id or "", found.form_id),
        actors=names_of_actors(session(), [found.actor_id, _decider(found)]),
        decider=_decider(found),
        done=query["done"],
        erased_at=_erased_at(pid, found),
        problem=problem,
        typed=typed,
    )
    note_raw(pid, item)
    if both is not None and stored is not None:
        note_view(pid, stored)
    return page


def readable(raw: bytes) -> tuple[str, bool]:
    """What was sent as text for people: XML and JSON with a line for each thing, anything else as it is; and whether it
    was cut."""
    text_ = raw.decode("utf-8", "replace")
    if len(raw) <= _LONGEST_SHOWN:
        text_ = _xml_in_lines(raw) or _json_in_lines(raw) or text_
    return text_[:_LONGEST_SHOWN], len(text_) > _LONGEST_SHOWN


def _xml_in_lines(raw: bytes) -> str | None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.getroottree().docinfo.internalDTD is not None:
        return None
    etree.indent(root, "  ")
    return etree.tostring(root, encoding="unicode")


def _json_in_lines(raw: bytes) -> str | None:
    try:
        return json.dumps(parse_json(raw), ensure_ascii=False, indent=2)
    except Unparseable:
        return None


def _still_waits(pid: int, item: Parked) -> bool:
    """To file one item may release another one that waited for it."""
    return quarantined_item(session(), pid, item.id).state == OPEN


def _stored(pid: int, item: Parked) -> int | None:
    """The submission that it became, or that it, or what it corrects, is in conflict with."""
    became = (item.resolution or {}).get("submission")
    if became is not None:
        return int(became)
    for instance_id in filter(None, (item.instance_id, item.edits)):
        if (found := submission_called(session(), pid, item.form_id or "", instance_id)) is not None:
            return found
    return None


def _both(pid: int, item: Parked, stored: int) -> dict[str, Any] | None:
    """What stands and what was sent in its place, side by side; None where there is nothing to compare."""
    sent = readable_of(session(), pid, item.id, current.now()) if item.state == OPEN else None
    if sent is None:
        return None
    seen = submission_seen(session(), pid, stored, whole=False)
    standing = raw_instance(session(), pid, seen.form_id, seen.current_instance_id)
    answers = answers_of_both(pid, read_instance(standing), read_instance(sent.xml))
    if answers is None:
        return None
    return {"answers": answers, "seen": seen, "sent": sent}


def _undo_of(pid: int, item: Parked) -> str | None:
    """Where the version that it replaced can be made the current one again; None once something else was done."""
    said = item.resolution or {}
    if said.get("outcome") != "edited":
        return None
    row = session().get(Submission, (pid, int(said["submission"])))
    if row is None or row.deleted_at is not None or row.updated_at.isoformat() != said["at"]:
        return None
    return url_for("editing_pages.go_back", pid=pid, number=row.id, to=row.versions - 1)


def _erased_at(pid: int, item: Parked) -> dt.datetime | None:
    """From when on it will be erased; None for what stays."""
    if item.discarded_at is None:
        return None
    return item.discarded_at + dt.timedelta(days=project_of(pid).keep_deleted)


def _decider(item: Parked) -> int:
    return int((item.resolution or {}).get("actor") or 0)


def _is_number(given: Any) -> bool:
    return bool(given) and str(given).isascii() and str(given).isdecimal() and len(str(given)) < 19
