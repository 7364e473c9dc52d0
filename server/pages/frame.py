"""What stands around every page: the sections of a project, the languages, the addresses of what it is drawn with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, after_this_request, g, has_request_context, render_template, request, url_for
from flask_babel import lazy_gettext
from jinja2 import Template
from jinja2.runtime import Context

from server import clock, current
from server.db import session
from server.language.catalogues import drawing, in_their_languages
from server.language.sentences import said_in
from server.language.words import words
from server.wire.answers import FRESH
from sync.accounts.roles import may
from sync.models import Project

LANGUAGES = {"fr": "Français", "en": "English", "bm": "Bamanankan"}
_STATIC = Path(__file__).parent.parent / "static"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a project: its first page, its name, and the right that it takes. Pages say which one they are in."""

    name: str
    endpoint: str
    label: str
    right: str


SECTIONS = (
    Section("overview", "overview.project", lazy_gettext("Overview"), "project.read"),
    Section("submissions", "submission_pages.submissions", lazy_gettext("Submissions"), "submissions.read"),
    Section("review", "review_pages.review", lazy_gettext("Review"), "submissions.review"),
    Section("duplicates", "match_pages.queue", lazy_gettext("Duplicates"), "people.decide"),
    Section("quarantine", "quarantine_pages.quarantine", lazy_gettext("Quarantine"), "quarantine.decide"),
    Section("indicators", "indicator_pages.indicators", lazy_gettext("Indicators"), "figures.read"),
    Section("statements", "statement_pages.statements", lazy_gettext("Statements"), "figures.read"),
    Section("forms", "form_pages.forms", lazy_gettext("Forms"), "forms.read"),
    Section("lists", "list_pages.lists", lazy_gettext("Lists"), "submissions.read"),
    Section("devices", "devices.devices", lazy_gettext("Devices"), "devices.manage"),
    Section("team", "team_pages.team", lazy_gettext("Team"), "project.manage"),
    Section("settings", "data_pages.exports", lazy_gettext("Data and settings"), "data.export"),
)


class _Page(Template):
    """A template whose variables are let go at the end of the request. Its macros and their context hold each other,
    and with them all that the page was drawn from, until garbage is collected: a statement of a year 100 MB. What is
    imported without context is kept for all requests, and may therefore not import or include anything with it.

    What is said in another language than the page's is said to be."""

    def new_context(self, vars: dict[str, Any] | None = None, *rest: Any, **named: Any) -> Context:  # noqa: A002
        context = super().new_context(vars, *rest, **named)
        if vars and has_request_context():
            g.setdefault("drawn", []).append(context)
        return context

    def render(self, *given: Any, **named: Any) -> str:
        with drawing():
            return in_their_languages(super().render(*given, **named))


def _let_go(_error: BaseException | None) -> None:
    for context in g.pop("drawn", ()):
        context.parent.clear()
        context.vars.clear()


def install_frame(app: Flask) -> None:
    """Give every template what stands around a page."""
    app.jinja_env.template_class = _Page
    app.teardown_request(_let_go)
    app.context_processor(
        lambda: {
            "t": words(),
            "visitor": current.visitor_or_none(),
            "languages_of_pages": LANGUAGES,
            "here_in": _here_in,
            "static_url": static_url,
            "called_of": called,
            "sections": _sections,
            "practice_now": lambda: clock.now() if clock.is_behind() else None,
            "refusal": lambda english: said_in(words().locale, str(english)),
        }
    )


def project_of(pid: int) -> Project:
    """The project of this page."""
    return session().get_one(Project, pid)


def ask_first(
    question: str,
    told: str,
    to: str,
    button: str,
    back: str,
    *,
    section: str = "",
    pid: int | None = None,
    **fields: str,
) -> str:
    """A page that asks before something is done that cannot be undone: what will happen, and the way back."""
    return render_template(
        "ask_first.html",
        around="base.html" if pid is None else "project_page.html",
        section=section,
        project=None if pid is None else project_of(pid),
        question=question,
        told=told,
        to=to,
        button=button,
        back=back,
        fields=fields,
    )


def let_it_come_back() -> None:
    """The page that answers this form may be shown again to who goes back to it. Not for pages that hold answers or
    names of people: the browser forgets them when its user signs out, not when a session only ends."""

    @after_this_request
    def keep(response: Response) -> Response:
        response.headers["Cache-Control"] = FRESH
        return response


def called(project: Project, kind: str, name: str) -> str:
    """What people call one of the project's `lists` or `levels` of places: its label, if it has one, else its name."""
    return words().label(project.labels.get(kind, {}).get(name, {})) or name


def static_url(name: str) -> str:
    """The address of a file that is kept by browsers until it changes."""
    return url_for("static", filename=name, v=version_of(name))


@cache
def version_of(name: str) -> str:
    """What changes with the content of a static file."""
    return sha256((_STATIC / name).read_bytes()).hexdigest()[:12]


def _sections() -> Iterator[Section]:
    """Those of the project of this page that the visitor may open."""
    role = g.get("role")
    return (section for section in SECTIONS if role is not None and may(role, section.right))


def _here_in(language: str) -> str:
    """This page in another language; a page that answers a form has no address of its own."""
    if request.method != "GET" or request.endpoint is None:
        return url_for("overview.home", lang=language)
    # Written by hand: to those who make addresses, some names that a visitor may have put here mean something else.
    values: list[tuple[str, Any]] = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    return f"{url_for(request.endpoint, **(request.view_args or {}))}?{urlencode([*values, ('lang', language)])}"
