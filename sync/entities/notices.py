"""The two lists that a device has for itself: what became of what it sent, and what it is to correct."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from forms.form import Field
from forms.xforms.corrections import SENT, correction_questions, row_of_instance
from forms.xforms.instance import read_instance
from forms.xforms.xform import Form
from sync.intake.prepare import unpack
from sync.models import Actor, Comment, Event, Project, Quarantined, Submission, SubmissionVersion
from sync.models import Form as FormRow
from sync.projects.catalogue import Published, published
from sync.review.counting import APPROVED, REJECTED

HAS_ISSUES = "hasIssues"
RECEIVED, COMPLETE, LACKS_FILES, SENT_BACK, ACCEPTED = "received", "complete", "missing_photos", "sent_back", "approved"
KEPT = "kept"
LANGUAGES = ("fr", "en", "bm")
# As a tablet's user reads it; Bambara as it is said in short messages, without what would need a longer sentence.
WORDS: Mapping[str, tuple[str, str, str]] = {
    RECEIVED: ("reçu, la suite est attendue", "received, more is awaited", "a sera, tɔ bɛ makɔnɔ"),
    COMPLETE: ("complet", "complete", "a bɛɛ sera"),
    LACKS_FILES: ("photos manquantes", "photos are missing", "jaw ma se fɔlɔ"),
    SENT_BACK: ("à corriger", "to correct", "a ka kan ka labɛn"),
    ACCEPTED: ("approuvé", "approved", "a sɔnna"),
    KEPT: ("gardé, le bureau s’en occupe", "kept, the office sees to it", "gardé, le bureau s’en occupe"),
}
_AT_MOST = 200
_RECENT = dt.timedelta(days=60)  # before the last one
_LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_SAYS = ("state", "form", "sent_at", "missing", "comment")
_TELLS = ("state", "form", "sent_at", "comment")
_OTHER_COLUMNS = frozenset({"name", "label", "__version", *_TELLS})


@dataclass(frozen=True, slots=True)
class Notices:
    """Rows of name, label, version and properties, with the names of the properties."""

    properties: Sequence[str]
    rows: Sequence[tuple[str, str, int, dict[str, str]]] = field(default_factory=list)


def notices_for(session: Session, project_id: int, name: str, actor: Actor, form_id: str | None) -> Notices:
    """The rows of one of the device's own lists, the newest first, in the language of its user.

    What is to be corrected carries its answers by the names of the questions, so that the form that asks can fill
    itself in; a form that asks gets only what is its own.
    """
    around = _Around.of(session, project_id, actor)
    return _sent(around) if name == SENT else _to_correct(around, form_id)


def notices_since(session: Session, project_id: int, actor: Actor, after: int) -> bool:
    """Whether anything that the device's own lists tell has changed since the event."""
    last = session.scalar(
        select(func.max(Submission.event)).where(Submission.project_id == project_id, Submission.actor_id == actor.id)
    )
    waits = select(Event.number).where(
        Event.project_id == project_id, Event.number > after, Event.kind.in_(("quarantined", "resolved", "discarded"))
    )
    return (last or 0) > after or session.scalar(select(waits.exists())) is True


def state_of(review_state: str | None, missing: int, more_to_come: bool, comment: str | None = None) -> str:
    """What has become of a submission, in one word for its sender. One that was rejected without a comment asks for
    nothing."""
    if review_state == HAS_ISSUES or (review_state == REJECTED and comment):
        return SENT_BACK
    if missing:
        return LACKS_FILES
    if more_to_come:
        return RECEIVED
    return ACCEPTED if review_state == APPROVED else COMPLETE


def words_of(state: str, language: str | None) -> str:
    """A state for people, in French unless the language is another that there is."""
    code = (language or "").split("-")[0]
    return WORDS[state][LANGUAGES.index(code) if code in LANGUAGES else 0]


def comments_on(session: Session, project_id: int, submission_ids: Collection[int]) -> dict[int, str]:
    """The last comment on each of these submissions."""
    if not submission_ids:
        return {}
    rows = session.execute(
        select(Comment.submission_id, Comment.body)
        .where(Comment.project_id == project_id, Comment.submission_id.in_(submission_ids))
        .order_by(Comment.submission_id, Comment.id)
    )
    return {row.submission_id: row.body for row in rows}


