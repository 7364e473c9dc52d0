"""Statements: report texts with figures in them, written as of an event, and issued so that they stay reproducible."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from jinja2.exceptions import SecurityError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from forms.findings import Finding
from forms.spelling import did_you_mean
from sync.errors import NotFound, Refusal, Unexpected
from sync.indicators.changes import changes
from sync.indicators.definitions import held_at
from sync.indicators.figures import Figure
from sync.indicators.marks import (
    Asked,
    Mark,
    Page,
    Pairs,
    Tell,
    clean,
    figure_of,
    period_name,
    read_pairs,
    words_apart,
    words_of,
    write_pairs,
)
from sync.indicators.pages import Block, Link, Run, as_docx, as_html, as_markdown, as_paragraphs, blocks_of, heading_of
from sync.indicators.periods import read_period
from sync.indicators.reading import AsOf, Reading
from sync.indicators.templates import check_source, render_source
from sync.indicators.wording import GAP, date_words, number_words, phrase
from sync.journal import Journal
from sync.models.indicators import StatementIssue, StatementText
from sync.models.projects import Event, Project
from sync.models.submissions import Submission

VARIABLES = ("waiting", "counts", "period", "place", "project", "as_of")
_LONGEST_TITLE = 300  # characters
_HEADING = re.compile(r"\s*#\s+([^\n{*_`\[<]+?)\s*\n")
_WORD = re.compile(r"\w+")
_FALLBACK = {"bm": "fr"}
_ARRIVING = ("submitted", "edited")
_UNDECIDED = (*_ARRIVING, "restored")


def _nobody(_done: int, _of: int) -> None:
    """Is told how far it is, where nobody asks."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it reads at one event in one language. `asked` are its figures, each once, in order, and `pairs`
    on how many open pairs they hang, where that is known."""

    name: str
    language: str
    as_of: AsOf
    text: str  # Markdown with a mark for each figure
    marks: Sequence[Mark]
    asked: Sequence[Asked]
    basis: str
    pairs: Pairs

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

    def to_markdown(self) -> str:
        return f"{as_markdown(self.text, self.marks).rstrip()}\n\n{self.basis}\n"

    def to_docx(
        self, author: str = "", link: Link | None = None, notes: Sequence[str] = (), of_marks: Mapping[int, int] = {}
    ) -> bytes:
        """A Word document; each figure leads to what `link` says, and has the number of its note at the end."""
        blocks = blocks_of(f"{self.text}\n\n{self.basis}", self.marks)
        if notes:
            blocks.append(Block("heading", (Run(phrase("notes", self.language)),), 2))
        blocks += [Block("paragraph", (Run(f"{number}. {note}"),)) for number, note in enumerate(notes, 1)]
        return as_docx(
            blocks, self.title, author=author, at=self.as_of.at, language=self.language, link=link, notes=of_marks
        )


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
    place = f"statements/{name}.{language}.md"
    findings = check_source(page.environment(), clean(source), known, lambda *call: _call_faults(reading, *call), place)
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        findings.append(Finding(f"‘{name}’ cannot name a statement.", "Use letters, digits, - and _.", place))
    return findings


def _try(reading: Reading, name: str, language: str, source: str) -> None:
    """Write it once. Raises Unexpected with the line, if it cannot be written: unless that may be for want of data, or
    another period, place or number would do."""
    page = Page(reading, language, "all", None, sees_small_cells=True)
    try:
        _write(page, source, "all", None, f"statements/{name}.{language}.md")
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
    tell: Tell = _nobody,
) -> Statement:
    """Write a statement as of the reading. A language without a wording reads that of its neighbour, of the project's
    first language, or any. `period` and `place` hold for figures that name none. `pairs` are those on which figures
    are known to have hung. Raises NotFound for a statement that there was not."""
    source, written = _source(reading, name, language)
    begin = _counting(tell, len(reading.definitions.keys() & _WORD.findall(source)))  # roughly: some may be prose
    page = Page(reading, written, reading.period(period).text, reading.place(place), sees_small_cells, begin, pairs)
    text, waiting = _write(page, source, period, place)
    return Statement(
        name,
        written,
        reading.as_of,
        text,
        page.settled(text),
        tuple(page.asked),
        _basis(reading, written, waiting),
        page.pairs,
    )


def _counting(tell: Tell, of: int) -> Callable[[str], None]:
    """Tells how many indicators are done: none, and then whenever a figure of the next one is begun."""
    begun: set[str] = set()
    tell(0, of)

    def begin(indicator: str) -> None:
        begun.add(indicator)
        tell(len(begun) - 1, max(of, len(begun)))

    return begin


def _write(page: Page, source: str, period: str, place: str | None, where: str = "statement") -> tuple[str, int]:
    """The text, and how many submissions wait for review. `where` the text stands is said of what is wrong with it."""
    reading = page.reading
    waiting = waiting_for_review(reading)
    extra = {
        "waiting": waiting,
        "counts": reading.settings["counts"],
        "period": period_name(page, period),
        "place": _place_name(reading, place),
        "project": reading.settings["name"],
        "as_of": _day(reading),
    }
    return render_source(page.environment(), clean(source), page.values(extra), where), waiting


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


# Issues


def pairs_behind_statement(reading: Reading, name: str, period: str, place: str | None) -> Pairs:
    """On how many open pairs its figures hang, in whatever language it reads; nothing of the past, of which that is not
    known."""
    if not reading.is_current:
        return {}
    found: dict[Asked, int] = {}
    for language in statements_at(reading.session, reading.project_id, reading.as_of.event).get(name, ()):
        found |= compose(reading, name, language, period=period, place=place, sees_small_cells=True).pairs
    return found


def pairs_issued(session: Session, project_id: int, name: str, event: int) -> Pairs:
    """On how many open pairs the figures of a statement hung at an event as of which it was given out before."""
    written = session.scalars(
        select(StatementIssue.pairs)
        .where(StatementIssue.project_id == project_id, StatementIssue.name == name, StatementIssue.as_of == event)
        .order_by(StatementIssue.number)
    )
    return read_pairs(chain.from_iterable(written))


def issue_statement(
    journal: Journal,
    name: str,
    *,
    as_of: AsOf,
    title: str,
    period: str = "all",
    place: str | None = None,
    pairs: Pairs | None = None,
) -> StatementIssue:
    """Give a statement out as it reads at an event, with the `pairs` on which its figures hang. Raises NotFound where
    it had no wording then."""
    reading = Reading(journal.session, journal.project_id, as_of)
    _source(reading, name, "")
    number = journal.session.scalar(
        select(func.max(StatementIssue.number)).where(
            StatementIssue.project_id == journal.project_id, StatementIssue.name == name
        )
    )
    issue = StatementIssue(
        project_id=journal.project_id,
        name=name,
        number=(number or 0) + 1,
        title=title,
        as_of=as_of.event,
        period=reading.period(period).text,
        place=reading.place(place),
        issued_at=journal.now,
        actor_id=journal.actor_id,
        pairs=write_pairs(pairs or {}),
    )
    journal.record("issued", None, {"statement": name, "number": issue.number})
    journal.session.add(issue)
    journal.session.flush()
    return issue


def issues_of(session: Session, project_id: int, name: str) -> list[StatementIssue]:
    """In the order in which they were given out."""
    found = session.scalars(
        select(StatementIssue)
        .where(StatementIssue.project_id == project_id, StatementIssue.name == name)
        .order_by(StatementIssue.number)
    )
    return list(found)


def last_issues(session: Session, project_id: int, limit: int) -> list[StatementIssue]:
    """Of all statements, the newest first."""
    found = session.scalars(
        select(StatementIssue)
        .where(StatementIssue.project_id == project_id)
        .order_by(StatementIssue.issued_at.desc(), StatementIssue.name, StatementIssue.number.desc())
        .limit(limit)
    )
    return list(found)


def issue_at(session: Session, project_id: int, name: str, number: int) -> StatementIssue:
    """Raises NotFound."""
    issue = session.get(StatementIssue, (project_id, name, number))
    if issue is None:
        raise NotFound
    return issue


def issue_json(issue: StatementIssue) -> dict[str, Any]:
    """As the API answers it."""
    return {
        "name": issue.name,
        "number": issue.number,
        "title": issue.title,
        "as_of": issue.as_of,
        "period": issue.period,
        "place": issue.place,
        "issued_at": issue.issued_at.isoformat(),
    }


def compose_issue(
    session: Session, issue: StatementIssue, language: str, *, sees_small_cells: bool, tell: Tell = _nobody
) -> Statement:
    """The statement as it was given out, in any language that it had a wording in."""
    reading = Reading(session, issue.project_id, _moment(session, issue))
    return _composed(reading, issue, language, sees_small_cells, tell)


def issue_changes(
    session: Session,
    issue: StatementIssue,
    language: str,
    now: AsOf,
    *,
    sees_small_cells: bool,
    with_causes: bool = True,
    tell: Tell = _nobody,
) -> list[dict[str, Any]]:
    """What an issue's figures would read today where that is different: `{indicator, …, before, after, causes}`.

    `causes` are those of the figure itself, of a share those of its part; none where its evidence may not be seen. They
    take most of the time: a caller that does not show them leaves them out.
    """
    before, after = (Reading(session, issue.project_id, as_of) for as_of in (_moment(session, issue), now))
    issued = _composed(before, issue, language, sees_small_cells, lambda done, of: tell(done, 2 * of))
    indicators = {asked.name for asked in issued.asked}
    begin = _counting(lambda done, of: tell(of + done, 2 * of), len(indicators))
    found = []
    for asked in issued.asked:
        begin(asked.name)
        was = figure_of(before, asked, sees_small_cells)
        is_now = _now(after, asked, sees_small_cells)
        words, words_now = (
            (words_of(was, asked, language), GAP) if is_now is None else words_apart(was, is_now, asked, language)
        )
        if words == words_now and (is_now is None or was.value == is_now.value):
            continue
        found.append(
            {
                "indicator": asked.name,
                "period": asked.period,
                "place": asked.place,
                "by": dict(asked.cells),
                "share": asked.share,
                "before": {**was.to_json(), "text": words},
                "after": None if is_now is None else {**is_now.to_json(), "text": words_now},
                "causes": _causes(before, after, asked, sees_small_cells) if with_causes else [],
            }
        )
    return found


def _now(reading: Reading, asked: Asked, sees_small_cells: bool) -> Figure | None:
    """None where the indicator, its place or its breakdown is gone."""
    try:
        return figure_of(reading, asked, sees_small_cells)
    except Unexpected:
        return None


def _causes(before: Reading, after: Reading, asked: Asked, sees_small_cells: bool) -> list[dict[str, Any]]:
    try:
        told = changes(
            before,
            after,
            asked.name,
            period=asked.period,
            place=asked.place,
            cells=dict(asked.cells),
            limit=1,
            sees_small_cells=sees_small_cells,
        )
    except Refusal:
        return []
    return [cause.to_json() for cause in told.causes]


def _composed(reading: Reading, issue: StatementIssue, language: str, sees_small_cells: bool, tell: Tell) -> Statement:
    return compose(
        reading,
        issue.name,
        language,
        period=issue.period,
        place=issue.place,
        sees_small_cells=sees_small_cells,
        pairs=read_pairs(issue.pairs),
        tell=tell,
    )


def _moment(session: Session, issue: StatementIssue) -> AsOf:
    at = session.scalar(select(Event.at).where(Event.project_id == issue.project_id, Event.number == issue.as_of))
    return AsOf(issue.as_of, at or issue.issued_at)


def _source(reading: Reading, name: str, language: str) -> tuple[str, str]:
    """The wording and its language."""
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


def _day(reading: Reading) -> dt.date:
    return reading.as_of.at.astimezone(ZoneInfo(reading.settings["time_zone"])).date()


def _place_name(reading: Reading, place: str | None) -> str:
    code = reading.place(place)
    return reading.tree.places[code].name if code is not None else ""


def _basis(reading: Reading, language: str, waiting: int) -> str:
    """The last paragraph: which submissions count, how many wait, and as of when."""
    name = f"{reading.settings['counts']}_one" if waiting == 1 else reading.settings["counts"]
    rule = phrase(name, language, waiting=number_words(waiting, language))
    as_of = phrase("as_of", language, date=date_words(_day(reading), language), event=reading.as_of.event)
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
