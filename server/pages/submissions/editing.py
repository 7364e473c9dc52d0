"""A submission's answers edited in the office: typed, checked, looked at, and saved as its next version."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from forms.xforms.editing import (
    SEVERAL,
    Typed,
    answers_with,
    is_same,
    is_typed,
    only_own,
    path_of,
    typed_of,
)
from forms.xforms.instance import Instance, read_instance
from forms.xforms.leaves import NOT_XML
from server import current
from server.acts.changing import begin
from server.api.submissions import note_view
from server.db import session
from server.door.guards import needs
from server.language.words import words
from server.logs import log
from server.pages.frame import project_of
from server.pages.said import STATES
from server.pages.submissions.edit_form import sheet_of
from server.pages.submissions.submission_seen import Changed, broken_of, changes_said, languages_of
from server.queries.submissions import name_of_submission, titles_of_forms
from server.wire.bodies import user_agent
from sync.accounts.audit import record_act
from sync.entities.reach import tree_of
from sync.errors import Refusal, Superseded, Unexpected
from sync.indicators.definitions import definitions_at
from sync.intake.editing import LONGEST_REASON, Taken, edited, file_edit, instance_of_version, reason_text, take_up
from sync.intake.prepare import Ready, Surroundings
from sync.review.decide import set_review_state
from sync.review.history import differences_between, state_under
from sync.review.view import ContributionSeen, submission_view

bp = Blueprint("editing_pages", __name__, url_prefix="/projects/<int:pid>/submissions/<int:number>/edit")

_MOST_TURNS = 1000
_ID = re.compile(r"uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a page carries from one step to the next. `source` is the instance whose answers are edited, `base` the one
    that stood when editing began, `made` the id of the version that is to come: saved twice, it is filed once."""

    source: str
    base: str
    made: str
    labels: str
    typed: Typed
    sought: Mapping[str, str]
    nevertheless: bool = False


@dataclass(frozen=True, slots=True)
class Shift:
    """What the submission adds to an indicator, before and after; `moved` if the rows are of another date or place."""

    label: str
    before: Decimal
    after: Decimal
    moved: bool


@bp.get("")
@needs("submissions.review")
def edit(pid: int, number: int) -> ResponseReturnValue:
    """The answers as they stand, in their fields."""
    around = _around(pid)
    try:
        taken = take_up(around, number)
        draft = _begun(taken)
        page = _form(pid, number, around, taken, draft)
    except Refusal as refusal:
        return _cannot(pid, number, refusal)
    note_view(pid, number)
    return page


@bp.get("/back")
@needs("submissions.review")
def go_back(pid: int, number: int) -> ResponseReturnValue:
    """What would change if an earlier version became the current one again."""
    around = _around(pid)
    written = request.args.get("to", "")
    version = int(written) if written.isascii() and written.isdecimal() and len(written) < 10 else 0
    try:
        taken = take_up(around, number, instance_of_version(session(), pid, number, version))
        page = _look(pid, number, around, taken, replace(_begun(taken), nevertheless=True), back_to=version)
    except Refusal as refusal:
        return _cannot(pid, number, refusal)
    note_view(pid, number)
    return page


@bp.post("")
@needs("submissions.review")
def post_edit(pid: int, number: int) -> ResponseReturnValue:
    """One step: the same form again, with what was added, sought or taken away; or what would change; or saved."""
    around = _around(pid)
    try:
        taken = take_up(around, number, NOT_XML.sub("", request.form.get("source", "")) or None)
        draft = _draft(taken, request.form)
        if taken.current == draft.made:
            return _done(pid, number)
        if taken.current != draft.base:
            return _overtaken(pid, number, around, taken, draft)
        act, _, about = request.form.get("act", "").partition(":")
        if act == "check":
            return _check(pid, number, around, taken, draft)
        if act == "save":
            return _save(pid, number, around, taken, draft)
        return _form(pid, number, around, taken, _after(act, about, taken, draft))
    except Refusal as refusal:
        session().rollback()
        return _cannot(pid, number, refusal)


def edit_said(pid: int, number: int, sent: MultiDict[str, str]) -> list[Changed]:
    """What the fields of this form would change, in words. Raises Refusal where they cannot be typed any more."""
    around = _around(pid)
    taken = take_up(around, number, NOT_XML.sub("", sent.get("source", "")) or None)
    draft = _draft(taken, sent)
    after = read_instance(_ready(around, taken, draft).xml)
    return _changes(around, taken, _standing(number, around, taken), after, _language(taken, draft))


# The steps.


def _check(pid: int, number: int, around: Surroundings, taken: Taken, draft: Draft) -> ResponseReturnValue:
    """What would change; first the breaches, if there are any that nobody has yet said are to be saved."""
    ready = _ready(around, taken, draft)
    if any(flag.place for flag in ready.flags) and not draft.nevertheless:
        problem = gettext("Some rules are broken. Look at them, or save nevertheless: then they stay as flags.")
        # Nothing was refused yet to whoever only asked what would change.
        status = 400 if request.form.get("act") == "save" else 200
        return _form(pid, number, around, taken, draft, problem=problem), status
    return _look(pid, number, around, taken, draft)


