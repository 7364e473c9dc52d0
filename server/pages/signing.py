"""Signing in and out by page: with a password, or with a one-time link that the command line gave out."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import current
from server.db import session
from server.door.carrying import carried_in, page_to_send
from server.door.guards import public, signed_in
from server.door.signing_in import clear_cookie, set_cookie, sign_in_by_code, sign_in_by_link, sign_in_half
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.tokens import Issued, digest, revoke
from sync.errors import Forbidden, Refusal, Unauthenticated
from sync.models.database import begin_writing

bp = Blueprint("signing", __name__)


@bp.get("/sign-in")
@public
def sign_in() -> ResponseReturnValue:
    """The form for e-mail address and password; whoever is signed in goes on to the page that was asked for.

    Spreadsheets follow a link by themselves first, without the browser's cookie, and give it the address of this page.
    """
    target = _inside(request.args.get("next"))
    if target is not None and current.visitor_or_none() is not None:
        return redirect(target, 303)
    return render_template("sign_in.html", next=target, ended=request.args.get("ended"))


@bp.post("/sign-in")
@public
def post_sign_in() -> ResponseReturnValue:
    """Sign in, or say why not on the same page."""
    require_same_site()
    target, carried = _inside(request.form.get("next")), request.form.get("carried", "")
    email = request.form.get("email", "")[:1000]
    try:
        issued = sign_in_half(email, request.form.get("password", ""))
    except Unauthenticated:
        wrong = Unauthenticated("The e-mail address or the password is not right.")
        return refused_on("sign_in.html", wrong, next=target, email=email, carried=carried)
    except Refusal as refusal:
        return refused_on("sign_in.html", refusal, next=target, email=email, carried=carried)
    if issued.csrf is None:
        return render_template("sign_in_code.html", next=target, half=issued.token, carried=carried)
    return let_in(issued, target, carried)


@bp.post("/sign-in/code")
@public
def post_code() -> ResponseReturnValue:
    """The second step, for accounts that have one: a code of the phone, or one of those kept for when it is lost."""
    require_same_site()
    target, half = _inside(request.form.get("next")), request.form.get("half", "")
    carried = request.form.get("carried", "")
    try:
        issued = sign_in_by_code(half, request.form.get("code", "")[:100])
    except Refusal as refusal:
        return refused_on("sign_in_code.html", refusal, next=target, half=half, carried=carried)
    if issued is None:
        late = Unauthenticated("It took too long; sign in again.")
        return refused_on("sign_in.html", late, next=target, carried=carried)
    return let_in(issued, target, carried)


@bp.get("/sign-in/link/<token>")
@public
def sign_in_link(token: str) -> ResponseReturnValue:
    """A page with one button: what only fetches the link, as mail scanners do, does not use it up."""
    return render_template("sign_in_link.html", token=token)


@bp.post("/sign-in/link")
@public
def post_sign_in_link() -> ResponseReturnValue:
    """Use the link up."""
    require_same_site()
    issued = sign_in_by_link(request.form.get("token", ""))
    if issued is None:
        raise Forbidden(gettext("This link has been used or has expired. Ask for a new one: siby login-link EMAIL"))
    return let_in(issued, None)


@bp.post("/sign-out")
@signed_in
def sign_out() -> ResponseReturnValue:
    """End the session here and in the database."""
    visitor = current.visitor()
    begin_writing(session())
    if visitor.token is not None and visitor.in_session:
        revoke(session(), visitor.token, current.now())
    record_act(session(), NO_PROJECT, current.origin(), "session.ended", current.now())
    session().commit()
    response = make_response(redirect(url_for("signing.sign_in"), 303))
    clear_cookie(response)
    return response


def refused_on(template: str, refusal: Refusal, **shown: Any) -> ResponseReturnValue:
    """The same page again, with why not."""
    response = make_response(render_template(template, problem=refusal.detail, **shown), refusal.status)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def let_in(issued: Issued, target: str | None, carried: str = "") -> ResponseReturnValue:
    """On to the page that was asked for; first to what its reader had filled in when their session had ended."""
    found = carried_in(carried)
    page = None
    if found is not None and _inside(found.to):
        page = page_to_send(found, digest(issued.token), issued.csrf or "", target)
    response = make_response(page or redirect(target or url_for("overview.home"), 303))
    set_cookie(response, issued)
    return response


def _inside(target: str | None) -> str | None:
    """An address to go on to, only if it is one of our own pages."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


def require_same_site() -> None:
    """Nobody is to be signed in, unawares, by a form on another site."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("This request came from another site.")
