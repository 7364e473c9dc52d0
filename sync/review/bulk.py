"""One decision about many submissions at once: looked at beforehand, and taken back as one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, select, update

from sync.errors import AlreadyDecided, NotFound, Unexpected
from sync.indicators.moving import Totals
from sync.journal import Journal
from sync.models import BulkReviewed, Event, ReviewBulk, Submission
from sync.models.database import insert_rows
from sync.review.counting import APPROVED, REJECTED
from sync.review.decide import STATES, comment_text, kind_of, write_comments
from sync.review.queue import Sought, ids_sought
from sync.review.rehearsal import shifts_without
from sync.review.shifts import Shift, Span, shifts_between
from sync.review.standing import all_entities_follow, all_standing, figures_follow

MOST_AT_ONCE = 1000
_TRIES = 3
# Why one that was meant is left as it is.
CHANGED = "changed"  # since whoever decides has looked
GONE = "gone"  # deleted, or never there
TOUCHED = "touched"  # by somebody since it was decided about together with others
WORDS: Mapping[str, Mapping[str, str]] = {
    CHANGED: {"en": "has changed since you looked", "fr": "a changé depuis que vous l’avez regardée"},
    GONE: {"en": "is not there any more", "fr": "n’est plus là"},
    TOUCHED: {"en": "somebody has worked on it since", "fr": "quelqu’un y a travaillé depuis"},
}
# What people do to a submission; a photo that arrives late, or a copy that turns up, is nobody's doing.
_DEEDS = ("edited", "reviewed", "rejected", "restored", "deleted", "commented")


@dataclass(frozen=True, slots=True)
class Moved:
    """A submission whose state is another now."""

    id: int
    form_id: str
    instance_id: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A submission that was meant and stays as it is. Of one that is not there, only the id is known."""

    id: int
    form_id: str | None
    instance_id: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was decided. `bulk` is the number by which to undo it, None if nothing was.

    `unchanged` had the state already. `more` says that a filter finds further ones than can be decided about at once;
    `seen` is the project's last event, as whoever looks at a preview sees it. Which figures that shifts, a preview
    tells; else it can be asked for the `span` once all is committed, when nobody waits for it.
    """

    bulk: int | None
    moved: Sequence[Moved]
    unchanged: int
    left_out: Sequence[LeftOut]
    more: bool
    span: Span
    shifts: Sequence[Shift] = ()

    @property
    def seen(self) -> int:
        return self.span.before


@dataclass(frozen=True, slots=True)
class Undone:
    """Which submissions have the state again that they had, and which were left to those who have touched them."""

    restored: Sequence[Moved]
    left_out: Sequence[LeftOut]
    span: Span

    @property
    def event(self) -> int:
        return self.span.after


def review_many(
    journal: Journal,
    meant: Sought | Sequence[int],
    state: str | None,
    *,
    comment: str | None = None,
    seen: int | None = None,
) -> Reviewed:
    """Decide alike about all that a filter finds, or about all of these ids; counts, entities and figures follow.

    What has changed after the event `seen` is left out and named. Raises Unexpected for a state that there is not, and
    for too many ids.
    """
    if state not in STATES:
        raise Unexpected(f"{state!r} is not a review state; it is null, edited, hasIssues, rejected or approved.")
    text = comment_text(comment) if comment is not None else None
    ids, more = _meant(journal, meant)
    found = all_standing(journal, ids)
    there = {row.id for row in found}
    left_out = [LeftOut(id_, None, None, GONE) for id_ in ids if id_ not in there]
    left_out += [_left(row, CHANGED) for row in found if seen is not None and row.event > seen]
    decidable = [row for row in found if seen is None or row.event <= seen]
    moving = [row for row in decidable if row.review_state != state]
    looked_at = journal.last_event
    counted_anew = _move(journal, [(row, state) for row in moving])
    if text is not None:
        said = write_comments(journal, [row.id for row in moving], text)
        _touch(journal, {id_: event for id_, (event, _) in said.items()})
    bulk = _note(journal, moving, state) if moving else None
    moved = [Moved(row.id, row.form_id, row.instance_id, row.review_state, state) for row in moving]
    span = Span(looked_at, journal.last_event, journal.now, counted_anew)
    return Reviewed(bulk, moved, len(decidable) - len(moving), left_out, more, span)


def preview_review(
    opened: Callable[[], Journal],
    meant: Sought | Sequence[int],
    state: str | None,
    *,
    comment: str | None = None,
    seen: int | None = None,
    known: Totals | None,
) -> Reviewed:
    """What would come of `review_many` and which figures it would shift, with nothing of it left when this ends: the
    transaction is taken back. Others may write while figures are worked out.

    `opened` gives a journal, once more if somebody came in between. `known` totals spare the counting of what was there
    before.
    """
    for tries_left in reversed(range(_TRIES)):
        journal = opened()
        found = review_many(journal, meant, state, comment=comment, seen=seen)
        if tries_left:
            shifts = shifts_without(journal, found.span, known)
        else:
            journal.session.flush()
            shifts = shifts_between(journal.session, journal.project_id, found.span, known)
            journal.session.rollback()
        if shifts is not None:
            break
    return replace(found, bulk=None, shifts=shifts or [])


def undo_review(journal: Journal, bulk: int) -> Undone:
    """Give back the states that submissions had before they were decided about together, but for those that somebody
    has touched since. What was said in comments stays said.

    Raises NotFound for a number that there is not, AlreadyDecided if it was undone before.
    """
    row = journal.session.get(ReviewBulk, (journal.project_id, bulk))
    if row is None:
        raise NotFound("Nothing was decided under this number.")
    if row.undone is not None:
        raise AlreadyDecided("This was undone before.", details={"event": row.undone})
    states = _states_before(journal, bulk)
    found = all_standing(journal, list(states))
    there = {one.id for one in found}
    touched = _touched(journal, row.event) if any(one.event > row.event for one in found) else set()
    left_out = [LeftOut(id_, None, None, GONE) for id_ in states if id_ not in there]
    left_out += [_left(one, TOUCHED) for one in found if one.id in touched]
    moving = [(one, states[one.id]) for one in found if one.id not in touched]
    looked_at = journal.last_event
    counted_anew = _move(journal, moving)
    row.undone = journal.last_event
    restored = [Moved(one.id, one.form_id, one.instance_id, one.review_state, state) for one, state in moving]
    return Undone(restored, left_out, Span(looked_at, journal.last_event, journal.now, counted_anew))


def _meant(journal: Journal, meant: Sought | Sequence[int]) -> tuple[list[int], bool]:
    if isinstance(meant, Sought):
        found = ids_sought(journal.session, journal.project_id, meant, MOST_AT_ONCE + 1)
        return found[:MOST_AT_ONCE], len(found) > MOST_AT_ONCE
    ids = sorted(set(meant))
    if len(ids) > MOST_AT_ONCE:
        raise Unexpected(f"At most {MOST_AT_ONCE} submissions are decided about at once; these are {len(ids)}.")
    return ids, False


def _move(journal: Journal, moving: Sequence[tuple[Any, str | None]]) -> Collection[int]:
    """Give each submission its new state, as an event of its own; then let all that depends on them follow together.
    Gives the submissions that were counted anew."""
    if not moving:
        return ()
    # Those that leave or enter what counts come last: a copy that is decided about too follows by their event.
    order = sorted(moving, key=lambda one: (REJECTED in (one[0].review_state, one[1]), one[0].id))
    events: dict[int, int] = {}
    for row, state in order:
        details = {"from": row.review_state, "to": state}
        events[row.id] = journal.record(kind_of(row.review_state, state), row.id, details)
    journal.connection.execute(
        _DECIDE,
        [
            {
                "b_project": journal.project_id,
                "b_id": row.id,
                "b_state": state,
                "b_event": events[row.id],
                "b_now": journal.now,
            }
            for row, state in order
        ],
    )
    for after in STATES:
        some = [row for row, state in moving if state == after and {REJECTED, APPROVED} & {row.review_state, state}]
        if some:
            all_entities_follow(journal, some, after)
    return figures_follow(journal, sorted(events), journal.last_event, events)


def _note(journal: Journal, moving: Sequence[Any], state: str | None) -> int:
    """Write down what each was. All that has to do with the decision has happened by now: what comes later is new."""
    bulk = journal.new_id()
    own: dict[str, Any] = {"project_id": journal.project_id, "id": bulk, "state": state, "actor_id": journal.actor_id}
    own |= {"event": journal.last_event, "at": journal.now, "undone": None}
    rows = [
        {"project_id": journal.project_id, "bulk": bulk, "submission_id": row.id, "before": row.review_state}
        for row in moving
    ]
    insert_rows(journal.connection, ReviewBulk.__table__, [own])  # type: ignore[arg-type]
    insert_rows(journal.connection, BulkReviewed.__table__, rows)  # type: ignore[arg-type]
    return bulk


def _states_before(journal: Journal, bulk: int) -> dict[int, str | None]:
    query = select(BulkReviewed.submission_id, BulkReviewed.before).where(
        BulkReviewed.project_id == journal.project_id, BulkReviewed.bulk == bulk
    )
    rows = journal.session.execute(query.order_by(BulkReviewed.submission_id))
    return {id_: before for id_, before in rows}  # noqa: C416 — dict() takes no row for a pair


def _touched(journal: Journal, after: int) -> set[int]:
    """The submissions to which somebody has done something after the event."""
    query = select(Event.submission_id).where(
        Event.project_id == journal.project_id, Event.number > after, Event.kind.in_(_DEEDS)
    )
    return {id_ for id_ in journal.session.scalars(query.distinct()) if id_ is not None}


def _touch(journal: Journal, events: Mapping[int, int]) -> None:
    rows = [
        {"b_project": journal.project_id, "b_id": id_, "b_event": event, "b_now": journal.now}
        for id_, event in events.items()
    ]
    if rows:
        journal.connection.execute(_TOUCH, rows)


_OF_ONE = Submission.project_id == bindparam("b_project"), Submission.id == bindparam("b_id")
_TOUCH = update(Submission).where(*_OF_ONE).values(event=bindparam("b_event"), updated_at=bindparam("b_now"))
_DECIDE = _TOUCH.values(review_state=bindparam("b_state"))


def _left(row: Any, why: str) -> LeftOut:
    return LeftOut(row.id, row.form_id, row.instance_id, why)
