"""The Word templates of a project: tried with a statement, kept, taken away again; and statements written into them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from server.acts.uploads import uploaded
from server.api.figures import reading_of
from server.api.statements import DOCX, as_word, first_language
from server.api.word_templates import forget_template, keep_template, send_template, statement_named
from server.db import session
from server.door.guards import needs
from server.language.words import words
from server.pages.frame import project_of
from server.wire.answers import disposition
from sync.errors import Refusal, Unexpected
from sync.statements.statements import compose, titles_at
from sync.statements.word import check_template, example
from sync.statements.word_tags import MOST_BYTES
from sync.statements.word_templates import template_at, templates_of

bp = Blueprint("word_templates", __name__)

TAGS = {
    "{{ title }}": _("the title of the issue, or the first heading of the text"),
    "{{ project }}": _("the project’s name"),
    "{{ statement }}": _("the statement’s name"),
    "{{ period }}": _("the period in words"),
    "{{ place }}": _("the place that was chosen, if one was"),
    "{{ as_of }}": _("the day as of which the figures are"),
    "{{ event }}": _("the number of the last event that they know of"),
    "{{ issue }}": _("the title of the issue; empty for the living text"),
    "{{ issued }}": _("the day on which it was issued"),
    "{{p text }}": _("the whole text, in the template’s own styles for headings and lists; alone in its paragraph"),
    "{{p notes }}": _("the numbered notes on where each figure comes from; alone in its paragraph"),
    "{%tr for row in figures %} … {%tr endfor %}": _(
        "a row of a table for each figure: row.number, row.label, row.value, row.period, row.place, row.target, "
        "row.source"
    ),
    "{%tr for row in evidence %} … {%tr endfor %}": _(
        "a row for each visit behind the figures: row.number (of the figure’s note), row.figure, row.date, row.form, "
        "row.place, row.breakdown, row.value, row.counted"
    ),
    "{{ left_off }}": _("how many visits are not in the table: it holds 200 for each figure, 1,000 in all"),
    "{% if place %} … {% endif %}": _("what stands there only for a place"),
}


@bp.get("/projects/<int:pid>/word-templates")
@needs("project.manage")
def templates(pid: int) -> ResponseReturnValue:
    """What is there, and what one can be made of."""
    return _page(pid, done=request.args.get("done"))


@bp.post("/projects/<int:pid>/word-templates")
@needs("project.manage")
def post_template(pid: int) -> ResponseReturnValue:
    """Try a template with a statement, or keep it."""
    statement = statement_named(pid, request.form.get("statement", ""))
    chosen = request.files.get("file")
    name = chosen.filename or "" if chosen else ""
    try:
        data = uploaded("file", MOST_BYTES)
        if not data:
            raise Unexpected("Choose a file first.")
        if request.form.get("act") == "try":
            return _tried(pid, statement, data)
        keep_template(pid, statement, name, data)
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal)
    return redirect(url_for("word_templates.templates", pid=pid, done="kept"), 303)


@bp.get("/projects/<int:pid>/word-templates/file")
@needs("project.manage")
def download(pid: int) -> ResponseReturnValue:
    """A template as it was uploaded."""
    return send_template(pid, request.args.get("statement", ""))


@bp.get("/projects/<int:pid>/word-templates/example")
@needs("project.manage")
def get_example(pid: int) -> ResponseReturnValue:
    """A template to begin with."""
    headings = {
        "notes": gettext("Where the figures come from"),
        "evidence": gettext("Visits behind the figures"),
        "number": gettext("Figure"),
        "date": gettext("Date"),
        "form": gettext("Form"),
        "place": gettext("Place"),
        "counted": gettext("Counted"),
    }
    headers = {"Content-Disposition": disposition(f"{project_of(pid).name}.docx")}
    return Response(example(headings), content_type=DOCX, headers=headers)


@bp.get("/projects/<int:pid>/word-templates/remove")
@needs("project.manage")
def ask_remove(pid: int) -> ResponseReturnValue:
    """What will happen."""
    kept = template_at(session(), pid, request.args.get("statement", ""))
    return render_template("word_template_remove.html", project=project_of(pid), kept=kept)


@bp.post("/projects/<int:pid>/word-templates/remove")
@needs("project.manage")
def post_remove(pid: int) -> ResponseReturnValue:
    """Statements are written as before."""
    forget_template(pid, request.form.get("statement", ""))
    return redirect(url_for("word_templates.templates", pid=pid, done="removed"), 303)


def _tried(pid: int, statement: str, data: bytes) -> ResponseReturnValue:
    """A statement as it would look, kept nowhere."""
    check_template(data)
    reading = reading_of(pid, None)
    names = titles_at(session(), pid, None)
    if not names:
        raise Unexpected("The project has no statement yet that it could be tried with.")
    name = statement or next(iter(names))
    language = words().language if words().language in names[name] else first_language(reading)
    found = compose(reading, name, language, sees_small_cells=True)
    return as_word(pid, reading, found, data)


def _page(pid: int, refusal: Refusal | None = None, done: str | None = None) -> ResponseReturnValue:
    page: dict[str, Any] = {
        "kept": templates_of(session(), pid),
        "statements": titles_at(session(), pid, None),
        "tags": TAGS,
        "chosen": request.form.get("statement", ""),
        "problem": refusal,
        "done": done,
    }
    shown = render_template("word_templates.html", project=project_of(pid), **page)
    return make_response(shown, refusal.status if refusal else 200)
