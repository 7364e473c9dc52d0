"""Statements that were given out: kept as they read then, in every language, and compared with what they say now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from sync.errors import NotFound, Refusal, Unexpected
from sync.indicators.changes import changes
from sync.indicators.figures import Figure
from sync.indicators.moments import AsOf
from sync.indicators.reading import Reading
from sync.indicators.wording import GAP
from sync.journal import Journal
from sync.models.indicators import IssueText, StatementIssue
from sync.models.projects import Event
from sync.statements.frozen import freeze, thaw
from sync.statements.marks import Asked, Pairs, Tell, figure_of, read_pairs, words_apart, words_of, write_pairs
from sync.statements.statements import (
    Statement,
    compose,
    counting_indicators,
    day_words,
    nobody,
    on_paper,
    source_of,
    statements_at,
)


@dataclass(frozen=True, slots=True)
class Written:
    """A statement as it is about to be given out, as of one event: in each of its languages (as `freeze` writes it) as
    those read it who see small cells, and as all others do; and on how many open pairs its figures hang."""

    name: str
    as_of: int
    period: str
    place: str | None
    texts: Sequence[tuple[str, bool, Mapping[str, Any]]]
    pairs: Pairs

    def to_json(self) -> dict[str, Any]:
        kept = {one: getattr(self, one) for one in ("name", "as_of", "period", "place", "texts")}
        return {**kept, "pairs": write_pairs(self.pairs)}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Written:
        return cls(**{**kept, "pairs": read_pairs(kept["pairs"])})


def write_issue(
    reading: Reading,
    name: str,
    *,
    period: str = "all",
    place: str | None = None,
    pairs: Pairs | None = None,
    tell: Tell = nobody,
) -> Written:
    """Write a statement as of the reading, before anybody has to wait for it. `pairs` are those on which its figures
    are known to have hung; of the past nothing else is known. A text that cannot be written, perhaps for those alone
    who do not see all figures, is left out. Raises Unexpected where none can, NotFound where there was none."""
    source_of(reading, name, "")
    given = reading.period(period).text, reading.place(place)
    known, texts, refusal = dict(pairs or {}), [], None
    languages = statements_at(reading.session, reading.project_id, reading.as_of.event)[name]
    for position, language in enumerate(languages):
        further = _further(tell, position, len(languages))
        for small in (False, True):
            try:
                statement = compose(
                    reading,
                    name,
                    language,
                    period=period,
                    place=place,
                    sees_small_cells=small,
                    pairs=known,
                    tell=further,
                )
            except Unexpected as error:
                refusal = error
                continue
            known |= statement.pairs
            frozen = freeze(statement, on_paper(reading, statement))
            texts.append((language, small, frozen))
            if not small and not any(figure.hidden for figure in statement.figures.values()):
                texts.append((language, True, frozen))  # where nothing is hidden, all read the same
                break
    if refusal is not None and not texts:
        raise refusal
    return Written(name, reading.as_of.event, *given, texts, known)


def _further(tell: Tell, position: int, several: int) -> Tell:
    """Tells how far all are, of which one begins at this position."""
    return lambda done, of: tell(position * of + done, several * of)


def issue_statement(journal: Journal, written: Written, title: str) -> StatementIssue:
    """Give a statement out as it was written: so it reads from now on."""
    session, project_id = journal.session, journal.project_id
    last = session.scalar(
        select(func.max(StatementIssue.number)).where(
            StatementIssue.project_id == project_id, StatementIssue.name == written.name
        )
    )
    issue = StatementIssue(
        project_id=project_id,
        name=written.name,
        number=(last or 0) + 1,
        title=title,
        as_of=written.as_of,
        period=written.period,
        place=written.place,
        issued_at=journal.now,
        actor_id=journal.actor_id,
        pairs=write_pairs(written.pairs),
    )
    journal.record("issued", None, {"statement": written.name, "number": issue.number})
    session.add(issue)
    session.flush()
    reading = Reading(session, project_id, _moment(session, issue))
    for language, small, frozen in written.texts:
        paper = {**frozen["paper"], "issued": day_words(reading, journal.now, language)}
        session.add(
            IssueText(
                project_id=project_id,
                name=written.name,
                number=issue.number,
                language=language,
                small_cells=small,
                written={**frozen, "paper": paper},
            )
        )
    session.flush()
    return issue


def pairs_issued(session: Session, project_id: int, name: str, event: int) -> Pairs:
    """On how many open pairs the figures of a statement hung at an event as of which it was given out before."""
    written = session.scalars(
        select(StatementIssue.pairs)
        .where(StatementIssue.project_id == project_id, StatementIssue.name == name, StatementIssue.as_of == event)
        .order_by(StatementIssue.number)
    )
    return read_pairs(chain.from_iterable(written))


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


def how_many_issues(session: Session, project_id: int) -> int:
    """Of all statements."""
    query = select(func.count()).select_from(StatementIssue).where(StatementIssue.project_id == project_id)
    return session.scalars(query).one()


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


def keeps_words(session: Session, issue: StatementIssue) -> bool:
    """Whether it was given out since texts are kept. One that was lacks those alone that could not be written then."""
    of_issue = IssueText.project_id == issue.project_id, IssueText.name == issue.name, IssueText.number == issue.number
    return session.scalar(select(exists().where(*of_issue))) or False


def compose_issue(
    session: Session, issue: StatementIssue, language: str, *, sees_small_cells: bool, tell: Tell = nobody
) -> Statement:
    """The statement as it was given out, in any language that it had a wording in. One that was given out before its
    texts were kept is written anew as of then, and has no `paper`; so is what could not be written then."""
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
    tell: Tell = nobody,
) -> list[dict[str, Any]]:
    """What an issue's figures would read today where that is different: `{indicator, …, before, after, causes}`.

    `causes` are those of the figure itself, of a share those of its part; none where its evidence may not be seen. They
    take most of the time: a caller that does not show them leaves them out.
    """
    before, after = (Reading(session, issue.project_id, as_of) for as_of in (_moment(session, issue), now))
    issued = _composed(before, issue, language, sees_small_cells, lambda done, of: tell(done, 2 * of))
    indicators = {asked.name for asked in issued.figures}
    begin = counting_indicators(lambda done, of: tell(of + done, 2 * of), len(indicators))
    found = []
    for asked, was in issued.figures.items():
        begin(asked.name)
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
    _, found = source_of(reading, issue.name, language)
    which = issue.project_id, issue.name, issue.number, found, sees_small_cells
    if (kept := reading.session.get(IssueText, which)) is not None:
        return thaw(reading, issue.name, found, read_pairs(issue.pairs), kept.written)
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
