"""Statements: report texts with figures in them, and those that were given out."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, render_template, url_for
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.acts.changing import begin, finish
from server.api.figures import ListQuery, PartQuery, part_of, reading_of, sees_small_cells
from server.api.schemas import Strict, text
from server.db import session
from server.door.guards import needs
from server.kept.beside import how_far
from server.kept.remembered import Remembered, Shared
from server.logs import log
from server.queries.submissions import titles_of_forms
from server.wire.answers import answer, disposition
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from sync.indicators.figures import Figure, write_cells
from sync.indicators.moments import resolve_as_of
from sync.indicators.reading import Reading
from sync.models import Project, StatementIssue
from sync.statements.issues import (
    Written,
    compose_issue,
    issue_at,
    issue_changes,
    issue_json,
    issue_statement,
    issues_of,
    pairs_issued,
    write_issue,
)
from sync.statements.marks import Mark, Pairs, read_pairs
from sync.statements.notes import Paper
from sync.statements.pages import Link
from sync.statements.statements import Statement, compose, head_of, on_paper, statements_at
from sync.statements.word import write_word
from sync.statements.word_templates import template_for

bp = Blueprint("statements", __name__, url_prefix="/v1/projects/<int:pid>/statements")

# As they read after the last event, and no longer.
_written: Remembered[Statement] = Remembered()
_ready: Shared[dict[str, Any]] = Shared("issue", awaited=True)

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_SAVED = {"docx": DOCX, "md": "text/markdown; charset=utf-8"}
_FORMATS = ("json", "html", "md", "docx")


class ShownQuery(Strict):
    """In which language and form."""

    lang = text(load_default=None, metadata={"description": "the project's first language without it"})
    format = text(load_default="json", validate=validate.OneOf(_FORMATS))


class StatementQuery(ShownQuery):
    """Of which time and place, and as of when."""

    as_of = text(load_default=None, metadata={"description": "an event's number, a time or a date; now without it"})
    period = text(load_default="all", metadata={"description": "for figures that name none"})
    place = text(load_default=None, metadata={"description": "for figures that name none"})


class NewIssueSchema(Strict):
    """A statement to give out as it reads at an event."""

    as_of = fields.Raw(required=True, metadata={"type": ["integer", "string"]})
    title = fields.String(required=True, validate=validate.Length(min=1, max=500))
    period = text(load_default="all")
    place = text(load_default=None, allow_none=True)


@bp.get("")
@needs("figures.read")
@documented("statements", query=ListQuery, answer="application/json")
def get_statements(pid: int) -> ResponseReturnValue:
    """The statements that the project has, with their languages."""
    query = read_query(ListQuery())
    moment = resolve_as_of(session(), pid, query["as_of"], current.now())
    found = part_of(statements_at(session(), pid, moment.event).items(), query)
    return answer({"statements": [{"name": name, "languages": languages} for name, languages in found]})


@bp.get("/<name>")
@needs("figures.read")
@documented("statements", query=StatementQuery, answer="application/json")
def get_statement(pid: int, name: str) -> ResponseReturnValue:
    """A statement as it reads at an event, as JSON, HTML, Markdown or a Word document."""
    query = read_query(StatementQuery())
    reading = reading_of(pid, query["as_of"])
    language, small = query["lang"] or first_language(reading), sees_small_cells()

    def written() -> Statement:
        return compose(reading, name, language, period=query["period"], place=query["place"], sees_small_cells=small)

    if query["as_of"]:  # Of the past less is known than was known at the time: on how many open pairs a figure hangs.
        statement = written()
    else:
        what = (name, language, query["period"], query["place"], small)
        statement = _written.get(session(), pid, what, written, event=reading.as_of.event)
    return _in_format(pid, reading, statement, query["format"])


@bp.get("/<name>/issues")
@needs("figures.read")
@documented("statements", query=PartQuery, answer="application/json")
def get_issues(pid: int, name: str) -> ResponseReturnValue:
    """The issues of a statement, the oldest first."""
    found = part_of(issues_of(session(), pid, name), read_query(PartQuery()))
    return answer({"issues": [issue_json(issue) for issue in found]})


@bp.post("/<name>/issues")
@needs("statements.issue")
@documented("statements", body=NewIssueSchema, answer="application/json")
def post_issue(pid: int, name: str) -> ResponseReturnValue:
    """Give a statement out as it reads at an event: this issue stays reproducible."""
    given = read_json(NewIssueSchema())
    issue = give_out(pid, name, str(given["as_of"]), given["title"], given["period"], given["place"])
    return answer(issue_json(issue))


@bp.get("/<name>/issues/<int:number>")
@needs("figures.read")
@documented("statements", query=ShownQuery, answer="application/json")
def get_issue(pid: int, name: str, number: int) -> ResponseReturnValue:
    """An issue as it was given out."""
    query = read_query(ShownQuery())
    issue = issue_at(session(), pid, name, number)
    statement = compose_issue(session(), issue, _language(pid, query["lang"]), sees_small_cells=sees_small_cells())
    return _in_format(pid, reading_of(pid, str(issue.as_of)), statement, query["format"], issue)


@bp.get("/<name>/issues/<int:number>/changes")
@needs("figures.read")
@documented("statements", query=StatementQuery, answer="application/json")
def get_issue_changes(pid: int, name: str, number: int) -> ResponseReturnValue:
    """What the figures of an issue would read today where that is different, and why."""
    query = read_query(StatementQuery())
    issue = issue_at(session(), pid, name, number)
    moment = resolve_as_of(session(), pid, query["as_of"], current.now())
    language = _language(pid, query["lang"])
    found = issue_changes(session(), issue, language, moment, sees_small_cells=sees_small_cells())
    return answer({"issue": issue_json(issue), "as_of": moment.to_json(), "changes": found})


def give_out(
    pid: int, name: str, as_of: str, title: str, period: str, place: str | None, pairs: Pairs | None = None
) -> StatementIssue:
    """Give a statement out as it reads at an event, with the `pairs` that it was read with, and commit."""
    written = ready_to_issue(pid, name, as_of, period, place, pairs)
    journal = begin(pid)
    issue = issue_statement(journal, written, title)
    finish(journal, "statement.issued", f"{name}/{issue.number}")
    log("statement_issued", project=pid, statement=name, number=issue.number)
    return issue


def ready_to_issue(
    pid: int, name: str, as_of: str, period: str, place: str | None, pairs: Pairs | None = None
) -> Written:
    """A statement as it would be given out as of an event. It is kept: a page that asks first has it written already,
    and says how far that is. What was written when less was known of the pairs is written anew."""
    event = resolve_as_of(session(), pid, as_of, current.now()).event
    reading = reading_of(pid, str(event))
    known = {**pairs_issued(session(), pid, name, event), **(pairs or {})}

    def written() -> dict[str, Any]:
        return write_issue(reading, name, period=period, place=place, pairs=known, tell=how_far()).to_json()

    what = (name, reading.period(period).text, reading.place(place), reading.as_of.at)
    ready = _ready.get(session(), pid, what, written, event=event, fits=lambda kept: _says_all(kept, known))
    return Written.of_json(ready)


def _says_all(kept: dict[str, Any], pairs: Pairs) -> bool:
    return pairs.items() <= read_pairs(kept["pairs"]).items()


def word_file(
    pid: int, reading: Reading, statement: Statement, issue: StatementIssue | None = None
) -> ResponseReturnValue:
    """A statement as a Word document: in the project's template for it, or a plain one."""
    template = template_for(session(), pid, statement.name)
    if template is not None:
        return as_word(pid, reading, statement, template, issue)
    paper = _paper(reading, statement, issue)
    written = statement.to_docx(_from_afar(pid, statement), paper, _head(statement, paper, issue))
    return _download(pid, statement, "docx", written, issue)


