"""Webhooks of a project: made, changed, replayed, and what became of each delivery."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.acts.changing import begin, finish
from server.api.schemas import PageQuery, Strict
from server.db import release, session
from server.door.guards import needs
from server.logs import log
from server.wire.answers import answer, done
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from server.wire.outside import post
from sync.accounts.audit import record_act
from sync.models import Delivery, Webhook
from sync.models.database import begin_writing
from sync.webhooks.hooks import (
    TYPES,
    add_webhook,
    change_webhook,
    deliveries_of,
    find_webhook,
    remove_webhook,
    replay,
    webhooks_of,
)
from sync.webhooks.telling import Outcome, ping_message

bp = Blueprint("webhooks", __name__, url_prefix="/v1/projects/<int:pid>/webhooks")

_EVENT = validate.Range(min=0, max=2**53)


class DeliveriesQuery(PageQuery):
    """From which attempt on; `offset` is passed over."""

    cursor = fields.String(load_default=None, validate=validate.Length(max=100))


class WebhookChangeSchema(Strict):
    """What may change of a webhook. No types means all of them; `answers` lets what was filled in come along."""

    url = fields.String(validate=validate.Length(min=1, max=2000))
    types = fields.List(fields.String(validate=validate.OneOf(TYPES)), validate=validate.Length(max=len(TYPES)))
    answers = fields.Boolean()
    paused = fields.Boolean()


class NewWebhookSchema(WebhookChangeSchema):
    """A webhook to make. It hears of what happens from now on, or of all after the event `since`."""

    url = fields.String(required=True, validate=validate.Length(min=1, max=2000))
    since = fields.Integer(strict=True, validate=_EVENT)


class ReplaySchema(Strict):
    """From where it is told again: what came after this event."""

    since = fields.Integer(required=True, strict=True, validate=_EVENT)


@bp.get("")
@needs("project.manage")
@documented("webhooks", answer="application/json")
def get_webhooks(pid: int) -> ResponseReturnValue:
    """The project's webhooks, and how far each has come."""
    return answer([_shown(hook) for hook in webhooks_of(session(), pid)])


@bp.post("")
@needs("project.manage")
@documented("webhooks", body=NewWebhookSchema, answer="application/json")
def post_webhook(pid: int) -> ResponseReturnValue:
    """Make a webhook. The answer carries the secret that its deliveries are signed with, this once."""
    hook = add(pid, read_json(NewWebhookSchema()))
    return answer(_shown(hook) | {"secret": hook.secret})


@bp.get("/<int:number>")
@needs("project.manage")
@documented("webhooks", answer="application/json")
def get_webhook(pid: int, number: int) -> ResponseReturnValue:
    """One webhook."""
    return answer(_shown(find_webhook(session(), pid, number)))


@bp.patch("/<int:number>")
@needs("project.manage")
@documented("webhooks", body=WebhookChangeSchema, answer="application/json")
def patch_webhook(pid: int, number: int) -> ResponseReturnValue:
    """Change a webhook, pause it, or let it go on."""
    return answer(_shown(change(pid, number, read_json(WebhookChangeSchema()))))


@bp.delete("/<int:number>")
@needs("project.manage")
@documented("webhooks")
def delete_webhook(pid: int, number: int) -> ResponseReturnValue:
    """Tell it nothing any more."""
    remove(pid, number)
    return done()


@bp.post("/<int:number>/replay")
@needs("project.manage")
@documented("webhooks", body=ReplaySchema, answer="application/json")
def post_replay(pid: int, number: int) -> ResponseReturnValue:
    """Tell it again of everything after an event; each delivery has the same id as before."""
    return answer(_shown(tell_again(pid, number, read_json(ReplaySchema())["since"])))


@bp.post("/<int:number>/ping")
@needs("project.manage")
@documented("webhooks", answer="application/json")
def post_ping(pid: int, number: int) -> ResponseReturnValue:
    """Send it a message of the type `ping`, signed like any other, and say how it answered. Nothing is told by it."""
    outcome = ping(pid, number)
    return answer({"status": outcome.status, "error": outcome.error, "milliseconds": outcome.milliseconds})


@bp.get("/<int:number>/deliveries")
@needs("project.manage")
@documented("webhooks", query=DeliveriesQuery, answer="application/json")
def get_deliveries(pid: int, number: int) -> ResponseReturnValue:
    """The attempts to tell it, the newest first; they are kept as long as the project says (30 days). The header
    `Link` leads to older ones."""
    asked = read_query(DeliveriesQuery())
    hook = find_webhook(session(), pid, number)
    page = deliveries_of(session(), hook, asked["limit"], asked["cursor"])
    headers = {}
    if page.cursor:
        further = urlencode({"limit": asked["limit"], "cursor": page.cursor})
        older = current.own_address(f"/projects/{pid}/webhooks/{number}/deliveries?{further}")
        headers["Link"] = f'<{older}>; rel="next"'
    return answer([_attempt(row) for row in page.items], headers=headers)


def add(pid: int, given: dict[str, Any]) -> Webhook:
    """Make what `NewWebhookSchema` has read, and commit. Raises Unexpected."""
    journal = begin(pid)
    hook = add_webhook(
        journal,
        given["url"],
        given.get("types", ()),
        given.get("answers", False),
        given.get("since"),
        plain=current.settings().webhooks_inside,
    )
    if given.get("paused"):
        change_webhook(journal, hook, paused=True)
    finish(journal, "webhook.added", str(hook.id))
    return hook


def change(pid: int, number: int, given: dict[str, Any]) -> Webhook:
    """Change what `WebhookChangeSchema` has read, and commit. Raises NotFound, Unexpected."""
    journal = begin(pid)
    hook = find_webhook(session(), pid, number)
    change_webhook(journal, hook, **given, plain=current.settings().webhooks_inside)
    finish(journal, "webhook.changed", str(hook.id))
    return hook


def remove(pid: int, number: int) -> None:
    """Remove it, and commit. Raises NotFound."""
    journal = begin(pid)
    remove_webhook(session(), find_webhook(session(), pid, number))
    finish(journal, "webhook.removed", str(number))


def tell_again(pid: int, number: int, since: int) -> Webhook:
    """Send it back to an event, and commit. Raises NotFound, Unexpected."""
    journal = begin(pid)
    hook = find_webhook(session(), pid, number)
    replay(journal, hook, since)
    finish(journal, "webhook.replayed", str(hook.id))
    return hook


def ping(pid: int, number: int) -> Outcome:
    """Send it a message that means nothing. Nobody waits for the answer but whoever asked. Raises NotFound."""
    message = ping_message(find_webhook(session(), pid, number), current.now())
    begin_writing(session())
    record_act(session(), pid, current.origin(), "webhook.tested", current.now(), str(number))
    session().commit()
    release()
    outcome = post(message.url, message.body, message.headers, inside=current.settings().webhooks_inside)
    log("webhook_tested", project=pid, webhook=number, status=outcome.status)
    return outcome


def _shown(hook: Webhook) -> dict[str, Any]:
    return {
        "id": str(hook.id),
        "url": hook.url,
        "types": hook.types,
        "answers": hook.answers,
        "state": hook.state,
        "told": hook.told,
        "failures": hook.failures,
        "next_at": hook.next_at,
        "last_status": hook.last_status,
        "last_error": hook.last_error,
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
    }


def _attempt(row: Delivery) -> dict[str, Any]:
    return {
        "event": row.event,
        "attempt": row.attempt,
        "at": row.at,
        "status": row.status,
        "error": row.error,
        "parked": row.parked,
        "milliseconds": row.milliseconds,
    }
