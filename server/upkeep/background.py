"""What goes on without a request: webhooks are told, what pages show is brought up to date, and once a day what has
expired is cleared away.

Each server process has a thread for each of these. The one that holds its lease works; when it falls silent, another
takes over.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server import clock, current
from server.acts.exporting import sweep_exports
from server.db import session
from server.kept.following import follow
from server.kept.remembered import forget_worked
from server.logs import log, log_failure
from server.upkeep.daily import apply_held, purge_deleted
from server.upkeep.telling import Telling
from sync.accounts.throttle import drop_old_failures
from sync.accounts.traffic import add_traffic, forget_traffic
from sync.intake.files import sweep
from sync.models import Lease
from sync.models.database import begin_writing, learn_sizes
from sync.webhooks.hooks import forget_deliveries

# Longer than a piece of work takes; if one does take longer, to have it done by two costs no more than time.
_LEASE_LASTS = dt.timedelta(seconds=180)
_PAUSE_SECONDS = 2.0
_DAY_SECONDS = 24 * 3600.0
# Each process writes down what its tablets used so often.
_TRAFFIC_SECONDS = 60.0
# So often it is looked whether anything that pages show is behind; bringing it up to date takes a tenth of the time.
_FOLLOW_SECONDS, _FOLLOW_RESTS = 20.0, 9
_TRAFFIC_KEPT = dt.timedelta(days=400)


def begin(app: Flask) -> Callable[[], None]:
    """Start the threads of this process; gives what is to be called when it ends in an orderly way."""
    stop, holder, telling = threading.Event(), secrets.token_hex(8), Telling()
    for name, work in (("webhooks", telling.begin), ("following", _follow), ("clearing", _clear)):
        _start(name, _work_for_ever, app, stop, holder, name, work)
    _start("traffic", _write_for_ever, app, stop)

    def end() -> None:
        stop.set()
        with app.app_context():
            for what, last in (("traffic_lost", write_traffic), ("leases_kept", lambda: give_back(holder))):
                try:
                    last()
                except Exception:
                    session().rollback()
                    log_failure(what)

    return end


def take_lease(name: str, holder: str, now: dt.datetime) -> bool:
    """Whether this holder does a piece of work now: it had the lease, or nobody has one that has not lapsed.

    One that lasts longer than any does was taken before the clock was turned back.
    """
    begin_writing(session())
    lapsed = (Lease.until < now) | (Lease.until > now + 2 * _LEASE_LASTS)
    mine = (Lease.name == name) & ((Lease.holder == holder) | lapsed)
    done: Any = session().execute(update(Lease).where(mine).values(holder=holder, until=now + _LEASE_LASTS))
    if done.rowcount == 0:
        if session().get(Lease, name) is not None:
            session().rollback()
            return False
        session().add(Lease(name=name, holder=holder, until=now + _LEASE_LASTS))
    try:
        session().commit()
    except IntegrityError:  # two began at the same moment
        session().rollback()
        return False
    return True


def give_back(holder: str) -> None:
    """Leave its work to others at once: whoever starts next need not wait until the leases lapse."""
    begin_writing(session())
    session().execute(delete(Lease).where(Lease.holder == holder))
    session().commit()


def write_traffic() -> None:
    """Write down what the tablets that this process has spoken to sent and received."""
    tally = current.parts().tally
    taken = tally.take()
    if not taken:
        return
    try:
        begin_writing(session())
        add_traffic(session(), taken)
        session().commit()
    except BaseException:
        tally.put_back(taken)
        raise


def clear_away() -> None:
    """What is done once a day. One task that fails costs the others nothing."""
    for name, task in TASKS:
        try:
            begin_writing(session())
            count = task(session(), clock.now())
            session().commit()
            log("cleared_away", what=name, count=count)
        except Exception:
            session().rollback()
            log_failure("clearing_failed", what=name)


TASKS: tuple[tuple[str, Callable[[Session, dt.datetime], int]], ...] = (
    ("uploads", sweep),
    ("submissions", purge_deleted),
    ("held", apply_held),
    ("sizes", lambda opened, _now: learn_sizes(opened)),
    ("exports", lambda _opened, _now: sweep_exports()),
    ("deliveries", forget_deliveries),
    ("worked_out", forget_worked),
    ("failures", drop_old_failures),
    ("traffic", lambda opened, now: forget_traffic(opened, (now - _TRAFFIC_KEPT).date())),
)


def _start(name: str, target: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=target, args=arguments, daemon=True, name=name).start()


def _work_for_ever(
    app: Flask, stop: threading.Event, holder: str, name: str, work: Callable[[Flask], float | None]
) -> None:
    """Do a piece of work again and again while this process holds its lease; it says for how long it may rest."""
    half = _LEASE_LASTS.total_seconds() / 2
    holds, renewed, rests = False, 0.0, 0.0
    while not stop.is_set():
        with app.app_context():
            try:
                if not holds or time.monotonic() - renewed > half:
                    holds, renewed = take_lease(name, holder, clock.now()), time.monotonic()
                if holds and time.monotonic() > rests:
                    rests = (work(app) or 0.0) + time.monotonic()
            except Exception:
                session().rollback()
                log_failure("background_failed", what=name)
                holds = False
        stop.wait(_PAUSE_SECONDS if holds else half)


def _follow(app: Flask) -> float:
    return max(_FOLLOW_SECONDS, _FOLLOW_RESTS * follow(app))


def _clear(_app: Flask) -> float:
    clear_away()
    return _DAY_SECONDS


def _write_for_ever(app: Flask, stop: threading.Event) -> None:
    while not stop.wait(_TRAFFIC_SECONDS):
        with app.app_context():
            try:
                write_traffic()
            except Exception:
                session().rollback()
                log_failure("traffic_not_written")
