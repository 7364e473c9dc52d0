"""What all indicators come to, for whoever is to be told what a change does to them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from server import clock
from server.kept.remembered import Shared
from sync.indicators.moments import resolve_as_of
from sync.indicators.moving import Totals, Written, write_totals
from sync.indicators.reading import Reading


def totals_of(session: Session, project_id: int) -> Totals:
    """As things stand. To be asked for before the project's lock is taken: with much behind them it takes seconds when
    something has happened since the last time."""
    reading = Reading(session, project_id, resolve_as_of(session, project_id, None, clock.now()))
    event = reading.as_of.event
    return Totals(event, _written.get(session, project_id, (), lambda: write_totals(reading), event=event))


_written: Shared[Written] = Shared("totals")
