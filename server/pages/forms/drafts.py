"""Drafts of forms on pages: a workbook handed in, what is wrong with it, trying it out, its files, publishing it."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, select

from forms.workbooks.differences import changes_between
from server import current
from server.acts.changing import begin
from server.acts.uploads import Handed, since_published, tried, uploaded
from server.api.drafts import address_of, require_same_form, show_draft_file
from server.api.forms import finish, seen
from server.api.schemas import Strict, text
from server.db import release, session
from server.door.guards import needs
from server.pages.forms.forms import grouped, preview, stored_version
from server.pages.frame import ask_first, project_of
from server.queries.forms import drafts_of, versions_of
from server.wire.bodies import read_query
from sync.entities.delivery import list_names_of
from sync.errors import FormDeleted, NotFound, Refusal, Unexpected
from sync.models import DraftFile, DraftSubmission, Form, FormDraft, Project
from sync.projects.catalogue import Shelf, compiled_draft, latest_sheets
from sync.projects.drafts import (
    copy_to_draft,
    discard_draft,
    draft_files,
    draft_of,
    empty_draft_file,
    fill_draft_file,
    link_draft_file,
    publish_draft,
    put_draft,
)
from sync.projects.media import standing_for, type_of

bp = Blueprint("draft_pages", __name__, url_prefix="/projects/<int:pid>")

_handed: Shelf[Handed] = Shelf(50)


class DoneQuery(Strict):
    """What was done before."""

    done = text(load_default=None)
    was = text(load_default=None)


@bp.get("/workbook")
@needs("project.manage")
def ask_for_workbook(pid: int) -> ResponseReturnValue:
    """Where a workbook is handed in."""
    return render_template("form_upload.html", project=project_of(pid), form_id=None)


@bp.post("/workbook")
@needs("project.manage")
def post_workbook(pid: int) -> ResponseReturnValue:
    """Make a draft of the form that a workbook holds, or show what is wrong with it."""
    return _take_workbook(pid, None)


@bp.get("/forms/<fid>/draft")
@needs("project.manage")
def draft(pid: int, fid: str) -> ResponseReturnValue:
    """The draft: what it asks, trying it out, its files, and publishing it."""
    query = read_query(DoneQuery())
    found = next(iter(drafts_of(session(), pid, fid)), None)
    if found is None:
        return redirect(url_for("form_pages.form", pid=pid, fid=fid, done=query["done"]), 303)
    row = draft_of(session(), pid, fid)
    files = draft_files(session(), pid, fid)
    lists = list_names_of(session(), pid)
    trials = select(func.count()).where(DraftSubmission.project_id == pid, DraftSubmission.form_id == fid)
    return render_template(
        "form_draft.html",
        project=project_of(pid),
        form=found,
        published=_is_published(pid, fid),
        address=address_of(row),
        trials=session().scalars(trials.select_from(DraftSubmission)).one(),
        files=[show_draft_file(pid, row, file) for file in files],
        bound={file.name: file.list_name for file in files},
        could_be={file.name: standing_for(file.name, lists).list_name for file in files},
        done=query["done"],
        was=query["was"],
    )


@bp.get("/forms/<fid>/draft/findings")
@needs("project.manage")
def findings(pid: int, fid: str) -> ResponseReturnValue:
    """What is to be known of the draft: warnings, and what could not be tried here."""
    query = read_query(DoneQuery())
    row = draft_of(session(), pid, fid)
    found: Handed | None = None
    faults = []
    try:
        found = _looked_over(pid, row)
    except Refusal as refusal:
        faults = refusal.findings
    return render_template(
        "form_findings.html",
        project=project_of(pid),
        form=drafts_of(session(), pid, fid)[0],
        file=query["was"],
        faults=faults,
        warnings=[*since_published(pid, found.workbook), *found.warnings] if found else (),
        notes=found.notes if found else (),
    )


@bp.get("/forms/<fid>/draft/questions")
@needs("project.manage")
def questions(pid: int, fid: str) -> ResponseReturnValue:
    """What the draft asks, question by question."""
    row = draft_of(session(), pid, fid)
    form, _ = compiled_draft(row)
    return render_template(
        "form_questions.html",
        project=project_of(pid),
        form_id=fid,
        version=row.version,
        title=row.title,
        draft=True,
        **preview(form),
    )


@bp.get("/forms/<fid>/draft/changes")
@needs("project.manage")
def changes(pid: int, fid: str) -> ResponseReturnValue:
    """What the draft changes, against what is published."""
    row = draft_of(session(), pid, fid)
    published = session().get(Form, (pid, fid))
    if published is None:
        raise NotFound
    before = stored_version(pid, fid, published.version)
    return render_template(
        "form_changes.html",
        project=project_of(pid),
        form_id=fid,
        title=row.title,
        before=before.version,
        after=row.version,
        draft=True,
        others=(),
        changes=grouped(changes_between((before.form(), before.sheets()), compiled_draft(row))),
    )


@bp.post("/forms/<fid>/draft")
@needs("project.manage")
def post_draft(pid: int, fid: str) -> ResponseReturnValue:
    """Put a workbook in the draft's place; or, without one, make a draft of what is published."""
    if "workbook" in request.files:
        seen(pid, fid)
        return _take_workbook(pid, fid)
    journal = begin(pid)
    copy_to_draft(journal, fid)
    finish(journal, "form.drafted", fid)
    return _to_draft(pid, fid, "drafted")