def as_word(
    pid: int, reading: Reading, statement: Statement, template: bytes, issue: StatementIssue | None = None
) -> ResponseReturnValue:
    """A statement written into this template."""
    current.take_slot()
    written = write_word(
        template,
        reading,
        statement,
        _paper(reading, statement, issue),
        issue=issue.title if issue else "",
        form_titles=titles_of_forms(session(), pid),
        sees_small_cells=sees_small_cells(),
        link=_from_afar(pid, statement),
    )
    return _download(pid, statement, "docx", written, issue)


def _paper(reading: Reading, statement: Statement, issue: StatementIssue | None) -> Paper:
    return on_paper(reading, statement, issue.issued_at if issue else None)


def _head(statement: Statement, paper: Paper, issue: StatementIssue | None) -> str:
    return head_of(statement, paper, issue.number, issue.title) if issue else head_of(statement, paper)


def _from_afar(pid: int, statement: Statement) -> Link:
    """Where each figure leads to out of a document."""
    return lambda mark: f"{current.public_address()}{page_of(pid, statement, mark)}"


def _download(
    pid: int, statement: Statement, form: str, document: bytes | str, issue: StatementIssue | None
) -> Response:
    """A file that is called by its statement, its period and its issue, or else the day as of which it reads."""
    zone = ZoneInfo(session().get_one(Project, pid).time_zone)
    day = statement.as_of.at.astimezone(zone).date().isoformat()
    period = "" if statement.period == "all" else statement.period
    parts = statement.name, period, f"issue-{issue.number}" if issue else day
    name = "_".join(part for part in parts if part).replace("/", "--")
    headers = {"Content-Disposition": disposition(f"{name}.{statement.language}.{form}")}
    return Response(document, content_type=_SAVED[form], headers=headers)


