"""Who is at the door: a token in the path, a Bearer token, Basic, or the session cookie of a page."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict

from flask import Response, g, request
from sqlalchemy.exc import OperationalError

from server import clock, current
from server.current import Visitor
from server.db import session
from server.door.basic import name_and_password
from server.door.front import DRAFT, KEY
from server.openrosa.answers import speaks_openrosa
from server.wire.bodies import CSRF, csrf_in_json
from sync.accounts.audit import NO_PROJECT, Origin, record_act
from sync.accounts.passwords import hash_password, needs_rehash, verify_password
from sync.accounts.people import find_user
from sync.accounts.second_factor import is_on, use_code
from sync.accounts.throttle import forget_failures, keys_of, note_failure, wait_of
from sync.accounts.tokens import (
    SESSION_LASTS,
    Issued,
    Known,
    Owner,
    digest,
    find_token,
    half_way,
    is_due,
    is_well_formed,
    issue_token,
    note_use,
    revoke,
    use_link,
)
from sync.errors import DraftGone, Forbidden, Refusal, TooMany, Unauthenticated
from sync.intake.items import storable
from sync.intake.luck import Luck
from sync.models import Actor, FormDraft
from sync.models.database import begin_writing

_VERDICT_SECONDS = 300
_LONGEST_AGENT = 300
_OTHER_SITES = ("cross-site", "same-site")  # in the words of a browser
# The cookie outlives its session: it tells what was sent too late by whoever was signed in from what anybody sends.
_COOKIE_LASTS = SESSION_LASTS + dt.timedelta(days=1)


class NotSecure(Refusal):
    code = 401.3
    title = "Passwords are taken over https only; use a token, or reach the server by https"


class OfAnEarlierSession(Forbidden):
    """A page of ours, perhaps, from before its reader signed in anew."""


def identify() -> Visitor | None:
    """None when nothing was shown. Raises when something was that is not good: it is never quietly passed over."""
    if (draft := request.environ.get(DRAFT)) is not None:
        return _by_draft(draft)
    key = request.environ.get(KEY)
    if key is None:
        key = request.args.get("st")
    if key is not None:
        return _by_key(key)
    if "Authorization" in request.headers:
        return _by_header()
    if cookie := request.cookies.get(cookie_name()):
        known = find_token(session(), cookie, current.now(), _project_asked())
        return _seen(known, "cookie") if known and known.kind == "session" else None
    return None


class CodeNeeded(Refusal):
    code = 401.4
    title = "A code of the second factor belongs to this password; programs use an API token"


def sign_in(email: str, password: str, code: str | None = None) -> Issued:
    """A new session for the right password. Failures are alike for all accounts, also for those that do not exist.

    Raises CodeNeeded for an account with a second factor, if no code is given.
    """
    actor = check_password(email, password)
    if not is_on(actor):
        begin_writing(session())
        return _begin_session(actor.id, "session.began")
    if code is None:
        raise CodeNeeded
    check_code(actor.id, code)
    begin_writing(session())
    return _begin_session(actor.id, "session.began")


def sign_in_half(email: str, password: str) -> Issued:
    """The same for a page, which asks for the code by itself: where one is needed, a half, which has no csrf."""
    actor = check_password(email, password)
    begin_writing(session())
    if not is_on(actor):
        return _begin_session(actor.id, "session.began")
    issued = issue_token(session(), actor.id, "half", current.now())
    session().commit()
    return issued


def sign_in_by_code(half: str, code: str) -> Issued | None:
    """The session, for a half and a code; None if the half is not good any more. Raises Unauthenticated, TooMany."""
    actor = half_way(session(), half, current.now())
    if actor is None:
        return None
    actor_id = actor.id
    check_code(actor_id, code)
    begin_writing(session())
    if not revoke(session(), digest(half), current.now()):
        return None
    return _begin_session(actor_id, "session.began")


def check_code(actor_id: int, code: str) -> None:
    """Use up a code of the second factor; a wrong one is counted as a wrong password is, apart from those."""
    now = current.now()
    keys = keys_of(f"second factor of {actor_id}", request.remote_addr or "unknown")
    begin_writing(session())
    if wait := wait_of(session(), keys, now):
        session().rollback()
        raise TooMany("Too many wrong codes; wait and try again", retry_after=wait)
    if not use_code(session(), session().get_one(Actor, actor_id), code, clock.true_now()):
        note_failure(session(), keys, now)
        record_act(session(), NO_PROJECT, _as(None), "session.refused", now, str(actor_id), {"factor": 2})
        session().commit()
        raise Unauthenticated("This code is not right, or was used before; wait for the next one.")
    forget_failures(session(), keys[0])
    session().commit()


def sign_in_by_link(token: str) -> Issued | None:
    """A new session for a one-time link, which it uses up; None if the link is not good any more."""
    begin_writing(session())
    actor = use_link(session(), token, current.now())
    if actor is None:
        session().rollback()
        return None
    return _begin_session(actor.id, "session.began_by_link")


def check_password(email: str, password: str) -> Actor:
    """The account whose password it is; a wrong one is counted, and makes the next try wait."""
    if not carries_secrets():
        raise NotSecure
    now, email = current.now(), storable(email.strip().lower())
    keys = keys_of(email, request.remote_addr or "unknown")
    if wait := wait_of(session(), keys, now):
        raise TooMany("Too many wrong passwords; wait and try again", retry_after=wait)
    actor = find_user(session(), email)
    stored = actor.password_hash if actor and not actor.disabled_at else None
    session().rollback()  # hashing takes a while, and needs no connection
    good = verify_password(stored, password)
    begin_writing(session())
    if wait := wait_of(session(), keys, now):  # by tries that were made at the same time
        session().rollback()
        raise TooMany("Too many wrong passwords; wait and try again", retry_after=wait)
    actor = find_user(session(), email)
    if not good or actor is None or actor.disabled_at or actor.password_hash != stored:
        note_failure(session(), keys, now)
        record_act(session(), NO_PROJECT, _as(None), "session.refused", now, keys[0])
        session().commit()
        raise Unauthenticated
    forget_failures(session(), keys[0])
    if stored and needs_rehash(stored):
        actor.password_hash = hash_password(password)
    session().commit()
    return actor


def carries_secrets() -> bool:
    """Whether a password may travel this way: by https, inside this machine, or where the settings say so."""
    if request.is_secure or current.settings().allow_plain:
        return True
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def cookie_name() -> str:
    """`__Host-` binds the cookie to this host and to https; browsers refuse the name over plain http."""
    return "__Host-session" if request.is_secure else "session"


def set_cookie(response: Response, issued: Issued) -> None:
    response.set_cookie(
        cookie_name(),
        issued.token,
        max_age=int(_COOKIE_LASTS.total_seconds()),
        path="/",
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def clear_cookie(response: Response) -> None:
    """And have the browser forget the pages and answers that it keeps."""
    response.headers["Clear-Site-Data"] = '"cache"'
    response.delete_cookie(cookie_name(), path="/", secure=request.is_secure, httponly=True, samesite="Lax")


def require_own_page() -> None:
    """A request that changes something by cookie has to come from a page of ours. Raises Forbidden otherwise."""
    visitor = current.visitor()
    source, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    # Behind a proxy that was not named we do not know what we are called, but the browser does. Some send "null"; the
    # token below tells our pages from others.
    ours = site == "same-origin" or source in (None, "null") or source.rstrip("/") in _own_origins()
    if not ours or site in _OTHER_SITES:
        raise Forbidden("This request came from another site.")
    # No page of another site can make a browser send headers of these names.
    if request.headers.get("X-Requested-With") == "XMLHttpRequest" or "X-OpenRosa-Version" in request.headers:
        return
    sent = request.headers.get("X-CSRF-Token", "")
    if not sent and not speaks_openrosa():  # whose bodies are read as they arrive, and by nobody before
        sent = request.form.get(CSRF, "") or csrf_in_json()
    if not hmac.compare_digest(sent.encode("utf-8", "replace"), (visitor.csrf or secrets.token_hex()).encode()):
        raise OfAnEarlierSession("The page was open for too long; load it again and repeat.")


def require_no_other_site() -> None:
    """A password that a browser remembers for us goes along with whatever any page makes it send. Programs say nothing
    about pages. Raises Forbidden for what a page of another site sent.
    """
    source = request.headers.get("Origin")
    if source is not None and source.rstrip("/") not in _own_origins():
        raise Forbidden("This request came from another site.")
    if request.headers.get("Sec-Fetch-Site") in _OTHER_SITES:
        raise Forbidden("This request came from another site.")


def _own_origins() -> set[str]:
    own = {request.host_url.rstrip("/")}
    if current.settings().public_url:
        own.add("/".join(current.settings().public_url.split("/")[:3]))
    return own


def _by_key(key: str) -> Visitor:
    if not is_well_formed(key):
        raise Unauthenticated
    known = find_token(session(), key, current.now(), _project_asked())
    if known is None:
        # Not 401, or clients would ask for a password.
        raise Forbidden("This token is unknown or was revoked.")
    return _seen(known, "key")


def _by_draft(token: str) -> Visitor:
    """Whoever has the draft's token, at an address of that draft."""
    if not is_well_formed(token):
        raise Unauthenticated
    asked = request.view_args or {}
    draft = session().get(FormDraft, (asked["pid"], asked["fid"])) if asked.keys() >= {"pid", "fid"} else None
    if draft is None or not hmac.compare_digest(draft.token_sha256, digest(token)):
        raise DraftGone
    return Visitor(
        actor_id=draft.actor_id or 0,
        kind="draft",
        name="",
        email=None,
        admin=False,
        project_id=draft.project_id,
        places=(),
        language=None,
        by="draft",
        token=draft.token_sha256,
    )


