"""One's own account: language, password, second factor, sessions and API tokens."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup

from server import clock, current
from server.api.users import set_password
from server.db import session
from server.door.guards import signed_in
from server.door.signing_in import check_code, check_password
from server.pages.frame import LANGUAGES, ask_first
from server.wire.qr import code_svg
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.second_factor import address_of, is_on, new_secret, switch_off, switch_on
from sync.accounts.tokens import issue_token, revoke, revoke_all, tokens_of
from sync.errors import Forbidden, NotFound, Refusal, Unauthenticated, Unexpected
from sync.models import Actor, Token
from sync.models.database import begin_writing

bp = Blueprint("account", __name__, url_prefix="/account")

# By what each says of itself. Most name others too, which they are like: the first one that is found is meant.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS": "macOS",
    "Linux": "Linux",
}

_ACCOUNT = "account.account"


@bp.get("")
@signed_in
def account() -> ResponseReturnValue:
    """All of it on one page."""
    return _page(done=request.args.get("done"))


@bp.post("/language")
@signed_in
def post_language() -> ResponseReturnValue:
    """The language of the pages, here and wherever one signs in."""
    language = request.form.get("language")
    if language not in LANGUAGES:
        return _page(Unexpected("There is no such language."))
    begin_writing(session())
    _own().language = language
    _note("user.changed", {"fields": ["language"]})
    session().commit()
    return redirect(url_for(_ACCOUNT, lang=language, done="language"), 303)


@bp.post("/password")
@signed_in
def post_password() -> ResponseReturnValue:
    """A new password, for the one so far. All other sessions end."""
    new = request.form.get("new", "")
    try:
        if new != request.form.get("again"):
            raise Unexpected("The two new passwords are not the same.")
        set_password(_own().id, request.form.get("old"), new)
    except Refusal as refusal:
        return _page(refusal)
    return redirect(url_for(_ACCOUNT, done="password"), 303)


@bp.post("/second-factor")
@signed_in
def post_second_factor() -> ResponseReturnValue:
    """A secret for the phone, which counts as soon as a code of it is shown."""
    begin_writing(session())
    actor = _own()
    if is_on(actor):
        return redirect(url_for(_ACCOUNT), 303)
    secret = new_secret(session(), actor)
    session().commit()
    return _enrolment(actor, secret)


@bp.post("/second-factor/confirm")
@signed_in
def post_confirmation() -> ResponseReturnValue:
    """Switch it on with a first code, and show the recovery codes this once."""
    begin_writing(session())
    actor = _own()
    if is_on(actor) or actor.totp_secret is None:
        return redirect(url_for(_ACCOUNT), 303)
    codes = switch_on(session(), actor, request.form.get("code", "")[:100], clock.true_now())
    if codes is None:
        wrong = Unexpected("This code is not right; check the clock of the phone, and wait for the next one.")
        return _enrolment(actor, actor.totp_secret, wrong)
    # Whoever knew the password alone is in no longer.
    revoke_all(session(), actor.id, current.now(), kind="session", keep=current.visitor().token)
    _note("user.second_factor_on")
    session().commit()
    return render_template("account_codes.html", codes=codes)


@bp.post("/second-factor/off")
@signed_in
def post_off() -> ResponseReturnValue:
    """Switch it off again, with the password or with a code."""
    proof, actor = request.form.get("proof", "")[:1000], _own()
    if not is_on(actor):
        return redirect(url_for(_ACCOUNT), 303)
    try:
        _require_proof(actor, proof)
    except Refusal as refusal:
        return _page(refusal)
    begin_writing(session())
    switch_off(session(), _own())
    _note("user.second_factor_off")
    session().commit()
    return redirect(url_for(_ACCOUNT, done="off"), 303)


@bp.post("/sessions/end")
@signed_in
def post_end() -> ResponseReturnValue:
    """End one session or revoke one token, or all other sessions."""
    begin_writing(session())
    actor = _own()
    if "others" in request.form:
        revoke_all(session(), actor.id, current.now(), kind="session", keep=current.visitor().token)
        _note("session.ended", {"which": "others"})
    else:
        row = _own_token(request.form.get("which", ""))
        revoke(session(), row.sha256, current.now())
        _note("session.ended" if row.kind == "session" else "token.revoked")
    session().commit()
    return redirect(url_for(_ACCOUNT, done="ended"), 303)


@bp.get("/tokens/<which>/revoke")
@signed_in
def ask_revoke(which: str) -> ResponseReturnValue:
    """What will happen."""
    row = _own_token(which)
    return ask_first(
        gettext("Revoke the token “%(name)s”?", name=row.name or "—"),
        gettext("Programs that show it are refused from now on. It cannot be brought back; make another one for them."),
        url_for("account.post_end"),
        gettext("Revoke"),
        url_for(_ACCOUNT),
        which=which,
    )


@bp.post("/tokens")
@signed_in
def post_token() -> ResponseReturnValue:
    """A token for a program, shown this once."""
    name = request.form.get("name", "").strip()
    if not name or len(name) > 100 or not name.isprintable():
        return _page(Unexpected("Write what the token is for, on one line of at most 100 characters."))
    begin_writing(session())
    issued = issue_token(session(), _own().id, "api", current.now(), name=name)
    _note("token.made")
    session().commit()
    return _page(token=issued.token)


def browser_of(agent: str) -> str:
    """What people call it and what it runs on, such as “Firefox, Android”; its own words where both are unknown."""
    known = [next((said for sign, said in signs.items() if sign in agent), None) for signs in (_BROWSERS, _SYSTEMS)]
    return ", ".join(filter(None, known)) or agent


def _page(refusal: Refusal | None = None, done: str | None = None, token: str | None = None) -> ResponseReturnValue:
    actor, now = _own(), current.now()
    page = render_template(
        "account.html",
        account=actor,
        second_factor=is_on(actor),
        sessions=tokens_of(session(), actor.id, "session", now),
        tokens=tokens_of(session(), actor.id, "api", now),
        here=current.visitor().token,
        languages=LANGUAGES,
        browser_of=browser_of,
        problem=refusal.detail if refusal else None,
        done=done,
        token=token,
    )
    response = make_response(page, refusal.status if refusal else 200)
    if refusal and refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _enrolment(actor: Actor, secret: str, refusal: Refusal | None = None) -> ResponseReturnValue:
    page = render_template(
        "account_second_factor.html",
        code=Markup(code_svg(address_of(actor))),  # noqa: S704 — it holds squares only
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        problem=refusal.detail if refusal else None,
    )
    return make_response(page, refusal.status if refusal else 200)


def _own() -> Actor:
    """Devices and public links have no account of this kind: raises NotFound. Nor may a token that leaked make more of
    its kind or lock its owner out by a second factor: raises Forbidden for all that is not a session.
    """
    actor = session().get_one(Actor, current.visitor().actor_id)
    if actor.kind != "user":
        raise NotFound
    if not current.visitor().in_session:
        raise Forbidden("An account is looked after by who is signed in to the pages; a token does not do.")
    return actor


def _own_token(written: str) -> Token:
    try:
        row = session().get(Token, bytes.fromhex(written))
    except ValueError:
        row = None
    if row is None or row.actor_id != current.visitor().actor_id or row.kind not in ("session", "api"):
        raise NotFound
    return row


def _require_proof(actor: Actor, proof: str) -> None:
    """Digits and recovery codes are codes; all else is taken for the password."""
    plain = "".join(letter for letter in proof if letter not in " -")
    if (len(plain) == 6 and plain.isdecimal()) or (len(plain) == 16 and proof.count("-") == 3):
        check_code(actor.id, proof)
        return
    try:
        check_password(actor.email or "", proof)
    except Unauthenticated:
        raise Unauthenticated("The password so far is not right.") from None


def _note(action: str, details: dict[str, object] | None = None) -> None:
    subject = str(current.visitor().actor_id)
    record_act(session(), NO_PROJECT, current.origin(), action, current.now(), subject, details)
