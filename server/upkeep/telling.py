"""Webhooks are told what has happened: each by a thread of its own, so that a slow receiver holds up no other."""

from __future__ import annotations

import threading
import time

from flask import Flask

from server import clock, current
from server.db import release, session
from server.logs import log, log_failure
from server.wire.outside import post
from sync.models import Webhook
from sync.models.database import begin_writing
from sync.webhooks.telling import due, next_message, note

# So many webhooks are told at the same time, each of them so many times in a row or for so long, until it is due again.
_AT_ONCE, _IN_A_ROW, _WHILE_SECONDS = 8, 20, 20.0


class Telling:
    """Who is being told at the moment."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, int], threading.Thread] = {}

    def begin(self, app: Flask) -> None:
        """Begin to tell the webhooks that are due, those that waited longest first, and wait for none of them."""
        self._told = {hook: thread for hook, thread in self._told.items() if thread.is_alive()}
        for hook in due(session(), clock.now()):
            if hook not in self._told and len(self._told) < _AT_ONCE:
                self._told[hook] = threading.Thread(target=_tell, args=(app, *hook), daemon=True, name="webhook")
                self._told[hook].start()
        release()

    def finish(self) -> None:
        """Wait until all who are being told have heard, or have not answered well."""
        for thread in self._told.values():
            thread.join()


def _tell(app: Flask, project_id: int, hook_id: int) -> None:
    """Deliveries to one webhook, one after the other, until it has heard all or does not answer well."""
    began = time.monotonic()
    with app.app_context():
        try:
            for _ in range(_IN_A_ROW):
                if time.monotonic() - began > _WHILE_SECONDS or not _tell_one(project_id, hook_id):
                    return
        except Exception:
            session().rollback()
            log_failure("telling_failed", project=project_id, webhook=hook_id)


def _tell_one(project_id: int, hook_id: int) -> bool:
    """One delivery, if there is anything to tell; whether there may be more, which it has not refused to hear."""
    hook = _held(project_id, hook_id)
    begun = hook.told if hook is not None else None
    message = next_message(session(), hook, clock.now()) if hook is not None and hook.state != "paused" else None
    told = hook.told if hook is not None else None
    session().commit()
    if message is None:
        return told != begun  # a part of the journal in which there was nothing to tell
    release()  # the other side may take its time; nobody here waits for it
    outcome = post(message.url, message.body, message.headers, inside=current.settings().webhooks_inside)
    hook = _held(project_id, hook_id)
    if hook is not None and hook.told == told:  # else somebody has it told again from elsewhere
        note(session(), hook, message.event, outcome, clock.now())
    session().commit()
    log("webhook_told", project=project_id, webhook=hook_id, number=message.event, status=outcome.status)
    return outcome.heard


def _held(project_id: int, hook_id: int) -> Webhook | None:
    """The webhook, which nobody else changes until the commit: where somebody sends it back to, there it begins."""
    begin_writing(session())
    return session().get(Webhook, (project_id, hook_id), with_for_update=True)
