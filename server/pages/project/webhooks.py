"""Webhooks on pages: made, tried out, paused, told again, removed; and what became of each delivery."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from server.api.webhooks import (
    NewWebhookSchema,
    ReplaySchema,
    WebhookChangeSchema,
    add,
    change,
    ping,
    remove,
    tell_again,
)
from server.db import session
from server.door.guards import needs
from server.pages.frame import project_of
from server.queries.counting import COUNTED, counted
from server.wire.bodies import load
from sync.errors import Refusal, Unexpected
from sync.models import Webhook
from sync.webhooks.hooks import TYPES, attempts_of, deliveries_of, find_webhook, webhooks_of

bp = Blueprint("webhook_pages", __name__, url_prefix="/projects/<int:pid>/settings/webhooks")

EVENTS = {
    "submission.stored": _("a submission came in"),
    "submission.edited": _("a submission was corrected"),
    "submission.reviewed": _("a submission was decided on"),
    "submission.deleted": _("a submission was deleted"),
    "submission.restored": _("a submission was restored"),
    "form.published": _("a form was published"),
}
STATES = {"active": _("is told"), "failing": _("does not answer well"), "paused": _("paused")}
_DELIVERIES = 50


@bp.get("")
@needs("project.manage")
def webhooks(pid: int) -> ResponseReturnValue:
    """Who is told of what happens, and how far each has come."""
    return _page(pid, done=request.args.get("done"))


@bp.post("")
@needs("project.manage")
def post_webhook(pid: int) -> ResponseReturnValue:
    """Make one; its secret is shown this once."""
    try:
        hook = add(pid, load(NewWebhookSchema(), _chosen()))
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal)
    return render_template("webhook_added.html", project=project_of(pid), hook=hook)


@bp.post("/resume")
@needs("project.manage")
def post_resume(pid: int) -> ResponseReturnValue:
    """Let all go on that are paused since the installation was restored."""
    for number in [hook.id for hook in webhooks_of(session(), pid) if hook.held]:
        change(pid, number, {"paused": False})
    return redirect(url_for("webhook_pages.webhooks", pid=pid, done="resumed"), 303)


@bp.get("/<int:number>")
@needs("project.manage")
def webhook(pid: int, number: int) -> ResponseReturnValue:
    """One webhook with the attempts to tell it."""
    return _one(pid, find_webhook(session(), pid, number), done=request.args.get("done"))


@bp.post("/<int:number>")
@needs("project.manage")
def post_change(pid: int, number: int) -> ResponseReturnValue:
    """Change where it is and of what it is told."""
    try:
        given = _chosen()
    except Refusal as refusal:
        return _one(pid, find_webhook(session(), pid, number), refusal)
    return _changed(pid, number, given, "changed")


@bp.post("/<int:number>/pause")
@needs("project.manage")
def post_pause(pid: int, number: int) -> ResponseReturnValue:
    """Pause it, or let it go on from where it was."""
    paused = request.form.get("paused") == "yes"
    return _changed(pid, number, {"paused": paused}, "paused" if paused else "resumed")


@bp.post("/<int:number>/test")
@needs("project.manage")
def post_test(pid: int, number: int) -> ResponseReturnValue:
    """Send it something that means nothing, and show how it answered."""
    outcome = ping(pid, number)
    return _one(pid, find_webhook(session(), pid, number), outcome=outcome)


@bp.post("/<int:number>/replay")
@needs("project.manage")
def post_replay(pid: int, number: int) -> ResponseReturnValue:
    """Tell it again of an event and all that came after it."""
    event = request.form.get("event", "")
    since = int(event) - 1 if event.isascii() and event.isdecimal() and len(event) < 17 else -1
    try:
        tell_again(pid, number, load(ReplaySchema(), {"since": since})["since"])
    except Refusal as refusal:
        session().rollback()
        return _one(pid, find_webhook(session(), pid, number), refusal)
    return redirect(url_for("webhook_pages.webhook", pid=pid, number=number, done="replayed"), 303)


@bp.get("/<int:number>/remove")
@needs("project.manage")
def ask_to_remove(pid: int, number: int) -> ResponseReturnValue:
    """What will happen."""
    hook = find_webhook(session(), pid, number)
    return render_template("webhook_remove.html", project=project_of(pid), hook=hook)


@bp.post("/<int:number>/remove")
@needs("project.manage")
def post_remove(pid: int, number: int) -> ResponseReturnValue:
    """Tell it nothing any more."""
    remove(pid, number)
    return redirect(url_for("webhook_pages.webhooks", pid=pid, done="removed"), 303)


def _given() -> dict[str, Any]:
    form = request.form
    return {"url": form.get("url", "").strip(), "types": form.getlist("types"), "answers": "answers" in form}


def _chosen() -> dict[str, Any]:
    """The same as the API takes it, to which no types are all of them. Raises Unexpected where none was chosen."""
    given = _given()
    if not given["types"]:
        raise Unexpected("Choose at least one thing of which it is told.")
    return given | {"types": [] if set(given["types"]) == set(TYPES) else given["types"]}


def _changed(pid: int, number: int, given: dict[str, Any], done: str) -> ResponseReturnValue:
    try:
        change(pid, number, load(WebhookChangeSchema(), given))
    except Refusal as refusal:
        session().rollback()
        return _one(pid, find_webhook(session(), pid, number), refusal)
    return redirect(url_for("webhook_pages.webhook", pid=pid, number=number, done=done), 303)


def _page(pid: int, refusal: Refusal | None = None, done: str | None = None) -> ResponseReturnValue:
    page = render_template(
        "webhooks.html",
        project=project_of(pid),
        hooks=webhooks_of(session(), pid),
        manages=True,
        events=EVENTS,
        hook_states=STATES,
        typed=_given() if refusal else {"url": "", "types": list(TYPES), "answers": False},
        done=done,
        **_refused(refusal),
    )
    return make_response(page, refusal.status if refusal else 200)


def _one(
    pid: int, hook: Webhook, refusal: Refusal | None = None, done: str | None = None, outcome: Any = None
) -> ResponseReturnValue:
    typed = {"url": hook.url, "types": hook.types or list(TYPES), "answers": hook.answers}
    page = render_template(
        "webhook.html",
        project=project_of(pid),
        hook=hook,
        manages=True,
        events=EVENTS,
        hook_states=STATES,
        attempts=deliveries_of(session(), hook, _DELIVERIES, request.args.get("cursor")),
        count=counted(session(), attempts_of(hook)),
        counted=COUNTED,
        typed=_given() if refusal and "url" in request.form else typed,
        outcome=outcome,
        done=done,
        **_refused(refusal),
    )
    return make_response(page, refusal.status if refusal else 200)


def _refused(refusal: Refusal | None) -> dict[str, Any]:
    return {"problem": refusal.detail if refusal else None, "findings": refusal.findings if refusal else []}
