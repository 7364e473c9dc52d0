"""How OpenRosa clients are answered: the headers that each of them looks for, and messages as XML, errors too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from typing import Any, TypeVar
from xml.sax.saxutils import escape, quoteattr

from flask import Blueprint, Response, current_app, g, request
from flask.sansio.app import App
from sqlalchemy import select
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from server import current
from server.db import session
from server.door.front import DRAFT, KEY
from server.language.sentences import said_in
from server.openrosa.unchanged import token_in
from sync.accounts.tokens import digest
from sync.intake.luck import Luck, advised
from sync.models import Actor, Project, Token

View = TypeVar("View", bound=Callable[..., Any])

LANGUAGES = ("fr", "en", "bm")
XML = "text/xml; charset=utf-8"
_NAMESPACE = "http://openrosa.org/http/response"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPEAKING = "openrosa"
_VERSION = "X-OpenRosa-Version"
_AT_FAULT = 500


def speak_openrosa(bp: Blueprint) -> None:
    """Have every answer of the blueprint carry the headers of OpenRosa, and every error be an OpenRosaResponse."""
    bp.record_once(lambda state: _speaking(state.app).add(bp.name))


def of_openrosa_too(view: View) -> View:
    """Marks what OpenRosa clients fetch at an address of ODK's REST: whoever comes as they do is answered as they are,
    and programs as programs."""
    view.__openrosa__ = True  # type: ignore[attr-defined]
    return view


def speaks_openrosa() -> bool:
    """Whether this request came to a door for OpenRosa clients, or as one of them to a door that they share."""
    endpoint = request.endpoint or _endpoint_by_other_methods()
    if endpoint is None:
        return _VERSION in request.headers
    if endpoint.rpartition(".")[0] in _speaking(current_app):
        return True
    return hasattr(current_app.view_functions[endpoint], "__openrosa__") and _comes_from_a_device()


def answer_in_openrosa(response: Response) -> None:
    """Put on the headers that OpenRosa clients look for in each answer."""
    headers = response.headers
    headers[_VERSION] = "1.0"
    headers["X-OpenRosa-Accept-Content-Length"] = str(accepted_length())
    headers.setdefault("Content-Language", language())
    if "gunicorn.socket" not in request.environ:  # which dates its answers itself
        headers.setdefault("Date", format_datetime(current.now(), usegmt=True))
    if response.status_code == 204:
        headers["Content-Type"] = XML


def openrosa_message(text: str, status: int, nature: str = "") -> Response:
    """What the client shows its user: Collect takes the text of the first message of a success and of an error."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<OpenRosaResponse xmlns="{_NAMESPACE}" items="0">'
        f"<message nature={quoteattr(nature)}>{escape(_NO_XML.sub(' ', text))}</message>"
        "</OpenRosaResponse>"
    )
    return Response(body, status, content_type=XML)


def openrosa_error(status: int, text: str, headers: Mapping[str, str]) -> Response:
    """The same for what went wrong, in the visitor's language as far as it is known there."""
    if status < _AT_FAULT:  # else the database may be the one that fails
        session().rollback()
        speak_as_the_project()
    response = openrosa_message(said_in(language(), text), status, "error")
    response.headers.update(headers)
    return response


def accepted_length() -> int:
    """How many bytes this visitor is advised to send at once."""
    known = current.visitor_or_none()
    luck: Luck | None = g.get("luck") or (known.luck if known else None)
    return min(advised(luck, current.now()), current.settings().max_file)


def speak_as_the_project() -> None:
    """Have the message be in a language of the project, unless the visitor has another.

    To whoever is not let in, or no more, it is that of the token: others could tell by it which projects there are.
    """
    if "project_languages" in g:
        return
    known = select(Project.languages)
    if g.get("role") is not None:
        known = known.where(Project.id == (request.view_args or {})["pid"])
    elif (token := token_in(request.environ)) is not None:
        of_token = (Token.actor_id == Actor.id) & (Token.sha256 == digest(token))
        known = known.join(Actor, Actor.project_id == Project.id).join(Token, of_token)
    else:
        return
    g.project_languages = session().scalar(known) or ()


def language() -> str:
    """The language of messages: the visitor's own, else the project's, else what the client asks for, else French."""
    known = current.visitor_or_none()
    own = known.language if known else None
    asked = request.accept_languages  # which most clients leave empty
    for chosen in (own, *g.get("project_languages", ()), asked.best_match(LANGUAGES) if asked else None):
        code = str(chosen or "").split("-")[0].lower()
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]


def _endpoint_by_other_methods() -> str | None:
    """What is at this address for those who ask otherwise."""
    refused = request.routing_exception
    if not isinstance(refused, MethodNotAllowed) or (adapter := current_app.create_url_adapter(request)) is None:
        return None
    method = "GET" if "GET" in (refused.valid_methods or ()) else "OPTIONS"
    try:
        return str(adapter.match(method=method)[0])
    except HTTPException:  # the way to how the address is written properly, for one
        return None


def _comes_from_a_device() -> bool:
    """By an address that devices are given, or saying what they say."""
    known = request.environ
    return KEY in known or DRAFT in known or "st" in request.args or _VERSION in request.headers


def _speaking(app: App) -> set[str]:
    names: set[str] = app.extensions.setdefault(_SPEAKING, set())
    return names