def _by_header() -> Visitor:
    kind, _, sent = request.headers["Authorization"].partition(" ")
    if kind.lower() == "basic" and (basic := name_and_password(sent)) is not None:
        return _by_basic(*basic)
    if kind.lower() == "bearer":
        known = find_token(session(), sent.strip(), current.now(), _project_asked())
        if known is not None:
            return _seen(known, "bearer")
    raise Unauthenticated


def _by_basic(name: str, password: str) -> Visitor:
    if is_well_formed(password):
        known = find_token(session(), password, current.now(), _project_asked())
        if known is None or (known.actor.email and known.actor.email != name.strip().lower()):
            raise Unauthenticated
        return _seen(known, "basic")
    if not carries_secrets():
        raise NotSecure
    if (remembered := _verdicts.recall(name, password)) is not None:
        actor = session().get(Actor, remembered[0])
        if actor and not actor.disabled_at and actor.password_hash == remembered[1] and not is_on(actor):
            return _visitor(actor, "basic")
    actor = check_password(name, password)
    if is_on(actor):
        raise CodeNeeded
    _verdicts.remember(name, password, actor.id, actor.password_hash or "")
    return _visitor(actor, "basic")


def _seen(known: Known, by: str) -> Visitor:
    """The visitor behind a token, whose use is written down now and then."""
    visitor = _visitor(known.actor, by, known)
    if is_due(known, current.now()):
        try:
            begin_writing(session())
            note_use(session(), visitor.token or b"", current.now())
            session().commit()
        except OperationalError:
            session().rollback()  # a busy or full database: the request itself may still be served
    return visitor


