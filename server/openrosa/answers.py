"""How OpenRosa clients are answered: the headers that each of them looks for, and messages as XML, errors too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from flask import Blueprint, Response, current_app, g, request
from flask.sansio.app import App

from server import current
from server.sentences import said_in
from sync.intake.luck import Luck, advised

LANGUAGES = ("fr", "en", "bm")
XML = "text/xml; charset=utf-8"
_NAMESPACE = "http://openrosa.org/http/response"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPEAKING = "openrosa"


def speak_openrosa(bp: Blueprint) -> None:
    """Have every answer of the blueprint carry the headers of OpenRosa, and every error be an OpenRosaResponse."""
    bp.record_once(lambda state: _speaking(state.app).add(bp.name))
    bp.after_request(_in_openrosa)


def speaks_openrosa() -> bool:
    """Whether this request came to a door for OpenRosa clients."""
    return request.blueprint is not None and request.blueprint in _speaking(current_app)


def openrosa_message(text: str, status: int = 201, nature: str = "") -> Response:
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
    response = openrosa_message(said_in(language(), text), status, "error")
    response.headers.update(headers)
    return response


def accepted_length() -> int:
    """How many bytes this visitor is advised to send at once."""
    known = current.visitor_or_none()
    luck: Luck | None = g.get("luck") or (known.luck if known else None)
    return min(advised(luck, current.now()), current.settings().max_file)


def language() -> str:
    """The language of messages: the visitor's own, else what the client asks for, else the project's, else French."""
    known = current.visitor_or_none()
    own = known.language if known else None
    asked = request.accept_languages  # which most clients leave empty
    for chosen in (own, asked.best_match(LANGUAGES) if asked else None, *g.get("project_languages", ())):
        code = str(chosen or "").split("-")[0].lower()
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]


def _in_openrosa(response: Response) -> Response:
    response.headers["X-OpenRosa-Version"] = "1.0"
    response.headers["X-OpenRosa-Accept-Content-Length"] = str(accepted_length())
    response.headers.setdefault("Content-Language", language())
    if "gunicorn.socket" not in request.environ:  # which dates its answers itself
        response.headers.setdefault("Date", format_datetime(current.now(), usegmt=True))
    if response.status_code == 204:
        response.headers["Content-Type"] = XML
    return response


def _speaking(app: App) -> set[str]:
    names: set[str] = app.extensions.setdefault(_SPEAKING, set())
    return names
