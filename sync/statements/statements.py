"""Statements: report texts with figures in them, written as of an event."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from jinja2.exceptions import SecurityError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from forms.findings import Finding
from forms.spelling import did_you_mean
from sync.errors import NotFound, Unexpected
from sync.indicators.definitions import held_at
from sync.indicators.figures import Figure
from sync.indicators.moments import AsOf
from sync.indicators.periods import read_period
from sync.indicators.reading import Reading
from sync.indicators.wording import date_words, number_words, period_words, phrase
from sync.journal import Journal
from sync.models.indicators import StatementText
from sync.models.projects import Event, Project
from sync.models.submissions import Submission
from sync.statements.marks import Asked, Mark, Page, Pairs, Tell, clean, period_name
from sync.statements.notes import Paper, beneath, notes_of
from sync.statements.pages import (
    Block,
    Link,
    Run,
    as_docx,
    as_html,
    as_markdown,
    as_paragraphs,
    beneath_heading,
    blocks_of,
    heading_of,
)
from sync.statements.templates import check_source, render_source

VARIABLES = ("waiting", "counts", "period", "place", "project", "as_of")
_LONGEST_TITLE = 300  # characters
_HEADING = re.compile(r"\s*#\s+([^\n{*_`\[<]+?)\s*\n")
_WORD = re.compile(r"\w+")
_FALLBACK = {"bm": "fr"}
_ARRIVING = ("submitted", "edited")
_UNDECIDED = (*_ARRIVING, "restored")


def nobody(_done: int, _of: int) -> None:
    """Is told how far it is, where nobody asks."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it reads at one event in one language, for a period and a place. `figures` are its figures, each
    once, in order, and `pairs` on how many open pairs they hang, where that is known. One that was kept when it was
    given out has what stands around it on `paper` with it."""

    name: str
    language: str
    as_of: AsOf
    period: str
    place: str | None
    text: str  # Markdown with a mark for each figure
    marks: Sequence[Mark]
    figures: Mapping[Asked, Figure]
    basis: str
    pairs: Pairs
    paper: Paper | None = None

    @property
    def title(self) -> str:
        """The first heading of the text; its name where it has none."""
        return heading_of(blocks_of(self.text, self.marks)) or self.name

    def to_json(self, link: Link | None = None) -> dict[str, Any]:
        """`{name, lang, as_of, paragraphs}`; a figure has its words as `text`, what of it they are as `fact` where that
        is not its value, and, given `link`, its `evidence`."""

        def shown(mark: Mark) -> dict[str, Any]:
            assert mark.figure is not None
            fact = {"fact": mark.fact} if mark.fact else {}
            evidence = {"evidence": link(mark)} if link else {}
            return {**mark.figure.to_json(), "text": mark.words, **fact, **evidence}

        paragraphs = as_paragraphs(blocks_of(self.text, self.marks), shown)
        return {
            "name": self.name,
            "lang": self.language,
            "as_of": self.as_of.to_json(),
            "paragraphs": [*paragraphs, [self.basis]],
        }

    def to_html(self, link: Link, notes: Mapping[int, int] | None = None) -> str:
        """A fragment; each figure leads to what `link` says, and for paper has the number of its note, if it has one.
        Nothing in it but our own markup."""
        return f'{as_html(self.text, self.marks, link, notes)}<p class="basis">{html.escape(self.basis)}</p>\n'

    def to_markdown(self, head: str = "") -> str:
        """With `head` beneath its heading, as `head_of` has it."""
        return f"{as_markdown(self._headed(head), self.marks).rstrip()}\n\n{self.basis}\n"

    def to_docx(self, link: Link | None = None, paper: Paper | None = None, head: str = "") -> bytes:
        """A Word document, with `head` beneath its heading; each figure leads to what `link` says, and has the number
        of its note at the end."""
        blocks = blocks_of(f"{self._headed(head)}\n\n{self.basis}", self.marks)
        if paper is not None and paper.notes:
            blocks.append(Block("heading", (Run(paper.heading),), 2))
            blocks += [Block("paragraph", (Run(line),)) for line in paper.lines]
        return as_docx(
            blocks,
            self.title,
            author=paper.project if paper else "",
            at=self.as_of.at,
            language=self.language,
            link=link,
            notes=paper.of_marks if paper else {},
        )

    def _headed(self, head: str) -> str:
        return beneath_heading(self.text, clean(head)) if head else self.text


def put_statement(journal: Journal, name: str, language: str, source: str, event: int) -> bool:
    """Make this the wording from `event` on; False if it was. Raises Unexpected with all findings and their lines."""
    reading = Reading(journal.session, journal.project_id, AsOf(journal.last_event, journal.now))
    findings = check_statement(reading, name, language, source)
    if findings:
        raise Unexpected(findings=findings)
    text = journal.session.scalars(
        select(StatementText).where(
            StatementText.project_id == journal.project_id,
            StatementText.name == name,
            StatementText.language == language,
            StatementText.closed.is_(None),
        )
    ).one_or_none()
    if text is not None and text.source == source:
        return False
    _try(reading, name, language, source)
    if text is not None and text.opened == event:
        text.source = source
    else:
        if text is not None:
            text.closed = event
        journal.session.add(
            StatementText(
                project_id=journal.project_id, name=name, language=language, opened=event, closed=None, source=source
            )
        )
    journal.session.flush()
    return True


def check_statement(reading: Reading, name: str, language: str, source: str) -> list[Finding]:
    """What is wrong with a wording, by the indicators and places of the reading."""
    page = Page(reading, language, "all", None, sees_small_cells=True)
    known = [*reading.definitions, *VARIABLES]
    place = _file(name, language)
    findings = check_source(page.environment(), clean(source), known, lambda *call: _call_faults(reading, *call), place)
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        findings.append(Finding(f"‘{name}’ cannot name a statement.", "Use letters, digits, - and _.", place))
    return findings


def _try(reading: Reading, name: str, language: str, source: str) -> None:
    """Write it once. Raises Unexpected with the line, if it cannot be written: unless that may be for want of data, or
    another period, place or number would do."""
    page = Page(reading, language, "all", None, sees_small_cells=True)
    try:
        _write(page, source, "all", None, _file(name, language))
    except Unexpected as refusal:
        cause = refusal.__cause__  # none, where the data named a period, place or cell that there is not
        if isinstance(cause, SecurityError) or (
            page.lacks_nothing and cause is not None and not isinstance(cause, ArithmeticError)
        ):
            raise


def compose(
    reading: Reading,
    name: str,
    language: str,
    *,
    period: str = "all",
    place: str | None = None,
    sees_small_cells: bool,
    pairs: Pairs | None = None,
    tell: Tell = nobody,
) -> Statement:
    """Write a statement as of the reading. A language without a wording reads that of its neighbour, of the project's
    first language, or any. `period` and `place` hold for figures that name none. `pairs` are those on which figures
    are known to have hung. Raises NotFound for a statement that there was not."""
    source, written = source_of(reading, name, language)
    roughly = reading.definitions.keys() & _WORD.findall(source)  # some may be prose
    begin = counting_indicators(tell, len(roughly))
    page = Page(reading, written, reading.period(period).text, reading.place(place), sees_small_cells, begin, pairs)
    text, waiting = _write(page, source, period, place, _file(name, written))
    return Statement(
        name,
        written,
        reading.as_of,
        period,
        place,
        text,
        page.settled(text),
        page.figures,
        _basis(reading, written, waiting),
        page.pairs,
    )


def on_paper(reading: Reading, statement: Statement, issued_at: dt.datetime | None = None) -> Paper:
    """What stands around a statement, as it was kept, or else in the words of today."""
    if statement.paper is not None:
        return statement.paper
    language = statement.language
    notes, of_marks = notes_of(reading, statement.text, statement.marks, language)
    of_all, sentences = beneath(notes, language)
    return Paper(
        tuple(notes),
        of_marks,
        phrase("notes", language),
        of_all,
        tuple(sentences),
        reading.settings["name"],
        period_words(reading.period(statement.period), language),
        _place_name(reading, statement.place),
        day_words(reading, reading.as_of.at, language),
        day_words(reading, issued_at, language) if issued_at is not None else "",
    )


def head_of(statement: Statement, paper: Paper, number: int | None = None, title: str = "") -> str:
    """What a file says beneath the heading: project, period and place; of an issue its number, title and day."""
    issued = {"number": number, "title": title, "date": paper.issued}
    issue = phrase("issue", statement.language, **issued) if number is not None else ""
    return " · ".join(part for part in (paper.project, paper.period, paper.place, issue) if part)


def counting_indicators(tell: Tell, of: int) -> Callable[[str], None]:
    """Tells how many indicators are done: none, and then whenever a figure of the next one is begun."""
    begun: set[str] = set()
    tell(0, of)

    def begin(indicator: str) -> None:
        begun.add(indicator)
        tell(len(begun) - 1, max(of, len(begun)))

    return begin


def _file(name: str, language: str) -> str:
    """Where the text stands in a programme's folder."""
    return f"statements/{name}.{language}.md"