def _save(pid: int, number: int, around: Surroundings, taken: Taken, draft: Draft) -> ResponseReturnValue:
    reason = request.form.get("reason", "")
    try:
        reason_text(reason)
    except Unexpected as refusal:
        return _look(pid, number, around, taken, draft, problem=refusal.detail, reason=reason), refusal.status
    ready = _ready(around, taken, draft)
    if any(flag.place for flag in ready.flags) and not draft.nevertheless:
        return _check(pid, number, around, taken, draft)
    if _unchanged(around, taken, _standing(number, around, taken), ready, draft):
        return _look(pid, number, around, taken, draft)
    journal = begin(pid)
    try:
        news = file_edit(journal, ready, number, reason, user_agent())
    except Superseded:
        session().rollback()
        around = _around(pid)
        return _overtaken(pid, number, around, take_up(around, number, draft.source), draft)
    if news:
        if _is_back(taken, draft):
            set_review_state(journal, number, state_under(session(), pid, number, taken.instance_id))
        details = {"instance": ready.instance_id, "flags": len(ready.flags)}
        record_act(session(), pid, current.origin(), "submission.edited", current.now(), str(number), details)
        journal.close()
        session().commit()
        log("submission_edited", project=pid, submission=number, flags=len(ready.flags))
    else:
        session().rollback()
    return _done(pid, number)


def _overtaken(pid: int, number: int, around: Surroundings, taken: Taken, draft: Draft) -> ResponseReturnValue:
    """Somebody was faster: what this one has typed is put onto what stands now, and what the other changed is said."""
    now = take_up(around, number)
    language = draft.labels or words().language
    theirs = _changes(around, taken, taken.instance, now.instance, language)
    own = only_own(taken.form, draft.typed, typed_of(taken.form, taken.answers))
    anew = replace(draft, source=now.instance_id, base=now.current, typed=_onto(now, own), nevertheless=False)
    return _form(pid, number, around, now, anew, theirs=theirs), 409


def _onto(now: Taken, own: Typed) -> Typed:
    there = typed_of(now.form, now.answers)
    return Typed({**there.values, **own.values}, {**there.turns, **own.turns})


def _after(act: str, about: str, taken: Taken, draft: Draft) -> Draft:
    """What a button of the form does to it."""
    if act == "labels":
        return replace(draft, labels=about)
    values, turns = dict(draft.typed.values), dict(draft.typed.turns)
    before = typed_of(taken.form, taken.answers)
    if act == "add" and path_of(about) in taken.form.repeats:
        there = turns.get(about, before.turns.get(about, ()))
        if len(there) < _MOST_TURNS:
            turns[about] = [*there, max([*there, *before.turns.get(about, ())], default=0) + 1]
    elif act == "remove" and (found := re.fullmatch(r"(.+)\[(\d{1,4})\]", about)):
        repeat, turn = found[1], int(found[2])
        turns[repeat] = [one for one in turns.get(repeat, before.turns.get(repeat, ())) if one != turn]
        values = {at: value for at, value in values.items() if not at.startswith(f"{about}/")}
    else:
        return draft
    return replace(draft, typed=Typed(values, turns))


# What is shown.


def _form(
    pid: int,
    number: int,
    around: Surroundings,
    taken: Taken,
    draft: Draft,
    *,
    problem: str | None = None,
    theirs: Sequence[Changed] | None = None,
) -> str:
    ready = _ready(around, taken, draft)
    language = _language(taken, draft)
    return render_template(
        "submission_edit.html",
        **_common(pid, number, taken, draft),
        sheet=sheet_of(around, taken, ready, draft.typed, draft.sought, language),
        labels_in=language,
        languages_of_form=languages_of(taken.form),
        problem=problem,
        theirs=theirs,
    )


def _look(
    pid: int,
    number: int,
    around: Surroundings,
    taken: Taken,
    draft: Draft,
    *,
    problem: str | None = None,
    reason: str = "",
    back_to: int | None = None,
) -> str:
    """What would change, before anything is saved."""
    ready = _ready(around, taken, draft)
    language = _language(taken, draft)
    standing = _standing(number, around, taken)
    unchanged = _unchanged(around, taken, standing, ready, draft)
    return render_template(
        "submission_edit_look.html",
        **_common(pid, number, taken, draft),
        unchanged=unchanged,
        changes=[] if unchanged else _changes(around, taken, standing, read_instance(ready.xml), language),
        shifts=[] if unchanged else _shifts(pid, taken, ready),
        breaches=[broken_of(taken.form, flag, language) for flag in ready.flags],
        values=draft.typed.values,
        longest=LONGEST_REASON,
        problem=problem,
        reason=reason,
        back_to=back_to,
        state_again=STATES[state_under(session(), pid, number, taken.instance_id)] if _is_back(taken, draft) else None,
        labels_in=language,
    )


def _cannot(pid: int, number: int, refusal: Refusal) -> ResponseReturnValue:
    form_id, _ = name_of_submission(session(), pid, number)
    title = titles_of_forms(session(), pid).get(form_id, form_id)
    values = {"project": project_of(pid), "number": number, "title": title, "problem": refusal.detail}
    return render_template("submission_edit_not.html", **values), refusal.status


