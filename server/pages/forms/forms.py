"""The forms of a project: what there is, what each asks, what its versions changed, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import fields

from forms.workbooks.differences import Change, changes_between
from forms.xforms.model import Form
from forms.xforms.questions import Question, questions_of
from server import current
from server.acts.changing import begin
from server.api.form_files import files_shown
from server.api.forms import finish, forms_for, named, require_bound, seen
from server.api.schemas import Strict, text
from server.db import session
from server.door.guards import needs
from server.language.words import words
from server.pages.forms.form_words import CHANGES, FILE_KINDS, FORM_STATES, GROUPS, KINDS, THINGS, WHAT_STATES_DO
from server.pages.forms.rules import RuleReader
from server.pages.frame import project_of
from server.queries.forms import drafts_of, forms_of, version_of, versions_of
from server.queries.submissions import how_many, last_arrivals
from server.wire.bodies import read_query
from sync.errors import NotFound
from sync.indicators.definitions import by_code, label_in
from sync.models import Form as FormRow
from sync.projects.catalogue import StoredVersion, form_versions
from sync.projects.lifecycle import STATES, delete_form, restore_form, set_state

bp = Blueprint("form_pages", __name__, url_prefix="/projects/<int:pid>/forms")


@bp.app_context_processor
def words_of_forms() -> dict[str, Any]:
    """What templates call the codes of forms."""
    return {
        "form_states": FORM_STATES,
        "what_states_do": WHAT_STATES_DO,
        "file_kinds": FILE_KINDS,
        "kinds": KINDS,
        "change_groups": GROUPS,
        "change_words": CHANGES,
        "things": THINGS,
    }


_PAGE = 50


class FormsQuery(Strict):
    """Which forms, from where on, and what was done before."""

    deleted = fields.Boolean(load_default=False)
    after = text(load_default=None)
    done = text(load_default=None)
    was = text(load_default=None)


class ChangesQuery(Strict):
    """The version to compare with."""

    since = text(load_default=None, data_key="from")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as a page shows it, each rule in words."""

    question: Question
    label: str
    hint: str
    labels: dict[str, str]  # in the other languages
    required: str
    relevant: str
    constraint: str
    message: str
    calculation: str
    choices: list[tuple[str, str]]


@bp.get("")
@needs("forms.read")
def forms(pid: int) -> ResponseReturnValue:
    """The forms of the project, with what came in; or those in the bin."""
    query = read_query(FormsQuery())
    found = forms_for(pid, current.role(), deleted=query["deleted"])
    page = [form for form in found if query["after"] is None or form.form_id > query["after"]][: _PAGE + 1]
    shown = page[:_PAGE]
    manages = current.has_right("project.manage")
    return render_template(
        "forms.html",
        project=project_of(pid),
        deleted=query["deleted"],
        forms=shown,
        count=len(found),
        after=shown[-1].form_id if len(page) > _PAGE else None,
        counts=how_many(session(), pid),
        last=last_arrivals(session(), pid, [form.form_id for form in shown]),
        drafts={draft.form_id for draft in drafts_of(session(), pid)} if manages else set(),
        in_bin=len(forms_of(session(), pid, deleted=True)) if manages and not query["deleted"] else 0,
        manages=manages,
        done=query["done"],
        was=query["was"],
    )


@bp.get("/<fid>")
@needs("forms.read")
def form(pid: int, fid: str) -> ResponseReturnValue:
    """One form: where it stands, its versions, its files, its draft."""
    query = read_query(FormsQuery())
    found = seen(pid, fid)
    if found.published_at is None:
        return redirect(url_for("draft_pages.draft", pid=pid, fid=fid), 303)
    manages = current.has_right("project.manage")
    return render_template(
        "form.html",
        project=project_of(pid),
        form=found,
        versions=versions_of(session(), pid, fid),
        files=files_shown(pid, fid, None),
        count=how_many(session(), pid).get(fid, 0),
        last=last_arrivals(session(), pid, [fid]).get(fid),
        draft=next(iter(drafts_of(session(), pid, fid)), None) if manages else None,
        states=STATES,
        manages=manages,
        done=query["done"],
        was=query["was"] if query["was"] in STATES else None,
    )


@bp.post("/<fid>/state")
@needs("project.manage")
def post_state(pid: int, fid: str) -> ResponseReturnValue:
    """Open the form, close it, or let it run out."""
    journal = begin(pid)
    row = session().get(FormRow, (pid, fid))
    before, state = row.state if row is not None else "", request.form.get("state", "")
    if set_state(journal, fid, state):
        finish(journal, "form.changed", fid, {"state": state})
    return redirect(url_for("form_pages.form", pid=pid, fid=fid, done=state, was=before), 303)


@bp.get("/<fid>/delete")
@needs("project.manage")
def ask_to_delete(pid: int, fid: str) -> ResponseReturnValue:
    """What will happen to the form and what came in for it."""
    return render_template(
        "form_delete.html",
        project=project_of(pid),
        form=seen(pid, fid),
        count=how_many(session(), pid).get(fid, 0),
    )