def _write(page: Page, source: str, period: str, place: str | None, where: str) -> tuple[str, int]:
    """The text, and how many submissions wait for review. `where` the text stands is said of what is wrong with it."""
    reading = page.reading
    waiting = waiting_for_review(reading)
    extra = {
        "waiting": waiting,
        "counts": reading.settings["counts"],
        "period": period_name(page, period),
        "place": _place_name(reading, place),
        "project": reading.settings["name"],
        "as_of": _day(reading, reading.as_of.at),
    }
    return render_source(page.environment(), clean(source), page.values(extra), where, page.length), waiting


def statements_at(session: Session, project_id: int, as_of: int | None) -> dict[str, list[str]]:
    """Name → languages."""
    rows = session.execute(
        select(StatementText.name, StatementText.language)
        .where(StatementText.project_id == project_id, *held_at(StatementText, as_of))
        .order_by(StatementText.name, StatementText.language)
    )
    found: dict[str, list[str]] = {}
    for name, language in rows:
        found.setdefault(name, []).append(language)
    return found


def titles_at(session: Session, project_id: int, as_of: int | None) -> dict[str, dict[str, str]]:
    """Name → language → the first heading of the text; the name where none comes first, or a figure stands in it."""
    rows = session.execute(
        select(StatementText.name, StatementText.language, func.substr(StatementText.source, 1, _LONGEST_TITLE))
        .where(StatementText.project_id == project_id, *held_at(StatementText, as_of))
        .order_by(StatementText.name, StatementText.language)
    )
    found: dict[str, dict[str, str]] = {}
    for name, language, source in rows:
        heading = _HEADING.match(source)
        found.setdefault(name, {})[language] = heading[1] if heading else name
    return found


