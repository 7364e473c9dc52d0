"""What goes on without a request: webhooks are told, what pages show is brought up to date, and once a day what has
expired is cleared away.

Each server process has a thread for it. The one that holds the lease works; when it falls silent, another takes over.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server import clock, current
from server.daily import apply_held, purge_deleted
from server.db import release, session
from server.exporting import sweep_exports
from server.following import follow
from server.logs import log, log_failure
from server.outside import post
from server.queries.remembered import forget_worked
from sync.accounts.traffic import add_traffic, forget_traffic
from sync.intake.files import sweep
from sync.models import Lease, Webhook
from sync.models.database import begin_writing, learn_sizes
from sync.webhooks.hooks import forget_deliveries
from sync.webhooks.telling import due, next_message, note

_LEASE = "background"
# Longer than a round and its last delivery may take.
_LEASE_LASTS = dt.timedelta(seconds=180)
_ROUND_SECONDS = 20.0
_PAUSE_SECONDS = 2.0
_DAY_SECONDS = 24 * 3600.0
# So many deliveries in a row go to one webhook before the others have their turn.
_IN_A_ROW = 20
# Each process writes down what its tablets used so often.
_TRAFFIC_SECONDS = 60.0
# So often it is looked whether anything that pages show is behind; bringing it up to date takes a tenth of the time.
_FOLLOW_SECONDS, _FOLLOW_RESTS = 20.0, 9
_TRAFFIC_KEPT = dt.timedelta(days=400)


def begin(app: Flask, stop: threading.Event | None = None) -> threading.Thread:
    """Start the thread of this process. It ends with the process, or once `stop` is set."""
    thread = threading.Thread(
        target=_work_for_ever, args=(app, stop or threading.Event()), daemon=True, name="background"
    )
    thread.start()
    return thread


def take_lease(holder: str, now: dt.datetime) -> bool:
    """Whether this holder does the work now: it had the lease, or nobody has one that has not lapsed.

    One that lasts longer than any does was taken before the clock was turned back.
    """
    begin_writing(session())
    lapsed = (Lease.until < now) | (Lease.until > now + 2 * _LEASE_LASTS)
    mine = (Lease.name == _LEASE) & ((Lease.holder == holder) | lapsed)
    done: Any = session().execute(update(Lease).where(mine).values(holder=holder, until=now + _LEASE_LASTS))
    if done.rowcount == 0:
        if session().get(Lease, _LEASE) is not None:
            session().rollback()
            return False
        session().add(Lease(name=_LEASE, holder=holder, until=now + _LEASE_LASTS))
    try:
        session().commit()
    except IntegrityError:  # two began at the same moment
        session().rollback()
        return False
    return True


def tell_webhooks() -> int:
    """Tell webhooks that are due what they have not heard, those that waited longest first, until it is time to look
    after the lease; gives how many deliveries were tried."""
    hooks = due(session(), clock.now())
    release()
    began, tried = time.monotonic(), 0
    for project_id, hook_id in hooks:
        if time.monotonic() - began > _ROUND_SECONDS:
            break
        tried += _tell(project_id, hook_id)
    return tried


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
    ("traffic", lambda opened, now: forget_traffic(opened, (now - _TRAFFIC_KEPT).date())),
)


def _work_for_ever(app: Flask, stop: threading.Event) -> None:
    holder, cleared, renewed = secrets.token_hex(8), -_DAY_SECONDS, -_PAUSE_SECONDS
    half = _LEASE_LASTS.total_seconds() / 2
    holds, written, follows = False, time.monotonic(), time.monotonic() + _FOLLOW_SECONDS
    while not stop.is_set():
        with app.app_context():
            try:
                if time.monotonic() - written > _TRAFFIC_SECONDS:
                    write_traffic()
                    written = time.monotonic()
                if not holds or time.monotonic() - renewed > half:
                    holds, renewed = take_lease(holder, clock.now()), time.monotonic()
                if holds:
                    if time.monotonic() - cleared > _DAY_SECONDS:
                        clear_away()
                        cleared = time.monotonic()
                    tell_webhooks()
            except Exception:
                session().rollback()
                log_failure("background_failed")
                holds = False
        if holds and time.monotonic() > follows:
            follows = time.monotonic() + max(_FOLLOW_SECONDS, _FOLLOW_RESTS * _followed(app))
        stop.wait(_PAUSE_SECONDS if holds else half)


def _followed(app: Flask) -> float:
    try:
        return follow(app)
    except Exception:
        log_failure("following_failed")
        return 0.0


def _tell(project_id: int, hook_id: int) -> int:
    """Deliveries to one webhook, one after the other, until it has heard all or does not answer well."""
    began = time.monotonic()
    for told in range(_IN_A_ROW):
        if time.monotonic() - began > _ROUND_SECONDS:
            return told
        begin_writing(session())
        hook = session().get(Webhook, (project_id, hook_id))
        message = next_message(session(), hook, clock.now()) if hook is not None and hook.state != "paused" else None
        session().commit()
        if message is None:
            return told
        release()  # the other side may take its time; nobody here waits for it
        outcome = post(message.url, message.body, message.headers, inside=current.settings().webhooks_inside)
        begin_writing(session())
        hook = session().get(Webhook, (project_id, hook_id))
        if hook is not None and hook.told < message.event:
            note(session(), hook, message.event, outcome, clock.now())
        session().commit()
        log("webhook_told", project=project_id, webhook=hook_id, number=message.event, status=outcome.status)
        if not outcome.heard:
            return told + 1
    return _IN_A_ROW
