"""Which page asks for something, so that it can be asked again when nobody is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Flask, g, has_request_context, request

from server import current
from server.db import release, session
from server.door.guards import need_of
from server.language.words import words
from sync.accounts.roles import may
from sync.models.database import begin_reading

_OF_THE_MOMENT = frozenset({"fresh", "lang", "cursor"})


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and what it depends on in whoever looks at it."""

    address: str
    role: str
    language: str
    part: bool  # fetched by a page that stands already


def page_that_asks() -> str | None:
    """The page of this request, as `ask_again` takes it; None for a request that only answers once."""
    if not has_request_context() or request.method != "GET" or "role" not in g:
        return None
    given = [(name, value) for name, value in request.args.items(multi=True) if name not in _OF_THE_MOMENT]
    part = request.headers.get("HX-Request") == "true"
    page = Page(f"{request.path}?{urlencode(given)}", current.role(), words().locale, part)
    return orjson.dumps(page).decode()


def whole_page() -> Page | None:
    """The page of this request to the letter, where a visitor has asked for a whole one."""
    if not has_request_context() or request.method != "GET" or "role" not in g or is_asked_again():
        return None
    if "HX-Request" in request.headers:
        return None
    return Page(request.full_path, current.role(), words().locale, part=False)


def ask_again(app: Flask, asked: str) -> None:
    """Have a page work out as things stand now what it shows, for all who look at it later."""
    page = Page(**orjson.loads(asked))
    ask(app, replace(page, address=f"{page.address}&fresh=yes"), asked_again=True)


def ask(app: Flask, page: Page, **noted: Any) -> None:
    """Have a page drawn for nobody, for the sake of what is kept of it. What is `noted` stands in `g` meanwhile."""
    headers = {"Accept-Language": page.language} | ({"HX-Request": "true"} if page.part else {})
    with app.test_request_context(page.address, headers=headers):
        view = app.view_functions.get(request.endpoint or "")
        need = need_of(view) if view else None
        if view is None or need is None or not may(page.role, need.right):
            return
        for name, value in noted.items():
            setattr(g, name, value)
        g.role = page.role
        g.visitor = current.Visitor(0, "user", "", None, False, None, (), page.language, "cookie")
        begin_reading(session())
        view(**(request.view_args or {}))
        release()


def is_asked_again() -> bool:
    """Whether nobody is there to look at what this request shows."""
    return has_request_context() and bool(g.get("asked_again"))
