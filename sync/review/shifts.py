"""Which figures a decision has moved: the totals of the indicators that it touched, before it and after."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from sync.indicators.counting import by_subject
from sync.indicators.figures import Figure, figures
from sync.indicators.moments import AsOf
from sync.indicators.moving import Totals, adds_up, totals_moved
from sync.indicators.reading import Reading
from sync.journal import Journal
from sync.models import Contribution, Membership
from sync.models.probing import rows_of_keys


@dataclass(frozen=True, slots=True)
class Shift:
    """A figure that a decision moves: its total for all time, before and after."""

    before: Figure
    after: Figure


@dataclass(frozen=True, slots=True)
class Span:
    """What was done after the event `before`, up to and with the event `after`; it counted these submissions anew."""

    before: int
    after: int
    at: dt.datetime
    counted_anew: Collection[int] = ()


def shifts_since(journal: Journal, event: int, known: Totals | None) -> list[Shift]:
    """`shifts_between` for what the transaction has done by this moment, if it counted no submission anew."""
    journal.session.flush()
    span = Span(event, journal.last_event, journal.now)
    return shifts_between(journal.session, journal.project_id, span, known)


def shifts_between(session: Session, project_id: int, span: Span, known: Totals | None = None) -> list[Shift]:
    """The figures that are others after a span than they were before it, in the order of their names. `known` spares
    counting all that was there before, if it is of that event."""
    before, after = (Reading(session, project_id, AsOf(number, span.at)) for number in (span.before, span.after))
    if known is not None and known.event == span.before:
        known.tell(before)
    names = _follow(before, after, span.counted_anew)
    return shifted(*(figures(reading, names, sees_small_cells=True) for reading in (before, after)))


def shifted(before: Sequence[Figure], after: Sequence[Figure]) -> list[Shift]:
    """Those of the same figures that are not the same."""
    return [Shift(*pair) for pair in zip(before, after, strict=True) if _range(pair[0]) != _range(pair[1])]


def _follow(before: Reading, after: Reading, counted_anew: Iterable[int]) -> Sequence[str]:
    """The indicators of which a contribution came or went, or that count people of a list in which somebody came to
    stand for somebody else; and the ratios built on them. Of those that add up, the totals after are known then."""
    rows, members = _rows_since(after, before.as_of.event, counted_anew), _members_since(after, before.as_of.event)
    period, definitions = after.period("all"), after.definitions.values()
    found = {
        one.name
        for one in definitions
        if one.aggregate != "list"  # of which there is no total
        and (one.id in rows or (by_subject(one) and _meets(one.subject_lists, members.keys())))
    }
    ratios = [one for one in definitions if not found.isdisjoint((one.row.numerator, one.row.denominator))]
    counted = found.union(part.name for ratio in ratios for part in after.parts(ratio))
    for definition in map(after.definition, sorted(counted)):
        if adds_up(definition):
            changed = rows.get(definition.id, ())
            subjects = {subject for subject, _ in changed if subject is not None}
            subjects.update(*(some for name, some in members.items() if _meets(definition.subject_lists, {name})))
            submission_ids = {submission_id for _, submission_id in changed}
            totals = totals_moved(before, after, definition, period, subjects, submission_ids)
            after.know_totals(definition, period, totals)
    return sorted(found.union(one.name for one in ratios))


def _rows_since(reading: Reading, event: int, submission_ids: Iterable[int]) -> Mapping[int, set[_Row]]:
    """Of each indicator the rows that came or went after the event, up to that of the reading, by subject and
    submission."""
    columns = [Contribution.indicator_id, Contribution.opened, Contribution.closed, Contribution.subject]
    rows = rows_of_keys(
        reading.session.connection(),
        [*columns, Contribution.submission_id],
        [Contribution.submission_id],
        [(submission_id,) for submission_id in sorted(submission_ids)],
        (Contribution.project_id, reading.project_id),
    )
    found: defaultdict[int, set[_Row]] = defaultdict(set)
    for indicator_id, opened, closed, subject, submission_id in rows:
        if event < opened <= reading.as_of.event or event < (closed or 0) <= reading.as_of.event:
            found[indicator_id].add((subject, submission_id))
    return found


def _members_since(reading: Reading, event: int) -> Mapping[str, set[str]]:
    """Of each list the entities that came to stand for somebody else after the event, up to that of the reading."""
    chosen = select(Membership.list_name, Membership.entity_id).where(Membership.project_id == reading.project_id)
    found: defaultdict[str, set[str]] = defaultdict(set)
    upto = reading.as_of.event
    query = union(*(chosen.where(column > event, column <= upto) for column in (Membership.opened, Membership.closed)))
    for list_name, entity_id in reading.session.execute(query):
        found[list_name].add(entity_id)
    return found


_Row = tuple[str | None, int]


def _meets(lists: frozenset[str] | None, some: Set[str]) -> bool:
    return bool(some) if lists is None else not lists.isdisjoint(some)


def _range(found: Figure) -> tuple[object, ...]:
    return found.value, found.low, found.high
