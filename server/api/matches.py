"""Pairs of records that may be one person: the queue, one pair side by side, decisions, and confirming many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.acts.changing import begin, finish
from server.api.figures import reading_of
from server.api.schemas import CursorQuery, Strict, Whole, text
from server.db import session
from server.door.guards import needs
from server.language.words import words
from server.logs import log
from server.queries.submissions import names_of_actors
from server.queries.totals import totals_of
from server.wire.answers import answer
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.dedup.pairs import OPEN
from sync.entities.reach import tree_of
from sync.indicators.amounts import json_number
from sync.journal import Journal
from sync.models import Match, MatchDecision, Submission
from sync.models.database import begin_writing
from sync.projects.places import PlaceTree
from sync.review.leases import held_by_others
from sync.review.match_bulk import Confirmed, Undone, confirm_surest, undo_bulk
from sync.review.match_queue import Doubt, Queued, matches, waiting
from sync.review.match_view import Reason, reasons_of, view
from sync.review.match_words import doubt_words, why_words
from sync.review.matches import DECISIONS, Pair, decide, decide_pair, matching_list
from sync.review.records import Compared, Record, records_of
from sync.review.shifts import Shift

bp = Blueprint("matches", __name__, url_prefix="/v1/projects/<int:pid>/matches")

_LEFT_OUT_SHOWN = 200
_Shown = TypeVar("_Shown")


class WaitingQuery(Strict):
    """Which list."""

    list_name = text(load_default="people", data_key="list")


class MatchesQuery(CursorQuery):
    """Which pairs, and which part of them."""

    list_name = text(load_default="people", data_key="list")
    state = fields.String(load_default=OPEN, validate=validate.OneOf(DECISIONS))
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=200))


class MatchDecisionSchema(Strict):
    """What a pair is; `seen` is its event as it was looked at. `open` takes a decision back.

    `stands` is the id of the one of two that are the same which stands for the person.
    """

    decision = fields.String(required=True, validate=validate.OneOf(DECISIONS))
    seen = Whole(required=True, validate=validate.Range(min=0, max=2**53))
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=10_000))
    stands = text(load_default=None, allow_none=True)


class NewPairSchema(Strict):
    """Two records of a list that nobody proposed, and what they are."""

    list_name = text(load_default="people", data_key="list")
    a = text(required=True)
    b = text(required=True)
    decision = fields.String(required=True, validate=validate.OneOf(DECISIONS))
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=10_000))
    stands = text(load_default=None, allow_none=True)


class SurestSchema(Strict):
    """How sure a pair has to be. With `preview` nothing is done, and what would be is told."""

    list_name = text(load_default="people", data_key="list")
    minimum = fields.Float(load_default=0.95, validate=validate.Range(min=0.5, max=1))
    preview = fields.Boolean(load_default=False)
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=10_000))


@bp.get("")
@needs("people.decide")
@documented("people", query=MatchesQuery, answer="application/json")
def get_matches(pid: int) -> ResponseReturnValue:
    """Pairs of records that may be one person, those first on which most figures hang; the decided ones, last first."""
    asked = read_query(MatchesQuery())
    name = asked["list_name"]
    matching_list(session(), pid, name)
    page = matches(reading_of(pid, None), name, asked["state"], asked["cursor"], asked["limit"])
    ends = {entity_id for queued in page.items for entity_id in (queued.pair.a, queued.pair.b)}
    records, tree = records_of(session(), pid, name, ends), tree_of(session(), pid)
    held = in_hand(pid, Match)
    shown = [_queued(queued, records, tree) | {"held_by": held.get(queued.pair.id)} for queued in page.items]
    note_people(pid, "match.viewed", name, {"state": asked["state"], "shown": len(shown)})
    return answer({"list": name, "state": asked["state"], "matches": shown, "cursor": page.cursor})


@bp.get("/waiting")
@needs("people.decide")
@documented("people", query=WaitingQuery, answer="application/json")
def get_waiting(pid: int) -> ResponseReturnValue:
    """How many pairs are open, on how many of them figures hang, and by how much these can change."""
    name = read_query(WaitingQuery())["list_name"]
    matching_list(session(), pid, name)
    found = waiting(reading_of(pid, None), name)
    return answer(
        {
            "list": name,
            "open": found.pairs,
            "deciding": found.deciding,
            "figures": [_doubt(doubt) for doubt in found.doubts],
        }
    )


@bp.post("")
@needs("people.decide")
@documented("people", body=NewPairSchema, answer="application/json")
def post_pair(pid: int) -> ResponseReturnValue:
    """Decide about two records that nobody proposed."""
    given = read_json(NewPairSchema())
    journal = begin(pid)
    number, event = decide_pair(
        journal, given["list_name"], given["a"], given["b"], given["decision"], given["reason"], given["stands"]
    )
    finish(journal, "match.decided", str(number), {"decision": given["decision"], "event": event})
    log("match_decided", project=pid, match=number, decision=given["decision"])
    return answer(_whole(pid, number))


@bp.get("/<int:number>")
@needs("people.decide")
@documented("people", answer="application/json")
def get_match(pid: int, number: int) -> ResponseReturnValue:
    """One pair side by side: what differs first, the reasons in words, and what was decided before."""
    shown = _whole(pid, number)
    note_people(pid, "match.viewed", str(number))
    return answer(shown)


@bp.post("/<int:number>")
@needs("people.decide")
@documented("people", body=MatchDecisionSchema, answer="application/json")
def post_match(pid: int, number: int) -> ResponseReturnValue:
    """Decide about a pair, or take a decision back; refused if somebody was first, or if a record was changed."""
    given = read_json(MatchDecisionSchema())
    journal = begin(pid)
    before = _whole(pid, number) if given["decision"] == OPEN else None
    event = decide_match(journal, number, given)
    if before is not None and before["weight"] is None:
        return answer(before | {"state": OPEN, "event": event})  # it was there for its decision's sake, and is gone
    return answer(_whole(pid, number))


@bp.post("/bulk")
@needs("people.decide")
@documented("people", body=SurestSchema, answer="application/json")
def post_surest(pid: int) -> ResponseReturnValue:
    """Confirm the surest pairs at once, but for those that look like twins, cousins, elders or co-wives.

    With `preview` nothing is done. Otherwise `undo` is the number by which all of it can be taken back.
    """
    given = read_json(SurestSchema())
    return answer(confirm(pid, given, lambda found: _confirmed(pid, given["list_name"], found)))


@bp.post("/bulk/<int:number>/undo")
@needs("people.decide")
@documented("people", answer="application/json")
def undo_surest(pid: int, number: int) -> ResponseReturnValue:
    """Open the pairs again that were confirmed at once, but for those that somebody has decided about since."""
    found = reopen(pid, number)
    return answer({"opened": found.opened, "kept": found.kept, "event": found.event})


def decide_match(journal: Journal, number: int, given: Mapping[str, Any]) -> int | None:
    """Decide about a pair as it was given, and write that down; gives the event."""
    event = decide(journal, number, given["decision"], given["seen"], given["reason"], given["stands"])
    finish(journal, "match.decided", str(number), {"decision": given["decision"], "event": event})
    log("match_decided", project=journal.project_id, match=number, decision=given["decision"])
    return event


def confirm(pid: int, given: Mapping[str, Any], show: Callable[[Confirmed], _Shown]) -> _Shown:
    """Confirm the surest pairs, or with `preview` find out what that would do; gives what is to be shown of it."""
    known = totals_of(session(), pid)
    journal = begin(pid)
    found = confirm_surest(journal, given["list_name"], given["minimum"], given["reason"], known)
    shown = show(replace(found, bulk=None) if given["preview"] else found)
    details = {"list": given["list_name"], "minimum": given["minimum"], "pairs": len(found.pairs)}
    if given["preview"]:
        session().rollback()
        note_people(pid, "match.viewed", given["list_name"], details)
        return shown
    finish(journal, "match.confirmed", str(found.bulk) if found.bulk is not None else None, details)
    log("matches_confirmed", project=pid, pairs=len(found.pairs), left_out=len(found.left_out))
    return shown


def reopen(pid: int, number: int) -> Undone:
    """Open again what was confirmed at once."""
    journal = begin(pid)
    found = undo_bulk(journal, number)
    finish(journal, "match.reopened", str(number), {"pairs": found.opened, "event": found.event})
    log("matches_reopened", project=pid, pairs=found.opened)
    return found


def note_people(pid: int, action: str, subject: str, details: Mapping[str, Any] | None = None) -> None:
    """Write into the audit trail that somebody looked at who people are. It ends what the session was reading."""
    begin_writing(session())
    record_act(session(), pid, current.origin(), action, current.now(), subject, details)
    session().commit()


def in_hand(pid: int, of: type[Submission | Match]) -> dict[int, dict[str, Any]]:
    """The submissions or pairs that others have before them on a page at this moment, with who that is."""
    held = held_by_others(session(), pid, current.visitor().actor_id, current.now(), of)
    names = names_of_actors(session(), held.values())
    return {number: {"id": actor_id, "name": names.get(actor_id)} for number, actor_id in held.items()}


def show_record(record: Record, tree: PlaceTree) -> dict[str, Any]:
    """A record as the wire has it, without its values."""
    place = tree.places.get(record.place) if record.place else None
    return {
        "id": record.id,
        "label": record.label,
        "version": record.version,
        "place": {"code": record.place, "name": place.name if place else None} if record.place else None,
        "createdAt": record.created_at,
        "updatedAt": record.updated_at,
        "gone": record.gone,
    }


def show_compared(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """Properties side by side, in the order of the records."""
    return [
        {"property": one.name, "role": one.role, "values": list(one.values), "differs": one.differs} for one in compared
    ]


def _queued(queued: Queued, records: Mapping[str, Record], tree: PlaceTree) -> dict[str, Any]:
    return _pair(queued.pair, records, tree) | {
        "effect": queued.effect,
        "reasons": [show_reason(reason) for reason in reasons_of(queued.pair.parts, words().language)],
    }


def _pair(pair: Pair, records: Mapping[str, Record], tree: PlaceTree) -> dict[str, Any]:
    return {
        "id": str(pair.id),
        "list": pair.list_name,
        "a": show_record(records[pair.a], tree),
        "b": show_record(records[pair.b], tree),
        "probability": pair.probability,
        "weight": pair.weight,
        "model": pair.model,
        "state": pair.state,
        "event": pair.event,
    }


def _whole(pid: int, number: int) -> dict[str, Any]:
    seen, tree = view(session(), pid, number, words().language), tree_of(session(), pid)
    names = names_of_actors(session(), {decision.actor_id or 0 for decision in seen.decisions})
    return _pair(seen.pair, {seen.a.id: seen.a, seen.b.id: seen.b}, tree) | {
        "held_by": in_hand(pid, Match).get(number),
        "values": show_compared(seen.compared),
        "reasons": [show_reason(reason) for reason in seen.reasons],
        "stands": seen.stands,
        "decisions": [_decision(decision, names) for decision in seen.decisions],
    }


def show_reason(reason: Reason) -> dict[str, Any]:
    """One reason as the wire has it."""
    part = reason.part
    return {
        "field": part.field,
        "a": part.a,
        "b": part.b,
        "level": part.level,
        "weight": part.weight,
        "words": reason.words,
    }


def _decision(decision: MatchDecision, names: Mapping[int, str]) -> dict[str, Any]:
    known = decision.actor_id is not None
    return {
        "decision": decision.decision,
        "reason": decision.reason,
        "stands": decision.stands,
        "by": {"id": decision.actor_id, "name": names.get(decision.actor_id or 0)} if known else None,
        "at": decision.at,
        "event": decision.event,
        "versions": [decision.a_version, decision.b_version],
        "weight": decision.weight,
        "bulk": str(decision.bulk) if decision.bulk is not None else None,
    }


def _doubt(doubt: Doubt) -> dict[str, Any]:
    found, language = doubt.figure, words().language
    return {
        "indicator": found.definition.name,
        "label": found.definition.label(language),
        "pairs": doubt.pairs,
        "value": json_number(found.value),
        "low": json_number(found.low),
        "high": json_number(found.high),
        "unit": found.definition.row.unit or None,
        "words": doubt_words(doubt, language),
    }


def _confirmed(pid: int, name: str, found: Confirmed) -> dict[str, Any]:
    some = found.left_out[:_LEFT_OUT_SHOWN]
    ends = {entity_id for one in some for entity_id in (one.pair.a, one.pair.b)}
    records, tree, language = records_of(session(), pid, name, ends), tree_of(session(), pid), words().language
    return {
        "list": name,
        "pairs": len(found.pairs),
        "more": found.more,
        "left_out": [
            {"why": why, "pairs": pairs, "words": why_words(why, language)} for why, pairs in found.reasons.items()
        ],
        "examples": [_pair(one.pair, records, tree) | {"why": one.why} for one in some],
        "figures": [show_shift(shift) for shift in found.shifts],
        "undo": str(found.bulk) if found.bulk is not None else None,
    }


def show_shift(shift: Shift) -> dict[str, Any]:
    """What happens to a figure, as the wire has it."""
    sides = {
        side: {name: json_number(getattr(figure, name)) for name in ("value", "low", "high")}
        for side, figure in (("before", shift.before), ("after", shift.after))
    }
    definition = shift.after.definition
    return {"indicator": definition.name, "label": definition.label(words().language), **sides}
