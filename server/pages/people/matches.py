"""Duplicates: pairs of records that may be one person, each side by side, decided one by one or many at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from marshmallow import EXCLUDE, Schema, fields, validate

from forms.xpath.numbers import LARGEST
from server import current
from server.acts.changing import begin
from server.api.figures import reading_of
from server.api.matches import (
    MatchDecisionSchema,
    SurestSchema,
    WaitingQuery,
    confirm,
    decide_match,
    reopen,
)
from server.api.schemas import Strict, text
from server.db import session
from server.door.guards import needs
from server.kept.remembered import Shared
from server.language.words import words
from server.pages.asked import FreshQuery
from server.pages.frame import project_of
from server.pages.people.meanings import Meanings
from server.pages.people.people_words import BANDS, DECISIONS, ROLES, kind_of
from server.queries.arrivals import open_pairs
from server.queries.submissions import names_of_actors, titles_of_forms
from server.wire.bodies import load, read_query
from sync.accounts.audit import record_act
from sync.dedup.pairs import OPEN
from sync.dedup.scoring.comparing import ELSEWHERE
from sync.dedup.yardsticks import compared_simply
from sync.entities.reach import tree_of
from sync.errors import AlreadyDecided, NotFound, Refusal, Stale
from sync.models import EntityList, Match
from sync.models.database import begin_writing
from sync.projects.places import PlaceTree
from sync.review.decided import decided_last
from sync.review.leases import held_by_others, leave, take_lease
from sync.review.match_bulk import Confirmed
from sync.review.match_queue import ALL, Queued, Wanted, count_pairs, figures_on, matches, waiting
from sync.review.match_view import MatchSeen, Reason, names_of_pairs, reasons_of, view
from sync.review.match_words import doubt_words, why_words
from sync.review.matches import Pair, compared_lists, matching_list, pair_of
from sync.review.one_person import labels_of, last_decisions, visits_of
from sync.review.records import records_of

bp = Blueprint("match_pages", __name__, url_prefix="/projects/<int:pid>/duplicates")

_LIMIT = 15
_LEFT_OUT_SHOWN = 50
_LAST_SHOWN = 10
_SPARE = 5  # pairs that others may take while one is looked for
_TOLD = 0.005  # less is not seen in two decimals
_SAYS_SOMETHING = 0.5  # a lighter reason is not worth a word in a row


class QueueQuery(Strict):
    """Which pairs, from where on, and what was done before."""

    list_name = text(load_default="", data_key="list")
    state = fields.String(load_default=OPEN, validate=validate.OneOf(list(DECISIONS)))
    place = text(load_default="")
    likely = fields.String(load_default="", validate=validate.OneOf(list(BANDS)))
    cursor = text(load_default=None)
    later = text(load_default=None)
    done = fields.Integer(load_default=None, validate=validate.Range(min=0, max=LARGEST))
    left = fields.Integer(load_default=None, validate=validate.Range(min=0, max=LARGEST))
    bulk = fields.Integer(load_default=None, validate=validate.Range(min=0, max=LARGEST))
    undone = fields.Integer(load_default=None, validate=validate.Range(min=0, max=LARGEST))
    opened = fields.Integer(load_default=None, validate=validate.Range(min=0, max=10**6))
    kept = fields.Integer(load_default=0, validate=validate.Range(min=0, max=10**6))
    minimum = fields.Float(load_default=0.95, validate=validate.Range(min=0.5, max=1))


class HangingQuery(WaitingQuery, FreshQuery):
    """Of which list."""


class BulkForm(Schema):
    """How sure a pair has to be; whether it is only to be told what would happen."""

    class Meta:
        unknown = EXCLUDE

    list_name = text(required=True, data_key="list")
    percent = fields.Float(required=True, validate=validate.Range(min=50, max=100))
    reason = fields.String(load_default="", validate=validate.Length(max=10_000))
    act = fields.String(load_default="preview", validate=validate.OneOf(["preview", "confirm"]))


@dataclass(frozen=True, slots=True)
class Step:
    """A bar of the waterfall: a reason, where its bar begins and how wide it is of 100, and the sum so far."""

    reason: Reason
    x: float
    width: float
    total: float


@dataclass(frozen=True, slots=True)
class Rest:
    """What leads from the sum of the steps, as they are said, to how likely a pair is: why, by how much, to what."""

    said: str
    weight: float
    total: float


@bp.app_context_processor
def words_of_people() -> dict[str, Any]:
    """What templates call the codes of people and of lists."""
    return {"roles_said": ROLES, "bands": BANDS}


@bp.get("")
@needs("people.decide")
def queue(pid: int) -> ResponseReturnValue:
    """The pairs of a list: those to be decided, those on which most figures hang first; or the decided ones."""
    asked = read_query(QueueQuery())
    lists = compared_lists(session(), pid)
    if not lists:
        return render_template("duplicates_none.html", project=project_of(pid))
    known = _list_asked(lists, asked["list_name"])
    wanted = _wanted(pid, asked)
    reading = reading_of(pid, None)
    page = matches(reading, known.name, asked["state"], asked["cursor"], _LIMIT, wanted)
    pairs = [queued.pair for queued in page.items]
    decisions = last_decisions(session(), pid, known.name, pairs) if asked["state"] != OPEN else {}
    beside = asked["state"] == OPEN and not asked["cursor"]
    last = decided_last(session(), pid, known.name, _LAST_SHOWN) if beside else []
    ends = {end for pair in [*pairs, *(one.pair for one in last)] for end in (pair.a, pair.b)}
    said = [*decisions.values(), *(one.decision for one in last)]
    waits = open_pairs(session(), pid)
    held = _held(pid)
    actors = names_of_actors(session(), [*(one.actor_id or 0 for one in said), *held.values()])
    hands = {held.get(pair.id) for pair in pairs} if beside and page.cursor is None else set()
    shown = render_template(
        "duplicates.html",
        project=project_of(pid),
        lists=lists,
        known=known,
        waits=waits,
        kind=kind_of(known),
        asked=asked,
        address=_address(asked, known.name),
        items=page.items,
        later={queued.pair.id: queued.cursor for queued in page.items},
        count=waits.get(known.name, 0)
        if (asked["state"], wanted) == (OPEN, ALL)
        else count_pairs(reading, known.name, asked["state"], wanted),
        cursor=page.cursor,
        records=records_of(session(), pid, known.name, ends),
        reasons={pair.id: _weightiest(reasons_of(pair.parts, words().language)) for pair in pairs},
        decisions=decisions,
        last=last,
        decided={code: count_pairs(reading, known.name, code) for code in ("same", "different")} if last else {},
        actors=actors,
        held=held,
        holders=[] if None in hands else [name for one, name in actors.items() if one in hands],
        regions=_first_levels(tree_of(session(), pid)),
        of_people=not compared_simply(known.matching),
        done=_told(pid, asked["done"]),
        left=_told(pid, asked["left"]),
    )
    _note_look(pid, known.name, None, {"state": asked["state"], "shown": len(pairs)})
    return shown


@bp.get("/waiting")
@needs("people.decide")
def what_hangs(pid: int) -> ResponseReturnValue:
    """How many pairs are open, and which figures hang on them by how much."""
    asked = read_query(HangingQuery())
    name = asked["list_name"]
    matching_list(session(), pid, name)
    reading = reading_of(pid, None)

    def hanging() -> dict[str, Any]:
        found = waiting(reading, name)
        figures = [
            {
                "indicator": doubt.figure.definition.name,
                "said": doubt_words(doubt, words().language),
                "value": words().figure(doubt.figure),
            }
            for doubt in found.doubts
        ]
        return {"pairs": found.pairs, "deciding": found.deciding, "figures": figures}

    kind = name, words().locale
    told = _hanging.recall(session(), pid, kind, hanging, fresh=asked["fresh"], event=reading.as_of.event)
    return render_template(
        "duplicates_waiting.html",
        around=_around(),
        project=project_of(pid),
        list_name=name,
        told=told,
        waiting=told.worked,
    )


# As JSON has it: how many pairs there are, on how many a figure hangs, and each of these figures in words.
_hanging: Shared[dict[str, Any]] = Shared("hanging", awaited=True)


@bp.get("/next")
@needs("people.decide")
def next_pair(pid: int) -> ResponseReturnValue:
    """To the next pair of the queue after the cursor that nobody else has before them and that was not just left; to
    the queue itself if there is none."""
    asked = read_query(QueueQuery())
    known = _list_asked(compared_lists(session(), pid), asked["list_name"])
    more = _address(asked, known.name)
    limit = len(_held(pid)) + _SPARE
    page = matches(reading_of(pid, None), known.name, OPEN, asked["cursor"], limit, _wanted(pid, asked))
    found = _take_first(pid, [one for one in page.items if one.pair.id != asked["left"]])
    if found is None:
        return redirect(url_for("match_pages.queue", pid=pid, done=asked["done"], left=asked["left"], **more), 303)
    kept = {"done": asked["done"], "left": asked["left"]}
    way = {"cursor": asked["cursor"], "later": found.cursor, **kept, **more}
    return redirect(url_for("match_pages.pair", pid=pid, number=found.pair.id, **way), 303)


@bp.get("/<int:number>")
@needs("people.decide")
def pair(pid: int, number: int) -> ResponseReturnValue:
    """One pair side by side: what differs first, the reasons, what was decided before."""
    return _pair_page(pid, number, {}, None)


@bp.get("/<int:number>/figures")
@needs("people.decide")
def figures_of_pair(pid: int, number: int) -> ResponseReturnValue:
    """The figures that hang on a pair."""
    found = pair_of(session(), pid, number)
    indicators = figures_on(reading_of(pid, None), found.list_name, number) if found.state == OPEN else []
    return render_template(
        "duplicates_figures.html",
        around=_around(),
        project=project_of(pid),
        pair=found,
        name=names_of_pairs(session(), pid, [number])[number],
        indicators=indicators,
    )


@bp.post("/<int:number>")
@needs("people.decide")
def post_pair(pid: int, number: int) -> ResponseReturnValue:
    """Decide about a pair, or take a decision back; then on to the next one."""
    given = {name: request.form.get(name) for name in ("decision", "seen", "reason", "stands")}
    if given["decision"] != "same":
        given["stands"] = None
    decision = load(MatchDecisionSchema(), given | {"stands": given["stands"] or None})
    name = pair_of(session(), pid, number).list_name
    try:
        decide_match(begin(pid), number, decision)
    except (AlreadyDecided, Stale) as refusal:
        session().rollback()
        return _pair_page(pid, number, given, refusal), refusal.status
    asked = read_query(QueueQuery())
    way = {"cursor": asked["cursor"], **_address(asked, name)}
    if decision["decision"] == OPEN:
        if pair_still_there(pid, number):
            return redirect(url_for("match_pages.pair", pid=pid, number=number, undone=number, **way), 303)
        return redirect(url_for("match_pages.queue", pid=pid, undone=number, **_address(asked, name)), 303)
    return redirect(url_for("match_pages.next_pair", pid=pid, done=number, **way), 303)


@bp.get("/bulk")
@needs("people.decide")
def ask_for_bulk(pid: int) -> ResponseReturnValue:
    """How sure a pair has to be to be confirmed with others at once."""
    asked = read_query(QueueQuery())
    known = _list_asked(compared_lists(session(), pid), asked["list_name"])
    return render_template(
        "duplicates_bulk.html", project=project_of(pid), known=known, percent=asked["minimum"] * 100, found=None
    )


@bp.post("/bulk")
@needs("people.decide")
def post_bulk(pid: int) -> ResponseReturnValue:
    """Tell what confirming the surest pairs would do; or do it."""
    form = load(BulkForm(), request.form.to_dict())
    preview = form["act"] == "preview"
    wanted = {"list": form["list_name"], "minimum": form["percent"] / 100, "preview": preview}
    given = load(SurestSchema(), wanted | {"reason": form["reason"] or None})
    known = matching_list(session(), pid, form["list_name"])
    if preview:
        return confirm(pid, given, lambda found: _preview(pid, known, form, found))
    number = confirm(pid, given, lambda found: found.bulk)
    return redirect(url_for("match_pages.queue", pid=pid, list=form["list_name"], bulk=number), 303)


@bp.post("/bulk/<int:number>/undo")
@needs("people.decide")
def undo_bulk(pid: int, number: int) -> ResponseReturnValue:
    """Open again what was confirmed at once."""
    name = request.form.get("list", "")
    found = reopen(pid, number)
    return redirect(url_for("match_pages.queue", pid=pid, list=name, opened=found.opened, kept=found.kept), 303)


def pair_still_there(pid: int, number: int) -> bool:
    """A pair that nobody but people proposed goes with its decision."""
    try:
        pair_of(session(), pid, number)
    except NotFound:
        return False
    return True


def waterfall(reasons: Sequence[Reason]) -> list[Step]:
    """The bars of the reasons, each beginning where the one before it ended; the sums are those of the weights as they
    are said."""
    totals = [0.0]
    for reason in reasons:
        totals.append(totals[-1] + round(reason.part.weight, 1))
    low = min(totals)
    span = (max(totals) - low) or 1.0
    return [
        Step(
            reason,
            round((min(before, after) - low) / span * 100, 1),
            max(0.6, round(abs(after - before) / span * 100, 1)),
            round(after, 1) + 0.0,  # no −0
        )
        for reason, before, after in zip(reasons, totals, totals[1:], strict=False)
    ]


def _rest(steps: Sequence[Step], pair: Pair) -> Rest | None:
    if not steps or pair.weight is None or pair.probability is None or not 0 < pair.probability < 1:
        return None
    total = math.log2(pair.probability / (1 - pair.probability))
    weight = total - steps[-1].total
    if round(weight, 2) == 0:
        return None
    rounded = abs(total - pair.weight) < _TOLD
    said = gettext("What was rounded in the steps") if rounded else gettext("What such sums have proved worth so far")
    return Rest(said, weight, total)


def _pair_page(pid: int, number: int, typed: Mapping[str, Any], problem: Refusal | None) -> str:
    asked = read_query(QueueQuery())
    seen = view(session(), pid, number, words().language)
    name = seen.pair.list_name
    more = _address(asked, name)
    tree = tree_of(session(), pid)
    visits = {one.id: visits_of(session(), pid, name, [one.id], 5)[0] for one in (seen.a, seen.b)}
    holder = _held(pid).get(number)
    page = render_template(
        "duplicates_pair.html",
        project=project_of(pid),
        seen=seen,
        pair=seen.pair,
        kind=kind_of(matching_list(session(), pid, name)),
        sides=(seen.a, seen.b),
        steps=(steps := waterfall(seen.reasons)),
        rest=_rest(steps, seen.pair),
        undone=asked["undone"] == number,
        tree=tree,
        called=Meanings(pid, name, tree, (value for one in seen.compared for value in one.values)),
        visits=visits,
        titles=titles_of_forms(session(), pid),
        actors=names_of_actors(session(), [*_actors(seen), holder or 0]),
        holder=holder,
        waits=open_pairs(session(), pid).get(name, 0),
        way={"cursor": asked["cursor"], **more},
        later=asked["later"] or asked["cursor"],
        more=more,
        done=_told(pid, asked["done"]),
        left=_told(pid, asked["left"]),
        typed=typed,
        problem=problem,
    )
    _note_look(pid, str(number), number if seen.pair.state == OPEN else None)
    return page


def _held(pid: int) -> dict[int, int]:
    """The pairs that others have before them now, each with whom."""
    return held_by_others(session(), pid, current.visitor().actor_id, current.now(), Match)


def _take_first(pid: int, some: Sequence[Queued]) -> Queued | None:
    """The first of these that nobody else has before them; the visitor has it from now on."""
    begin_writing(session())
    held = _held(pid)
    found = next((one for one in some if one.pair.id not in held), None)
    if found is not None:
        take_lease(session(), pid, current.visitor().actor_id, found.pair.id, current.now())
    session().commit()
    return found


def _note_look(pid: int, subject: str, taken: int | None, details: Mapping[str, Any] | None = None) -> None:
    """Write into the audit trail what the visitor looked at, and which pair that waits is before him now, if any. It
    ends what the session was reading."""
    visitor, now = current.visitor().actor_id, current.now()
    begin_writing(session())
    if taken is None:
        leave(session(), pid, visitor)
    else:
        take_lease(session(), pid, visitor, taken, now)
    record_act(session(), pid, current.origin(), "match.viewed", now, subject, details)
    session().commit()


def _preview(pid: int, known: EntityList, form: Mapping[str, Any], found: Confirmed) -> str:
    some = found.left_out[:_LEFT_OUT_SHOWN]
    chosen = found.pairs[:_LEFT_OUT_SHOWN]
    ends = {end for pair in [*(one.pair for one in some), *chosen] for end in (pair.a, pair.b)}
    return render_template(
        "duplicates_bulk.html",
        project=project_of(pid),
        known=known,
        percent=form["percent"],
        reason=form["reason"],
        found=found,
        left_out=some,
        chosen=chosen,
        labels=labels_of(session(), pid, known.name, ends),
        why=lambda code: why_words(code, words().language),
    )


def _actors(seen: MatchSeen) -> list[int]:
    return [
        *(decision.actor_id or 0 for decision in seen.decisions),
        *(record.creator_id or 0 for record in (seen.a, seen.b)),
    ]


def _told(pid: int, number: int | None) -> Any:
    """The pair that was decided or left before, with what it is now."""
    if number is None or not pair_still_there(pid, number):
        return None
    done = pair_of(session(), pid, number)
    return done, labels_of(session(), pid, done.list_name, [done.a, done.b])


def _list_asked(lists: Sequence[EntityList], name: str) -> EntityList:
    found = next((known for known in lists if not name or known.name == name), None)
    if found is None:
        raise NotFound
    return found


def _wanted(pid: int, asked: Mapping[str, Any]) -> Wanted:
    least, most, _said = BANDS[asked["likely"]]
    places = None
    if asked["place"]:
        tree = tree_of(session(), pid)
        code = tree.code_of(asked["place"])
        places = frozenset(tree.below(code)) if code else frozenset()
    return Wanted(least, most, places)


def _address(asked: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What of the filter goes on into the next address."""
    kept = {"place": asked["place"] or None, "likely": asked["likely"] or None}
    return {"list": name, **kept}


def _weightiest(reasons: Sequence[Reason]) -> tuple[Reason | None, Reason | None]:
    """What says most for one person, and what most against it. The first of all reasons is where every pair begins; it
    says something only where the two live in different communes."""
    begins = 0 if reasons and reasons[0].part.level == ELSEWHERE else 1
    weighed = {reason.part.weight: reason for reason in reasons[begins:]}
    most, least = max(weighed, default=0.0), min(weighed, default=0.0)
    return (
        weighed[most] if most >= _SAYS_SOMETHING else None,
        weighed[least] if least <= -_SAYS_SOMETHING else None,
    )


def _first_levels(tree: PlaceTree) -> list[tuple[str, str]]:
    """The places of the first two levels, those inside another after it."""
    tops = sorted((one for one in tree.places.values() if one.parent is None), key=lambda one: one.name)
    found = []
    for top in tops:
        found.append((top.code, top.name))
        inside = sorted((one for one in tree.places.values() if one.parent == top.code), key=lambda one: one.name)
        found += [(one.code, f"{top.name} › {one.name}") for one in inside]
    return found


def _around() -> str:
    """A part is a page of its own to who follows its link, and without what stands around to htmx."""
    return "part.html" if request.headers.get("HX-Request") == "true" else "project_page.html"