@bp.post("/<fid>/delete")
@needs("project.manage")
def post_delete(pid: int, fid: str) -> ResponseReturnValue:
    """Put the form into the bin."""
    found = seen(pid, fid)
    journal = begin(pid)
    delete_form(journal, fid)
    finish(journal, "form.deleted", fid)
    if found.published_at is None:
        return redirect(url_for("form_pages.forms", pid=pid, done="discarded"), 303)
    row = session().get_one(FormRow, (pid, fid))
    return redirect(url_for("form_pages.forms", pid=pid, done="deleted", was=row.number), 303)


@bp.post("/<int:number>/restore")
@needs("project.manage")
def post_restore(pid: int, number: int) -> ResponseReturnValue:
    """Take the form out of the bin."""
    journal = begin(pid)
    form_id = restore_form(journal, number).form_id
    finish(journal, "form.restored", form_id)
    return redirect(url_for("form_pages.form", pid=pid, fid=form_id, done="restored"), 303)


@bp.get("/<fid>/versions/<version>")
@needs("forms.read")
def version(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """What a version of the form asks, question by question."""
    require_bound(pid, fid)
    stored = version_of(session(), pid, fid, named(version))
    known = stored_version(pid, fid, stored.version)
    return render_template(
        "form_questions.html",
        project=project_of(pid),
        form_id=fid,
        version=stored.version,
        title=stored.title or known.form().title,
        draft=False,
        **preview(known.form()),
    )


@bp.get("/<fid>/versions/<version>/changes")
@needs("forms.read")
def changes(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """What a version changed, against the one before it or another."""
    require_bound(pid, fid)
    version_of(session(), pid, fid, named(version))
    versions = form_versions(session(), pid, fid)
    place = next(at for at, one in enumerate(versions) if one.version == named(version))
    since = read_query(ChangesQuery())["since"]
    if since is not None:
        before = stored_version(pid, fid, named(since))
    elif place + 1 < len(versions):
        before = versions[place + 1]
    else:
        raise NotFound
    after = versions[place]
    return render_template(
        "form_changes.html",
        project=project_of(pid),
        form_id=fid,
        title=after.form().title,
        before=before.version,
        after=after.version,
        draft=False,
        others=[one.version for one in versions if one.version != after.version],
        changes=grouped(changes_between((before.form(), before.sheets()), (after.form(), after.sheets()))),
    )


def stored_version(pid: int, fid: str, wanted: str) -> StoredVersion:
    """Raises NotFound for a version that was never published."""
    found = next((one for one in form_versions(session(), pid, fid) if one.version == wanted), None)
    if found is None:
        raise NotFound
    return found


def preview(form: Form) -> dict[str, Any]:
    """What a page needs to show a form's questions."""
    language = words().language
    reader = RuleReader(form, language)
    return {
        "asked": [_asked(question, reader, language) for question in questions_of(form)],
        "languages": [one for one in form.languages if one],
        "entities": form.entities,
    }


def grouped(changes: list[Change]) -> dict[str, list[Change]]:
    """Changes by what they are about: questions with their rules and labels, lists, indicators, and the form itself."""
    groups: dict[str, list[Change]] = {
        "form": [],
        "questions": [],
        "texts": [],
        "rules": [],
        "choices": [],
        "figures": [],
    }
    for change in changes:
        groups[_GROUPS[change.what]].append(change)
    return groups


_GROUPS = {
    "title": "form",
    "language": "form",
    "subject": "form",
    "expected": "form",
    "question": "questions",
    "group": "questions",
    "type": "questions",
    "label": "texts",
    "hint": "texts",
    "message": "texts",
    "required": "rules",
    "relevant": "rules",
    "constraint": "rules",
    "calculate": "rules",
    "list": "choices",
    "choice": "choices",
    "indicator": "figures",
    "target": "figures",
}


def _asked(question: Question, reader: RuleReader, language: str) -> Asked:
    bind = question.bind
    rules = {
        name: reader.words(expression.text, question.path)
        for name in ("required", "relevant", "constraint", "calculate")
        if bind is not None and (expression := getattr(bind, name)) is not None
    }
    label = _said(question.labels, language)
    return Asked(
        question,
        label,
        _said(question.hints, language),
        {name: said for name, said in question.labels.items() if name and said != label},
        required=rules.get("required", ""),
        relevant=rules.get("relevant", ""),
        constraint=rules.get("constraint", ""),
        message=_said(bind.constraint_messages, language) if bind is not None else "",
        calculation=rules.get("calculate", ""),
        choices=[(choice.value, _said(choice.labels, language)) for choice in question.choices.values()],
    )


def _said(labels: Any, language: str) -> str:
    return label_in(by_code(labels), language) or ""
