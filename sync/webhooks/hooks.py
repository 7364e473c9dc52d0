"""A project's webhooks: made, changed, and sent back to an earlier event."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import Select, delete, select, tuple_
from sqlalchemy.orm import Session

from forms.xpath.numbers import LARGEST
from sync.errors import NotFound, Unexpected
from sync.journal import Journal
from sync.models import Delivery, Project, Webhook
from sync.review.paging import Page, not_a_cursor

TYPES = (
    "submission.stored",
    "submission.edited",
    "submission.reviewed",
    "submission.deleted",
    "submission.restored",
    "form.published",
)
_LONGEST_URL = 2000
_MOST = 20


def add_webhook(
    journal: Journal, url: str, types: Sequence[str], answers: bool, since: int | None, *, plain: bool
) -> Webhook:
    """An address that is told of what happens from now on, or after the event `since`. Raises Unexpected.

    `plain` allows http, for closed networks.
    """
    if len(webhooks_of(journal.session, journal.project_id)) >= _MOST:
        raise Unexpected(f"A project has {_MOST} webhooks at most.")
    hook = Webhook(
        project_id=journal.project_id,
        id=journal.new_id(),
        url=_address(url, plain),
        secret=f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
        types=_known(types),
        answers=answers,
        state="active",
        told=_reached(journal, since),
        failures=0,
        actor_id=journal.actor_id,
        created_at=journal.now,
    )
    journal.session.add(hook)
    journal.session.flush()
    return hook


def change_webhook(
    journal: Journal,
    hook: Webhook,
    *,
    url: str | None = None,
    types: Sequence[str] | None = None,
    answers: bool | None = None,
    paused: bool | None = None,
    plain: bool = False,
) -> None:
    """Change what is given. Whoever lets a paused or failing one go on is tried again at once."""
    if url is not None:
        hook.url = _address(url, plain)
    if types is not None:
        hook.types = _known(types)
    if answers is not None:
        hook.answers = answers
    if paused is not None:
        hook.state = "paused" if paused else "active"
        hook.failures, hook.next_at = 0, None
        if hook.last_error == Webhook.RESTORED:
            hook.last_error = None
    hook.updated_at = journal.now


def replay(journal: Journal, hook: Webhook, since: int) -> None:
    """Tell it again of everything after the event `since`; the receiver knows each delivery by its id."""
    hook.told = _reached(journal, since)
    hook.failures, hook.next_at, hook.updated_at = 0, None, journal.now
    if hook.state == "failing":
        hook.state = "active"


def find_webhook(session: Session, project_id: int, hook_id: int) -> Webhook:
    """Raises NotFound."""
    hook = session.get(Webhook, (project_id, hook_id))
    if hook is None:
        raise NotFound
    return hook


def webhooks_of(session: Session, project_id: int) -> list[Webhook]:
    """The project's webhooks, the oldest first."""
    return list(session.scalars(select(Webhook).where(Webhook.project_id == project_id).order_by(Webhook.id)))


def attempts_of(hook: Webhook) -> Select[Delivery]:
    """The attempts to tell it, in no order."""
    return select(Delivery).where(Delivery.project_id == hook.project_id, Delivery.webhook_id == hook.id)


def deliveries_of(session: Session, hook: Webhook, limit: int, cursor: str | None) -> Page[Delivery]:
    """The attempts to tell it, the newest first. Raises Unexpected for what was never a cursor."""
    query = attempts_of(hook)
    if cursor:
        query = query.where(tuple_(Delivery.at, Delivery.event, Delivery.attempt) < _attempt_at(cursor))
    order = Delivery.at.desc(), Delivery.event.desc(), Delivery.attempt.desc()
    found = session.scalars(query.order_by(*order).limit(limit + 1)).all()
    last = found[limit - 1] if len(found) > limit else None
    return Page(found[:limit], f"{last.at.isoformat()}~{last.event}~{last.attempt}" if last else None)


def _attempt_at(cursor: str) -> tuple[dt.datetime, int, int]:
    try:
        at, event, attempt = cursor.split("~")
        moment, numbers = dt.datetime.fromisoformat(at), (int(event), int(attempt))
        if moment.tzinfo is not None and len(cursor) < 100 and all(abs(number) <= LARGEST for number in numbers):
            return moment.astimezone(dt.UTC), *numbers
    except (ValueError, OverflowError):
        pass
    raise not_a_cursor(cursor)


def remove_webhook(session: Session, hook: Webhook) -> None:
    """Tell it nothing any more, and forget what it was told."""
    session.execute(delete(Delivery).where(Delivery.project_id == hook.project_id, Delivery.webhook_id == hook.id))
    session.delete(hook)


def forget_deliveries(session: Session, now: dt.datetime) -> int:
    """Delete what is written down of attempts longer ago than each project keeps them; gives how many."""
    forgotten = 0
    for project_id, days in session.execute(select(Project.id, Project.keep_deliveries)).all():
        old = Delivery.project_id == project_id, Delivery.at < now - dt.timedelta(days=days)
        forgotten += session.execute(delete(Delivery).where(*old)).rowcount  # type: ignore[attr-defined]
    return forgotten


def _address(url: str, plain: bool) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Unexpected("This is not the address of a web server.") from error
    if parts.scheme not in (("https", "http") if plain else ("https",)):
        raise Unexpected("A webhook's address begins with https://.")
    if not parts.hostname or port == 0 or len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        raise Unexpected("This is not the address of a web server.")
    if parts.username is not None or parts.password is not None:
        raise Unexpected("A webhook's address holds no password: deliveries are signed instead.")
    return url


def _known(types: Sequence[str]) -> list[str]:
    if unknown := sorted(set(types) - set(TYPES)):
        raise Unexpected(f"‘{unknown[0]}’ is nothing to be told of. There are {', '.join(TYPES)}.")
    return sorted(set(types))


def _reached(journal: Journal, since: int | None) -> int:
    if since is None:
        return journal.last_event
    if not 0 <= since <= journal.last_event:
        raise Unexpected(f"The journal has come to event {journal.last_event}.")
    return since