@bp.get("/forms/<fid>/draft/discard")
@needs("project.manage")
def ask_to_discard(pid: int, fid: str) -> ResponseReturnValue:
    """What goes with the draft."""
    draft_of(session(), pid, fid)
    return render_template(
        "form_discard.html",
        project=project_of(pid),
        form=drafts_of(session(), pid, fid)[0],
        published=_is_published(pid, fid),
    )


@bp.post("/forms/<fid>/draft/discard")
@needs("project.manage")
def post_discard(pid: int, fid: str) -> ResponseReturnValue:
    """Throw the draft away."""
    journal = begin(pid)
    discard_draft(journal, fid)
    finish(journal, "form.draft_discarded", fid)
    return redirect(url_for("form_pages.form", pid=pid, fid=fid, done="discarded"), 303)


@bp.get("/forms/<fid>/draft/publish")
@needs("project.manage")
def ask_to_publish(pid: int, fid: str) -> ResponseReturnValue:
    """What publishing the draft will do, and under which version."""
    draft_of(session(), pid, fid)
    return _publish_page(pid, fid, None, None)


@bp.post("/forms/<fid>/draft/publish")
@needs("project.manage")
def post_publish(pid: int, fid: str) -> ResponseReturnValue:
    """Publish the draft: from now on devices get it."""
    version = request.form.get("version", "").strip()
    try:
        if len(version) > 500:
            raise Unexpected("A version has at most 500 characters.")
        journal = begin(pid)
        released = publish_draft(journal, fid, version or None)
        details = {"version": session().get_one(Form, (pid, fid)).version, "released": released}
        finish(journal, "form.published", fid, details)
    except NotFound:
        raise
    except Refusal as refusal:
        session().rollback()
        return _publish_page(pid, fid, version, refusal), refusal.status
    return redirect(url_for("form_pages.form", pid=pid, fid=fid, done="published", was=str(released)), 303)


@bp.get("/forms/<fid>/draft/files/<name>/empty")
@needs("project.manage")
def ask_to_empty(pid: int, fid: str, name: str) -> ResponseReturnValue:
    """What will happen."""
    draft_of(session(), pid, fid)
    if session().get(DraftFile, (pid, fid, name)) is None:
        raise NotFound
    return ask_first(
        gettext("Take %(name)s away?", name=name),
        gettext(
            "What stands there goes from the draft; a file has to be uploaded again. What is published keeps its own."
        ),
        url_for("draft_pages.post_file", pid=pid, fid=fid, name=name),
        gettext("Take away"),
        url_for("draft_pages.draft", pid=pid, fid=fid),
        section="forms",
        pid=pid,
        action="empty",
    )