def waiting_for_review(reading: Reading) -> int:
    """Submissions of the time about which nobody had decided."""
    last = reading.session.scalar(select(Project.last_event).where(Project.id == reading.project_id))
    if reading.as_of.event >= (last or 0):
        return _waiting_now(reading)
    decisive = (
        select(Event.submission_id, func.max(Event.number).label("number"))
        .where(
            Event.project_id == reading.project_id,
            Event.number <= reading.as_of.event,
            Event.submission_id.is_not(None),
            Event.kind.in_((*_UNDECIDED, "rejected", "reviewed", "deleted")),
        )
        .group_by(Event.submission_id)
        .subquery()
    )
    rows = reading.session.execute(
        select(Event.kind, Event.details)
        .join(decisive, Event.number == decisive.c.number)
        .where(Event.project_id == reading.project_id, Event.kind.in_((*_UNDECIDED, "reviewed")))
    )
    # A decision taken back, or a deletion, may have brought back one that had been decided about before.
    return sum(kind in _ARRIVING or (details or {}).get("to") in (None, "edited") for kind, details in rows)


def source_of(reading: Reading, name: str, language: str) -> tuple[str, str]:
    """The wording and its language. Raises NotFound where there was none."""
    texts: Mapping[str, str] = dict(
        reading.session.execute(
            select(StatementText.language, StatementText.source)
            .where(
                StatementText.project_id == reading.project_id,
                StatementText.name == name,
                *held_at(StatementText, reading.as_of.event),
            )
            .order_by(StatementText.language)
        ).all()
    )
    if not texts:
        known = ", ".join(statements_at(reading.session, reading.project_id, reading.as_of.event))
        raise NotFound(f"There is no statement ‘{name}’ as of this moment; there is {known or 'none'}.")
    wanted = [language, _FALLBACK.get(language, ""), *reading.settings["languages"], *texts]
    found = next(one for one in wanted if one in texts)
    return texts[found], found


def _waiting_now(reading: Reading) -> int:
    count = reading.session.scalar(
        select(func.count())
        .select_from(Submission)
        .where(
            Submission.project_id == reading.project_id,
            Submission.deleted_at.is_(None),
            func.coalesce(Submission.review_state, "edited") == "edited",
        )
    )
    return count or 0


def day_words(reading: Reading, at: dt.datetime, language: str) -> str:
    """The day of a moment, where the project is."""
    return date_words(_day(reading, at), language)


def _day(reading: Reading, at: dt.datetime) -> dt.date:
    return at.astimezone(ZoneInfo(reading.settings["time_zone"])).date()


def _place_name(reading: Reading, place: str | None) -> str:
    code = reading.place(place)
    return reading.tree.places[code].name if code is not None else ""


def _basis(reading: Reading, language: str, waiting: int) -> str:
    """The last paragraph: which submissions count, how many wait, and as of when."""
    name = f"{reading.settings['counts']}_one" if waiting == 1 else reading.settings["counts"]
    rule = phrase(name, language, waiting=number_words(waiting, language))
    as_of = phrase("as_of", language, date=day_words(reading, reading.as_of.at, language), event=reading.as_of.event)
    return f"{rule} {as_of}"


def _call_faults(reading: Reading, name: str, asked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with asking for a figure with these constants."""
    definition = reading.definitions.get(name)
    if definition is None:
        yield f"‘{name}’ is not an indicator and takes nothing in brackets.", ""
        return
    ways = reading.breakings(definition)
    for key, value in asked.items():
        if not isinstance(value, str | None):
            yield f"{key}={value!r} is not a text.", f'Write {key}="…".'
        elif key == "period":
            yield from _faults_of(read_period, value or "", 1)
        elif key == "place":
            yield from _faults_of(reading.place, value)
        elif key not in ways:
            yield f"‘{name}’ is not broken down by ‘{key}’.", did_you_mean(key, [*ways, "period", "place"])
        elif value is not None and ways[key].values and value not in ways[key].values:
            yield f"‘{value}’ is not a key of ‘{key}’.", did_you_mean(value, ways[key].values)


def _faults_of(look: Callable[..., object], *arguments: object) -> Iterator[tuple[str, str]]:
    try:
        look(*arguments)
    except Unexpected as error:
        for finding in error.findings:
            yield finding.fault, finding.remedy
