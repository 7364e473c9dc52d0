"""Which figures a decision has moved: the totals of the indicators that it touched, before it and after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select, union

from sync.indicators.counting import by_subject
from sync.indicators.figures import Figure, figures
from sync.indicators.reading import AsOf, Reading
from sync.journal import Journal
from sync.models import Contribution, Membership
from sync.models.probing import rows_of_keys


@dataclass(frozen=True, slots=True)
class Shift:
    """A figure that a decision moves: its total for all time, before and after."""

    before: Figure
    after: Figure


def shifts_since(journal: Journal, event: int, counted_anew: Iterable[int] = ()) -> list[Shift]:
    """The figures that are others, as things stand at this moment of the transaction, than they were as of an event
    before all that it did, in the order of their names. It has counted these submissions anew."""
    journal.session.flush()
    before, after = (
        Reading(journal.session, journal.project_id, AsOf(number, journal.now))
        for number in (event, journal.last_event)
    )
    names = _touched(after, event, counted_anew)
    both = zip(*(figures(reading, names, sees_small_cells=True) for reading in (before, after)), strict=True)
    return [Shift(*pair) for pair in both if _range(pair[0]) != _range(pair[1])]


def _touched(reading: Reading, event: int, counted_anew: Iterable[int]) -> Sequence[str]:
    """The indicators of which a contribution came or went, or that count people of a list in which somebody came to
    stand for somebody else; and the ratios built on them."""
    rows = rows_of_keys(
        reading.session.connection(),
        [Contribution.indicator_id, Contribution.opened, Contribution.closed],
        [Contribution.submission_id],
        [(submission_id,) for submission_id in sorted(counted_anew)],
        (Contribution.project_id, reading.project_id),
    )
    ids = {indicator_id for indicator_id, opened, closed in rows if event < max(opened, closed or 0)}
    of_project = select(Membership.list_name).where(Membership.project_id == reading.project_id)
    moved = union(of_project.where(Membership.opened > event), of_project.where(Membership.closed > event))
    lists = set(reading.session.scalars(moved))
    definitions = reading.definitions.values()
    found = {one.name for one in definitions if one.id in ids or (by_subject(one) and _meets(one.subject_lists, lists))}
    built = {one.name for one in definitions if not found.isdisjoint((one.row.numerator, one.row.denominator))}
    return sorted(found | built)


def _meets(lists: frozenset[str] | None, some: set[str]) -> bool:
    return bool(some) if lists is None else not lists.isdisjoint(some)


def _range(found: Figure) -> tuple[object, ...]:
    return found.value, found.low, found.high
