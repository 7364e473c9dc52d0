"""Statements: the text with living figures, each leading to what stands behind it; and what was given out of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from marshmallow import EXCLUDE, Schema, fields, validate

from server import current
from server.api.figures import reading_of, sees_small_cells
from server.api.schemas import text
from server.api.statements import StatementQuery, first_language, give_out, page_of, ready_to_issue
from server.db import session
from server.door.guards import needs
from server.kept.beside import how_far
from server.kept.remembered import Recalled, Shared
from server.language.words import words
from server.pages.asked import FreshQuery, last_year_told, said_of, today_in, without_empty_fields
from server.pages.figures.asking import Asked
from server.pages.figures.subjects import cells_called
from server.pages.frame import project_of
from server.wire.bodies import load, read_query
from sync.errors import NotFound, Refusal, Unexpected
from sync.indicators.figures import write_cells
from sync.indicators.moments import resolve_as_of
from sync.indicators.reading import Reading
from sync.models import StatementIssue
from sync.statements.issues import (
    compose_issue,
    how_many_issues,
    issue_at,
    issue_changes,
    issues_of,
    keeps_words,
    last_issues,
)
from sync.statements.marks import Pairs, read_pairs, write_pairs
from sync.statements.statements import Statement, compose, on_paper, statements_at, titles_at

bp = Blueprint("statement_pages", __name__)

_MOST_ISSUES = 200


class ReadQuery(StatementQuery, FreshQuery):
    """What the address of a page says besides; `lang` is the language of the page around the statement."""

    wording = text(load_default=None)


class IssueForm(Schema):
    """What is given out: the statement as it reads at an event, under a title."""

    class Meta:
        unknown = EXCLUDE

    as_of = fields.Integer(required=True, strict=False)
    title = fields.String(required=True, validate=validate.Length(min=1, max=500))
    period = fields.String(load_default="all")
    place = fields.String(load_default="")


@bp.get("/projects/<int:pid>/statements")
@needs("figures.read")
def statements(pid: int) -> ResponseReturnValue:
    """The statements that the project has, and what was given out."""
    return render_template(
        "statements.html",
        project=project_of(pid),
        statements=titles_at(session(), pid, None),
        issues=last_issues(session(), pid, _MOST_ISSUES),
        issued=how_many_issues(session(), pid),
        said_of=_said_of(reading_of(pid, None)),
        manages=current.has_right("project.manage"),
    )


@bp.get("/projects/<int:pid>/statements/<name>")
@needs("figures.read")
def statement(pid: int, name: str) -> ResponseReturnValue:
    """A statement; each of its figures leads to what stands behind it."""
    if (filled := without_empty_fields()) is not None:
        return filled
    query = read_query(ReadQuery())
    reading = reading_of(pid, query["as_of"])
    language = _language(reading, name, query["wording"] or query["lang"])
    period = query["period"] if "period" in request.args else f"FY{last_year_told(reading)}"
    place = query["place"]

    def written() -> Statement:
        small = sees_small_cells()
        return compose(reading, name, language, period=period, place=place, sees_small_cells=small, tell=how_far())

    fresh = None if query["as_of"] else query["fresh"]
    here = _address(name, period=period, place=place, as_of=query["as_of"], wording=language)
    told = _remembered(pid, reading, (name, language, period, place), written, here, fresh=fresh)
    if told.behind:
        reading = reading_of(pid, str(told.event))
    return _shown(pid, name, told, reading, period, place)


@bp.get("/projects/<int:pid>/statements/<name>/issue")
@needs("statements.issue")
def ask_issue(pid: int, name: str) -> ResponseReturnValue:
    """What giving a statement out means, before it is done. It is written by then, in all its languages."""
    query = read_query(ReadQuery())
    reading = reading_of(pid, query["as_of"])
    event, period, place = reading.as_of.event, query["period"], query["place"]
    asked = Asked(reading, period, reading.place(place), str(event))
    title = f"{_called(pid, name, reading)}, {said_of(reading.period(period)) or today_in(reading).isoformat()}"
    refusal = None
    try:
        ready_to_issue(pid, name, str(event), period, place, _pairs_read(pid, name, event, period, place))
    except Unexpected as error:
        refusal = error
    return _ask(pid, name, asked, title, refusal)


@bp.post("/projects/<int:pid>/statements/<name>/issue")
@needs("statements.issue")
def post_issue(pid: int, name: str) -> ResponseReturnValue:
    """Give it out as it read when it was looked at: whatever arrived since is not in it."""
    typed = request.form.to_dict()
    try:
        given = load(IssueForm(), typed)
        event, period, place = given["as_of"], given["period"], given["place"] or None
        pairs = _pairs_read(pid, name, event, period, place)
        issue = give_out(pid, name, str(event), given["title"], period, place, pairs)
    except NotFound:
        raise
    except Refusal as refusal:
        reading = reading_of(pid, typed.get("as_of"))
        place = reading.place(typed.get("place") or None)
        asked = Asked(reading, typed.get("period", "all"), place, typed.get("as_of", ""))
        return _ask(pid, name, asked, typed.get("title", ""), refusal)
    return redirect(url_for("statement_pages.issue", pid=pid, name=name, number=issue.number), 303)


@bp.get("/projects/<int:pid>/statements/<name>/issues/<int:number>")
@needs("figures.read")
def issue(pid: int, name: str, number: int) -> ResponseReturnValue:
    """An issue as it was given out."""
    query = read_query(ReadQuery())
    found = issue_at(session(), pid, name, number)
    reading = reading_of(pid, str(found.as_of))
    language = _language(reading, name, query["wording"] or query["lang"])

    def written() -> Statement:
        return compose_issue(session(), found, language, sees_small_cells=sees_small_cells(), tell=how_far())

    here = _address(f"{name}/issues/{number}", wording=language)
    issued = _remembered(pid, reading, (name, language, found.period, found.place, number), written, here, fresh=None)
    return _shown(pid, name, issued, reading, found.period, found.place, found)


@bp.get("/projects/<int:pid>/statements/<name>/issues/<int:number>/changes")
@needs("figures.read")
def compare(pid: int, name: str, number: int) -> ResponseReturnValue:
    """What an issue would read today, or as of another, where that is different, and by how much."""
    if (filled := without_empty_fields()) is not None:
        return filled
    query = read_query(ReadQuery())
    found = issue_at(session(), pid, name, number)
    moment = resolve_as_of(session(), pid, query["as_of"], current.now())
    reading = reading_of(pid, query["as_of"])
    language = _language(reading, name, query["wording"] or query["lang"])
    small = sees_small_cells()

    def compared() -> list[dict[str, Any]]:
        return issue_changes(
            session(), found, language, moment, sees_small_cells=small, with_causes=False, tell=how_far()
        )

    what = (name, number, language, small)
    if query["as_of"]:
        told = _compared.exactly(session(), pid, (*what, moment.event, moment.at), compared, event=moment.event)
    else:
        told = _compared.recall(session(), pid, what, compared, fresh=query["fresh"], event=moment.event)
        if told.behind:
            moment = resolve_as_of(session(), pid, str(told.event), current.now())
    return render_template(
        "statement_compare.html",
        project=project_of(pid),
        name=name,
        called=_called(pid, name, reading),
        issue=found,
        issues=[one for one in issues_of(session(), pid, name) if one.number != number],
        moment=moment,
        as_of=query["as_of"],
        wording=query["wording"],
        told=told,
        differing=told.worked,
        definitions=reading.definitions,
        cells_called=lambda one: cells_called(pid, reading, reading.definitions[one["indicator"]], one["by"]),
        write_cells=write_cells,
        said_of=_said_of(reading),
    )


def _pairs_read(pid: int, name: str, event: int, period: str, place: str | None) -> Pairs:
    """On how many open pairs its figures hung where the statement was read as of the event, as far as that is kept."""
    languages, small = statements_at(session(), pid, event).get(name, ()), sees_small_cells()
    kept = (_kept.worked_at(session(), pid, (name, one, period, place, small), event) for one in languages)
    return read_pairs(chain.from_iterable(read["pairs"] for read in kept if read is not None))


def _address(name: str, **asked: str | None) -> str:
    """Where a statement is read, as `way_back` takes it."""
    return f"{name}?{urlencode({key: value for key, value in asked.items() if value})}"


def _remembered(
    pid: int,
    reading: Reading,
    what: tuple[object, ...],
    written: Callable[[], Statement],
    here: str,
    *,
    fresh: bool | None,
) -> Recalled[dict[str, Any]]:
    """A statement as this visitor may see it; of the past, which nothing is newer than, for None. From its figures a
    way leads back `here`."""

    def shown() -> dict[str, Any]:
        found = written()
        paper = on_paper(reading, found)
        body = found.to_html(lambda mark: page_of(pid, found, mark, here), paper.of_marks)
        text = render_template("statement_text.html", language=found.language, body=body, paper=paper)
        return {
            "language": found.language,
            "title": found.title,
            "text": text,
            "pairs": write_pairs(found.pairs),
            "kept": found.paper is not None,
        }

    moment, what = reading.as_of, (*what, sees_small_cells())
    if fresh is None:
        # Of the past less is known than was known at the time: on how many open pairs a figure hangs.
        what = (*what, moment.event, moment.at, reading.is_current)
        return _kept.exactly(session(), pid, what, shown, event=moment.event)
    return _kept.recall(session(), pid, what, shown, fresh=fresh, event=moment.event)


# The language of a statement, its title, its text as our own markup, and the pairs on which its figures hang.
_kept: Shared[dict[str, Any]] = Shared("statement", awaited=True)
_compared: Shared[list[dict[str, Any]]] = Shared("comparison", awaited=True)


def _shown(
    pid: int,
    name: str,
    told: Recalled[dict[str, Any]],
    reading: Reading,
    period: str,
    place: str | None,
    issue: StatementIssue | None = None,
) -> str:
    asked = Asked(reading, period, reading.place(place), request.args.get("as_of", ""))
    return render_template(
        "statement.html",
        **asked.shown(pid),
        told=told,
        name=name,
        called=_called(pid, name, reading),
        statement=told.worked,
        of_project=reading.settings["name"],
        issue=issue,
        keeps_words=issue is not None and keeps_words(session(), issue),
        languages=statements_at(session(), pid, reading.as_of.event)[name],
        query={"period": period} | {key: value for key, value in request.args.items() if key in ("place", "as_of")},
        wording={key: value for key, value in request.args.items() if key == "wording"},
        may_issue=current.has_right("statements.issue"),
    )


def _ask(pid: int, name: str, asked: Asked, title: str, refusal: Refusal | None) -> ResponseReturnValue:
    page = render_template(
        "statement_issue.html",
        **asked.shown(pid),
        name=name,
        called=_called(pid, name, asked.reading),
        title=title,
        problem=refusal.detail if refusal else None,
        findings=refusal.findings if refusal else [],
    )
    return page, refusal.status if refusal else 200


def _called(pid: int, name: str, reading: Reading) -> str:
    """A statement by its heading, in the visitor's language."""
    return words().label(titles_at(session(), pid, reading.as_of.event).get(name, {})) or name


def _language(reading: Reading, name: str, asked: str | None) -> str:
    """The language that was asked for, else the visitor's if the statement has it, else the project's."""
    if asked:
        return asked
    written = statements_at(reading.session, reading.project_id, reading.as_of.event).get(name, [])
    return words().language if words().language in written else first_language(reading)


def _said_of(reading: Reading) -> Callable[[str], str]:
    return lambda period: said_of(reading.period(period)) or gettext("all time")