def first_language(reading: Reading) -> str:
    """The project's main language at the time."""
    return next(iter(reading.settings["languages"]), "en")


def page_of(pid: int, statement: Statement, mark: Mark, back: str = "") -> str:
    """The page on a figure and what stands behind it, as it stands in the statement, with the way `back` to where that
    is read."""
    assert mark.figure is not None
    page = url_for("figure_pages.evidence", pid=pid, indicator=mark.figure.definition.name)
    return f"{page}?{_asked(statement, mark.figure, fact=mark.fact, decimals=mark.decimals, back=back)}"


def _evidence_of(pid: int, statement: Statement, mark: Mark) -> str:
    assert mark.figure is not None
    name = mark.figure.definition.name
    return current.own_address(f"/projects/{pid}/figures/{name}/evidence?{_asked(statement, mark.figure)}")


def _asked(statement: Statement, figure: Figure, **more: str | int | None) -> str:
    cells, event = write_cells(figure.by), statement.as_of.event
    asked = {"period": figure.period.text, "place": figure.place, "is": cells, "as_of": event, **more}
    return urlencode({name: value for name, value in asked.items() if value not in (None, "", "all")})


def _in_format(
    pid: int, reading: Reading, statement: Statement, form: str, issue: StatementIssue | None = None
) -> ResponseReturnValue:
    match form:
        case "docx":
            return word_file(pid, reading, statement, issue)
        case "html":
            body = statement.to_html(lambda mark: page_of(pid, statement, mark))
            return render_template(
                "statement_alone.html", body=body, title=statement.title, language=statement.language
            )
        case "md":
            head = _head(statement, _paper(reading, statement, issue), issue)
            return _download(pid, statement, "md", statement.to_markdown(head), issue)
        case _:
            more = {"issue": issue_json(issue), "kept": statement.paper is not None} if issue else {}
            return answer(statement.to_json(lambda mark: _evidence_of(pid, statement, mark)) | more)


def _language(pid: int, asked: str | None) -> str:
    return asked or next(iter(session().get_one(Project, pid).languages), "en")
