"""Pages that only a form that is sent leads to: previews, results, refusals, and the forms on them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from lxml import html
from werkzeug.routing import MapAdapter
from werkzeug.test import TestResponse

from tests.support.busy import WORD

File = tuple[str, bytes]
# What takes away what others need comes last; what ends the visit, or calls somebody in the world, not at all.
_LAST = ("delete", "remove", "revoke", "off")
_NEVER = ("/sign-out", "/account/sessions/end", "/test")
_TYPED = {"text": WORD, "search": WORD, "email": f"{WORD}@example.org", "number": "1"}


class Sent(NamedTuple):
    """What came of a form: its route, how it ended and what the page is called; where, and the page."""

    kind: str
    address: str
    answer: TestResponse


class _Form(NamedTuple):
    action: str
    fields: Sequence[tuple[str, str]]
    button: tuple[str, str] | None
    file: tuple[str, File] | None


def pages_sent_for(
    client: FlaskClient, routes: MapAdapter, pages: Iterable[tuple[str, str]], files: Mapping[str, Sequence[File]]
) -> Iterator[Sent]:
    """Sends every form of these pages (address and text) by each of its buttons, as it stands and filled in, and every
    form of the pages that come of it. One page of each kind is given, at the moment at which it came.

    `files` are those that are handed in at each route. What is answered on another page is read there.
    """
    waiting = [form for address, text in pages for form in _forms_of(text, address, routes, files)]
    seen: set[str] = set()
    sent: set[object] = set()
    while waiting:
        form = min(waiting, key=lambda one: one.action.endswith(_LAST))
        waiting.remove(form)
        like = (
            _route(routes, form.action),
            frozenset(name for name, value in form.fields if value),
            form.button,
            form.file,
        )
        if like in sent:
            continue
        sent.add(like)
        answer = _send(client, form)
        address, done = form.action, ""
        if answer.status_code == 303:
            answer = client.get(answer.headers["Location"], follow_redirects=True)
            address = answer.request.full_path.removesuffix("?")
            done = urlsplit(address).query.partition("=")[0]
        text = answer.get_data(as_text=True)
        if answer.mimetype != "text/html" or "<html" not in text or answer.status_code in (401, 404):
            continue
        kind = f"{_route(routes, form.action)} {answer.status_code} {done} {html.fromstring(text).findtext('.//h1')}"
        if kind in seen:
            continue
        seen.add(kind)
        yield Sent(kind, address, answer)
        waiting += _forms_of(text, address, routes, files)


def _forms_of(text: str, address: str, routes: MapAdapter, files: Mapping[str, Sequence[File]]) -> Iterator[_Form]:
    for form in html.fromstring(text).forms:
        action = form.action or address
        if form.method != "POST" or action.endswith(_NEVER):
            continue
        buttons = [(one.get("name"), one.get("value", "")) for one in form.xpath(".//button[@name]")]
        [field, *_] = [*form.xpath(".//input[@type='file']/@name"), None]
        given = [(field, one) for one in files.get(_route(routes, action), ())] if field else []
        for fields in (form.form_values(), _filled(form)):
            yield from (_Form(action, fields, button, file) for button in buttons or [None] for file in given or [None])


def _filled(form: html.FormElement) -> list[tuple[str, str]]:
    filled = dict(form.form_values())
    for one in form.xpath(".//input[@name] | .//textarea[@name] | .//select[@name]"):
        kind = one.get("type", "text") if one.tag == "input" else one.tag
        if kind in ("radio", "checkbox"):
            filled.setdefault(one.get("name"), one.get("value", "on"))
        elif kind == "select":
            filled[one.get("name")] = filled.get(one.get("name")) or next(filter(None, one.value_options), "")
        elif kind == "textarea" or kind in _TYPED:
            filled[one.get("name")] = filled.get(one.get("name")) or _TYPED.get(kind, WORD)
    return list(filled.items())


def _send(client: FlaskClient, form: _Form) -> TestResponse:
    fields: dict[str, Any] = {}
    for name, value in (*form.fields, *([form.button] if form.button else [])):
        fields[name] = [*fields.get(name, ()), value]
    if form.file is not None:
        field, (name, content) = form.file
        fields[field] = (io.BytesIO(content), name)
    return client.post(form.action, data=fields)


def _route(routes: MapAdapter, action: str) -> str:
    endpoint, _ = routes.match(urlsplit(action).path, method="POST")
    return str(endpoint)