def asking_form(session: Session, project_id: int, form_id: str) -> Form | None:
    """The current version of the form, if it has a question that chooses what to correct."""
    version = session.scalar(
        select(FormRow.version).where(FormRow.project_id == project_id, FormRow.form_id == form_id)
    )
    found = published(session, project_id, form_id, version) if version is not None else None
    return found.form if isinstance(found, Published) and correction_questions(found.form) else None


@dataclass(frozen=True, slots=True)
class _Around:
    session: Session
    project_id: int
    actor: Actor
    tz: ZoneInfo
    language: str

    @classmethod
    def of(cls, session: Session, project_id: int, actor: Actor) -> _Around:
        time_zone, languages = session.execute(
            select(Project.time_zone, Project.languages).where(Project.id == project_id)
        ).one()
        return cls(session, project_id, actor, ZoneInfo(time_zone), actor.language or next(iter(languages), "fr"))

    def when(self, moment: dt.datetime) -> str:
        return moment.astimezone(self.tz).isoformat(timespec="minutes")

    def label(self, title: str, instance_name: str | None, moment: dt.datetime, last: str) -> str:
        day = moment.astimezone(self.tz).date()
        return " – ".join(part for part in (title, instance_name, f"{day:%d/%m/%Y}", last) if part)

    def titles(self) -> dict[str, str]:
        rows = self.session.execute(select(FormRow.form_id, FormRow.title).where(FormRow.project_id == self.project_id))
        return {row.form_id: row.title for row in rows}

    def comments(self, submission_ids: Collection[int]) -> dict[int, str]:
        return comments_on(self.session, self.project_id, submission_ids)


_COLUMNS = (
    Submission.id,
    Submission.form_id,
    Submission.instance_id,
    Submission.current_instance_id,
    Submission.form_version,
    Submission.instance_name,
    Submission.review_state,
    Submission.missing,
    Submission.more_to_come,
    Submission.received_at,
    Submission.versions,
    Submission.event,
)


def _sent(around: _Around) -> Notices:
    of_device = (
        Submission.project_id == around.project_id,
        Submission.actor_id == around.actor.id,
        Submission.deleted_at.is_(None),
    )
    latest = around.session.scalar(
        select(Submission.received_at).where(*of_device).order_by(Submission.received_at.desc()).limit(1)
    )
    found = around.session.execute(
        select(*_COLUMNS)
        .where(*of_device, Submission.received_at >= (latest or _LONG_AGO) - _RECENT)
        .order_by(Submission.received_at.desc(), Submission.id.desc())
        .limit(_AT_MOST)
    ).all()
    titles = around.titles()
    comments = around.comments([row.id for row in found if row.review_state is not None])
    rows = []
    for row in found:
        comment, lacking = comments.get(row.id, ""), row.missing - row.more_to_come  # which is counted as one
        state = state_of(row.review_state, lacking, row.more_to_come, comment)
        label = around.label(
            titles.get(row.form_id, row.form_id),
            row.instance_name,
            row.received_at,
            words_of(state, around.language),
        )
        said = {
            "state": state,
            "form": row.form_id,
            "sent_at": around.when(row.received_at),
            "missing": str(lacking),
            "comment": comment,
        }
        rows.append((row_of_instance(row.instance_id), label, row.event, said))
    stored = {row[0] for row in rows}
    return Notices(_SAYS, [*(row for row in _waiting(around, titles) if row[0] not in stored), *rows])


