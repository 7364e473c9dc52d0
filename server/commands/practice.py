"""The command that turns the clock of an installation for practice."""

from __future__ import annotations

import datetime as dt

import click
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import clock
from server.commands.common import installation_opened
from server.db import session
from sync.models import Event

TRUE = "true"
_EARLIEST = 1970


@click.command(name="clock")
@click.argument("moment", required=False)
def clock_command(moment: str | None) -> None:
    """Say what time it is here, or turn the clock back: siby clock 2025-04-01, for an installation in which people
    practise with a year that is over; siby clock true puts it right again.

    What is stored has its times from it, and stays in their order: the clock is never turned to before the last change,
    nor ahead of the true time.
    """
    with installation_opened():
        if moment is not None:
            turn_clock(session(), None if moment == TRUE else _moment(moment))
        practice = " (a clock for practice; siby clock true puts it right)" if clock.is_behind() else ""
        click.echo(f"{clock.now():%Y-%m-%d %H:%M} UTC{practice}")


def turn_clock(opened: Session, moment: dt.datetime | None) -> None:
    """Let it be `moment` in this installation; the true time, for None. Raises UsageError where what is stored forbids
    it."""
    wanted = moment or clock.true_now()
    last = last_change(opened)
    if wanted.year < _EARLIEST:
        raise click.UsageError(f"Choose a time after the beginning of {_EARLIEST}.")
    if wanted > clock.true_now():
        raise click.UsageError("A clock for practice is behind the true time, never ahead of it.")
    if last is not None and wanted < last:
        raise click.UsageError(f"The last change here is of {last:%Y-%m-%d %H:%M} UTC; choose a time after it.")
    clock.turn(moment)


def last_change(opened: Session) -> dt.datetime | None:
    """When anything was changed here last; None in a new installation."""
    return opened.scalar(select(func.max(Event.at)))


def _moment(written: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(written)
    except ValueError:
        raise click.UsageError(f"‘{written}’ is no moment; write one as 2025-04-01 or 2025-04-01T08:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