@bp.post("/forms/<fid>/draft/files/<name>")
@needs("project.manage")
def post_file(pid: int, fid: str, name: str) -> ResponseReturnValue:
    """Give the draft a file that it names, let a list stand for it, or take away what stands there."""
    action = request.form.get("action", "")
    content = uploaded("file", min(current.settings().max_file, current.settings().max_request))
    if action == "give" and not content:
        raise Unexpected("Choose a file first.")
    journal = begin(pid)
    draft_of(session(), pid, fid)
    if session().get(DraftFile, (pid, fid, name)) is None:
        raise NotFound
    match action:
        case "give":
            fill_draft_file(journal, fid, name, content, type_of(name))
            act = "form.file_given"
        case "link":
            link_draft_file(journal, fid, name, True)
            act = "form.file_linked"
        case "empty":
            empty_draft_file(journal, fid, name)
            act = "form.file_taken"
        case _:
            raise Unexpected("A file is given, linked or taken away.")
    finish(journal, act, fid, {"file": name})
    return _to_draft(pid, fid, action, name)


def _take_workbook(pid: int, fid: str | None) -> ResponseReturnValue:
    """Takes its time over the workbook before the project is locked, and without a connection to the database."""
    neighbours = latest_sheets(session(), pid)
    release()
    try:
        content = uploaded("workbook")
        if not content:
            raise Unexpected("Choose a workbook first.")
        handed = tried(pid, content, fid or _stem(), neighbours)
        if fid is not None:
            require_same_form(handed, fid)
        form_id = handed.workbook.form.form_id
        journal = begin(pid)
        put_draft(journal, handed.workbook)
        finish(journal, "form.drafted", form_id)
    except Refusal as refusal:
        session().rollback()
        page = render_template(
            "form_upload.html",
            project=project_of(pid),
            form_id=fid,
            problem=refusal,
            file=_chosen(),
            in_bin=isinstance(refusal, FormDeleted),
        )
        return page, refusal.status
    if handed.warnings or handed.notes or since_published(pid, handed.workbook):
        row = draft_of(session(), pid, form_id)
        _handed.get(_stamp(pid, row), lambda: handed)
        return redirect(url_for("draft_pages.findings", pid=pid, fid=form_id, was=_chosen() or None), 303)
    return _to_draft(pid, form_id, "drafted")


def _chosen() -> str:
    """What the file that was handed in is called."""
    chosen = request.files.get("workbook")
    return (chosen.filename or "").rpartition("/")[2].strip()[:200] if chosen else ""


def _stem() -> str:
    """The form's id where its settings have none: the file's name."""
    return _chosen().rpartition(".")[0].strip() or "form"


def _looked_over(pid: int, row: FormDraft) -> Handed:
    """The draft once more through what a workbook goes through; remembered until anything in the project changes.

    Raises WorkbookFaulty for a draft that would not be taken now, because its neighbours have changed.
    """
    stamp, content, form_id = _stamp(pid, row), row.source or row.xform, row.form_id
    neighbours = latest_sheets(session(), pid)
    release()

    def look() -> Handed:
        current.take_slot()
        return tried(pid, content, form_id, neighbours)

    return _handed.get(stamp, look)


def _stamp(pid: int, row: FormDraft) -> tuple[int, str, int]:
    return pid, row.sha256, session().scalars(select(Project.last_event).where(Project.id == pid)).one()


def _publish_page(pid: int, fid: str, version: str | None, problem: Refusal | None) -> str:
    row = draft_of(session(), pid, fid)
    published = _is_published(pid, fid)
    used = {one.version for _, one in versions_of(session(), pid, fid)} if published else set()
    if version is None:
        version = row.version if row.version not in used else _next_version(used)
    files = [show_draft_file(pid, row, file) for file in draft_files(session(), pid, fid)]
    return render_template(
        "form_publish.html",
        project=project_of(pid),
        form=drafts_of(session(), pid, fid)[0],
        published=published,
        version=version,
        missing=[file["name"] for file in files if not file["exists"]],
        problem=problem,
    )


def _next_version(used: set[str]) -> str:
    """Today, as XLSForm's authors write versions, with a number that is free."""
    today = current.now().strftime("%Y%m%d")
    return next(version for number in range(1, 1000) if (version := f"{today}{number:02}") not in used)


def _is_published(pid: int, fid: str) -> bool:
    return session().get(Form, (pid, fid)) is not None


def _to_draft(pid: int, fid: str, done: str, was: str | None = None) -> ResponseReturnValue:
    return redirect(url_for("draft_pages.draft", pid=pid, fid=fid, done=done, was=was), 303)