def _waiting(around: _Around, titles: Mapping[str, str]) -> list[tuple[str, str, int, dict[str, str]]]:
    """What could not be filed and waits for the coordinator."""
    found = around.session.execute(
        select(Quarantined.id, Quarantined.instance_id, Quarantined.form_id, Quarantined.received_at)
        .where(
            Quarantined.project_id == around.project_id,
            Quarantined.state == "open",
            Quarantined.actor_id == around.actor.id,
            Quarantined.instance_id.is_not(None),
        )
        .order_by(Quarantined.id.desc())
        .limit(_AT_MOST)
    )
    rows: dict[str, tuple[str, str, int, dict[str, str]]] = {}
    for number, instance_id, form_id, received_at in found:
        name = row_of_instance(str(instance_id))
        title = titles.get(form_id or "", form_id or "")
        said = {
            "state": KEPT,
            "form": form_id or "",
            "sent_at": around.when(received_at),
            "missing": "",
            "comment": "",
        }
        label = around.label(title, None, received_at, words_of(KEPT, around.language))
        rows.setdefault(name, (name, label, number, said))
    return list(rows.values())


def _to_correct(around: _Around, form_id: str | None) -> Notices:
    asking = asking_form(around.session, around.project_id, form_id) if form_id is not None else None
    questions = _questions(asking) if asking is not None else {}
    query = (
        select(*_COLUMNS)
        .where(
            Submission.project_id == around.project_id,
            Submission.actor_id == around.actor.id,
            Submission.review_state.in_((HAS_ISSUES, REJECTED)),
            Submission.deleted_at.is_(None),
        )
        .order_by(Submission.received_at.desc(), Submission.id.desc())
        .limit(_AT_MOST)
    )
    found = around.session.execute(query if asking is None else query.where(Submission.form_id == form_id)).all()
    titles, comments = around.titles(), around.comments([row.id for row in found])
    rows = []
    answers = _answers(around, found, questions) if questions else {}
    for row in found:
        comment = comments.get(row.id, "")
        if row.review_state == REJECTED and not comment:
            continue
        title = titles.get(row.form_id, row.form_id)
        said = {
            **answers.get(row.id, {}),
            "state": row.review_state,
            "form": row.form_id,
            "sent_at": around.when(row.received_at),
            "comment": comment,
        }
        label = around.label(title, row.instance_name, row.received_at, " ".join(comment.split()))
        rows.append((row_of_instance(row.current_instance_id), label, row.event, said))
    return Notices([*_TELLS, *questions], rows)


def _questions(form: Form) -> dict[str, Field]:
    """What can be filled in by a look-up, by the name of its column: that of the question, where nothing else has it,
    otherwise with its groups, or with `data_`. Of two columns of one name Collect would open no form."""
    asked = set(correction_questions(form))
    fields = [
        question
        for question in form.fields.values()
        if question.repeat is None
        and not question.metadata
        and question.type != "binary"
        and question.path not in asked
    ]
    names = Counter(question.name for question in fields)
    alone = {name for name, count in names.items() if count == 1} - _OTHER_COLUMNS
    columns = {question.name: question for question in fields if question.name in alone}
    for question in fields:
        if question.name not in alone:
            column = "_".join(question.path.split("/")[2:])
            while column in columns or column in _OTHER_COLUMNS:
                column = f"data_{column}"
            columns[column] = question
    return columns


def _answers(around: _Around, found: Sequence[Any], questions: Mapping[str, Field]) -> dict[int, dict[str, str]]:
    """What each submission says now, as its instance has it; old questions are found by their identity."""
    rows = around.session.execute(
        select(
            SubmissionVersion.submission_id,
            SubmissionVersion.form_id,
            SubmissionVersion.form_version,
            SubmissionVersion.xml,
        ).where(
            SubmissionVersion.project_id == around.project_id,
            SubmissionVersion.form_id.in_({row.form_id for row in found}),
            SubmissionVersion.instance_id.in_([row.current_instance_id for row in found]),
        )
    )
    answers: dict[int, dict[str, str]] = {}
    for submission_id, form_id, version, xml in rows:
        known, instance = published(around.session, around.project_id, form_id, version), read_instance(unpack(xml))
        if not isinstance(known, Published) or instance.encrypted:
            continue
        answers[submission_id] = {
            column: (instance.root.findtext(then.path.split("/", 2)[2]) or "").strip()
            for column, question in questions.items()
            if (then := known.form.by_identity.get(question.identity)) is not None
        }
    return answers