def _done(pid: int, number: int) -> ResponseReturnValue:
    return redirect(url_for("submission_pages.submission", pid=pid, number=number, done="edited"), 303)


def _common(pid: int, number: int, taken: Taken, draft: Draft) -> dict[str, Any]:
    return {
        "project": project_of(pid),
        "number": number,
        "title": titles_of_forms(session(), pid).get(taken.form_id, taken.form_id),
        "draft": draft,
        "turns": {at: ",".join(map(str, turns)) for at, turns in _turns(taken, draft).items()},
    }


def _turns(taken: Taken, draft: Draft) -> Mapping[str, Sequence[int]]:
    return {**typed_of(taken.form, taken.answers).turns, **draft.typed.turns}


def _standing(number: int, around: Surroundings, taken: Taken) -> Instance:
    """The instance that stands now, which an earlier version would follow."""
    return taken.instance if taken.instance_id == taken.current else take_up(around, number).instance


def _unchanged(around: Surroundings, taken: Taken, standing: Instance, ready: Ready, draft: Draft) -> bool:
    """Whether a version would say nothing new."""
    if taken.instance_id == taken.current:
        return is_same(taken.form, draft.typed, typed_of(taken.form, taken.answers))
    return not _changes(around, taken, standing, read_instance(ready.xml), "")


def _is_back(taken: Taken, draft: Draft) -> bool:
    """Whether an earlier version becomes the current one again, as it was."""
    return taken.instance_id != draft.base and is_same(taken.form, draft.typed, typed_of(taken.form, taken.answers))


def _changes(around: Surroundings, taken: Taken, before: Instance, after: Instance, language: str) -> list[Changed]:
    tree = tree_of(around.session, around.project_id)
    return changes_said(around.project_id, taken.form, differences_between(before, after), tree, language)


def _shifts(pid: int, taken: Taken, ready: Ready) -> list[Shift]:
    """What the submission adds to indicators, where that becomes something else."""
    seen = submission_view(session(), pid, taken.form_id, taken.first)
    standing = [row for row in seen.contributions if row.closed is None]
    definitions = definitions_at(session(), pid, None)
    found = []
    for name, definition in definitions.items():
        old = sorted((row.date, row.place or "", _amount(row)) for row in standing if row.indicator == name)
        new = sorted((row.date, row.place or "", _amount(row)) for row in ready.contributions if row.indicator == name)
        before, after = (sum((amount for *_, amount in rows), Decimal(0)) for rows in (old, new))
        if old != new:
            found.append(Shift(definition.label(words().language), before, after, before == after))
    return found


def _amount(row: ContributionSeen | Any) -> Decimal:
    return row.value if row.value is not None else Decimal(1)


# What was sent.


def _around(pid: int) -> Surroundings:
    return Surroundings(session(), pid, current.now())


def _begun(taken: Taken) -> Draft:
    typed = typed_of(taken.form, taken.answers)
    return Draft(taken.instance_id, taken.current, f"uuid:{uuid.uuid4()}", request.args.get("labels", ""), typed, {})


def _draft(taken: Taken, sent: MultiDict[str, str]) -> Draft:
    made = sent.get("made", "")
    return Draft(
        source=taken.instance_id,
        base=sent.get("base", ""),
        made=made if _ID.fullmatch(made) else f"uuid:{uuid.uuid4()}",
        labels=sent.get("labels", ""),
        typed=_typed(taken, sent),
        sought={key.removeprefix("sought:"): value[:200] for key, value in sent.items() if key.startswith("sought:")},
        nevertheless=sent.get("nevertheless") == "yes",
    )


def _typed(taken: Taken, sent: MultiDict[str, str]) -> Typed:
    """The fields by address. Of what can be unticked an empty one comes along, or nobody could tell that it was."""
    values: dict[str, str] = {}
    turns: dict[str, Sequence[int]] = {}
    for key, several in sent.lists():
        if key.startswith("turns:"):
            numbers = [int(one) for one in several[-1].split(",") if one.isascii() and one.isdecimal() and len(one) < 5]
            turns[key.removeprefix("turns:")] = [one for one in dict.fromkeys(numbers) if one][:_MOST_TURNS]
            continue
        asked = taken.form.fields.get(path_of(key))
        if asked is None or not is_typed(asked):
            continue
        cleaned = [NOT_XML.sub("", one.replace("\r\n", "\n")) for one in several]
        chosen = [one for one in cleaned if one]
        if asked.type in SEVERAL:
            values[key] = " ".join(dict.fromkeys(chosen))
        else:
            values[key] = chosen[-1] if chosen else ""
    return Typed(values, turns)


def _ready(around: Surroundings, taken: Taken, draft: Draft) -> Ready:
    return edited(around, taken, answers_with(taken.form, taken.answers, draft.typed), draft.made)


def _language(taken: Taken, draft: Draft) -> str:
    return draft.labels if draft.labels in languages_of(taken.form) else words().language