def _project_asked() -> int | None:
    return (request.view_args or {}).get("pid")


def _visitor(actor: Actor | Owner, by: str, known: Known | None = None) -> Visitor:
    g.inside = known.inside if known else None
    g.actor = actor
    return Visitor(
        actor_id=actor.id,
        kind=actor.kind,
        name=actor.name,
        email=actor.email,
        admin=actor.admin,
        project_id=actor.project_id,
        places=tuple(actor.places or ()),
        language=actor.language,
        by=by,
        token=known.sha256 if known else None,
        in_session=known is not None and known.kind == "session",
        csrf=known.csrf if known else None,
        luck=Luck(actor.link_bytes, actor.link_at) if actor.link_bytes and actor.link_at else None,
    )


def _begin_session(actor_id: int, action: str) -> Issued:
    agent = storable(request.headers.get("User-Agent", "")[:_LONGEST_AGENT]) or None
    issued = issue_token(session(), actor_id, "session", current.now(), address=current.origin().address, agent=agent)
    record_act(session(), NO_PROJECT, _as(actor_id), action, current.now())
    session().commit()
    return issued


def _as(actor_id: int | None) -> Origin:
    here = current.origin()
    return Origin(actor_id, here.request_id, here.address)


class _Verdicts:
    """Passwords that were right a short while ago, under a keyed hash: argon2 for each request would cost too much."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._kept: OrderedDict[bytes, tuple[int, str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, name: str, password: str) -> tuple[int, str] | None:
        with self._lock:
            found = self._kept.get(self._hash(name, password))
        if found is None or found[2] < time.monotonic():
            return None
        return found[0], found[1]

    def remember(self, name: str, password: str, actor_id: int, stored: str) -> None:
        with self._lock:
            self._kept[self._hash(name, password)] = (actor_id, stored, time.monotonic() + _VERDICT_SECONDS)
            while len(self._kept) > 1000:
                self._kept.popitem(last=False)

    def _hash(self, name: str, password: str) -> bytes:
        shown = f"{name.strip().lower()}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, shown, hashlib.sha256).digest()


_verdicts = _Verdicts()
