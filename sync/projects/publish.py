"""Making and changing a project: its settings, forms, places, lists and statements, alone or as a programme folder."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from forms.findings import Faulty, Finding, with_warnings
from forms.indicators.sheets import Sheets
from forms.programmes.programme import Programme, version_order
from forms.workbooks.workbook import Workbook
from forms.xforms.rewriting import open_version
from sync.entities.registers import change_places
from sync.entities.steps import declare_lists, load_list
from sync.errors import FormDeleted, Unexpected, VersionDiffers, WorkbookFaulty
from sync.indicators.definitions import publish_indicators
from sync.indicators.recount import recount_form
from sync.intake.receive import parked_anew, receive_again
from sync.journal import Found, Journal, When, moment_of, open_journal
from sync.models import Form, FormVersion, Project, Quarantined, Server, Submission
from sync.models.database import begin_writing
from sync.projects.catalogue import projects_called
from sync.projects.identities import carried_on, forms_before
from sync.projects.keys import brought_key, locked
from sync.projects.media import Filled, attach_files, content_hash
from sync.review.counting import counting_by
from sync.statements.statements import put_statement
from sync.statements.unloaded import read_over

SETTINGS = ("name", "time_zone", "languages", "fiscal_year_start", "counts")


@dataclass(slots=True)
class Report:
    """What loading a programme did, for the person who loaded it."""

    project_id: int
    published: list[str] = field(default_factory=list)  # "form version"
    changed: list[str] = field(default_factory=list)  # other things: settings, places, lists, statements
    recounted: int = 0
    released: int = 0
    warnings: list[Finding] = field(default_factory=list)


def create_project(session: Session, settings: Mapping[str, Any], actor_id: int | None, now: dt.datetime) -> Journal:
    """Make a project, and hand out its journal to fill it with. `settings` are some of `SETTINGS`, `name` at least."""
    begin_writing(session)
    session.execute(select(Server.id).with_for_update()).all()  # or two would be given the same number
    project_id = (session.scalar(select(func.max(Project.id))) or 0) + 1
    project = Project(
        id=project_id,
        name=settings["name"],
        time_zone=settings.get("time_zone", "UTC"),
        languages=list(settings.get("languages", ["en"])),
        fiscal_year_start=settings.get("fiscal_year_start", 1),
        counts=settings.get("counts", "received"),
        created_at=now,
        last_event=0,
        last_id=0,
        last_audit=0,
    )
    session.add(project)
    session.flush()
    journal = Journal(session, Found.of(project), actor_id, now)
    journal.record("settings", None, settings_of(project))
    return journal


def settings_of(project: Project) -> dict[str, Any]:
    """The settings as the journal keeps them, so that figures of the past are read by the settings of the past."""
    return {name: getattr(project, name) for name in SETTINGS}


def change_project(journal: Journal, settings: Mapping[str, Any]) -> bool:
    """Change some settings; what counts is worked out anew where it depends on them. False if nothing was different."""
    project = journal.project
    changes = {
        name: list(value) if name == "languages" else value
        for name, value in settings.items()
        if name in SETTINGS and (list(value) if name == "languages" else value) != getattr(project, name)
    }
    if not changes:
        return False
    for name, value in changes.items():
        setattr(project, name, value)
    journal.counts, journal.languages = project.counts, project.languages
    project.updated_at = journal.now
    event = journal.record("settings", None, settings_of(project))
    journal.session.flush()
    if "counts" in changes:
        _count_by_new_rule(journal)
    if {"counts", "time_zone"} & changes.keys():
        for form_id in journal.session.scalars(select(Form.form_id).where(Form.project_id == journal.project_id)).all():
            recount_form(journal, form_id, event, "time_zone" in changes)
    return True


def publish_form(
    journal: Journal, workbook: Workbook, media: Mapping[str, bytes | Filled] | None = None, *, as_it_is: bool = False
) -> int | None:
    """Publish a form version and make it the one that devices get; None if exactly this is published already.

    In a project with a key it is published encrypted, under a version that says so, unless it is wanted `as_it_is`.
    Submissions that waited in quarantine for the version are filed now; gives how many. Raises VersionDiffers when the
    version exists with other content, FormDeleted for the id of a form in the bin, WorkbookFaulty where two questions
    would go on as one, or one in the rows of another repeat.
    """
    given, key_id = (workbook, brought_key(journal, workbook)) if as_it_is else locked(journal, workbook)
    form, session = given.form, journal.session
    row = session.get(Form, (journal.project_id, form.form_id))
    if row is not None and row.deleted_at is not None:
        raise FormDeleted(details={"form": form.form_id})
    known = session.get(FormVersion, (journal.project_id, form.form_id, form.version))
    if known is not None and known.sha256 == content_hash(given):
        attach_files(journal, form.form_id, given.xform, media or {}, None)
        return None
    before = forms_before(session, journal.project_id, form.form_id, form.version if known is not None else None)
    workbook = carried_on(given, before)
    form = workbook.form
    sheets = workbook.sheets.to_json()
    sha256 = content_hash(workbook)
    if known is not None:
        if known.sha256 != sha256:
            raise VersionDiffers(details={"form": form.form_id, "version": form.version})
        attach_files(journal, form.form_id, workbook.xform, media or {}, None)
        return None
    event = journal.record("published", None, {"form": form.form_id, "version": form.version})
    about = _about(journal, row)
    number = _add_version(journal, workbook, sheets, sha256, key_id, event)
    declare_lists(journal, form, workbook.sheets, event)
    attach_files(journal, form.form_id, workbook.xform, media or {}, event)
    redefined = publish_indicators(journal, form.form_id, workbook.sheets, form, event)
    if number > 1 and (redefined or workbook.sheets.subject != about):
        recount_form(journal, form.form_id, event)
    return release_waiting(journal, form.form_id)


def _about(journal: Journal, form: Form | None) -> str:
    """Whom the form's latest version so far says that a visit is about."""
    latest = journal.session.get(FormVersion, (journal.project_id, form.form_id, form.version)) if form else None
    return Sheets.from_json(latest.sheets).subject if latest is not None else ""


def publish_beside(journal: Journal, workbook: Workbook) -> int:
    """Publish what stands for an older version of a form, beside the one that devices get and go on getting.

    What waited in quarantine for it is filed now; gives how many.
    """
    form = workbook.form
    event = journal.record("published", None, {"form": form.form_id, "version": form.version})
    sheets, sha256 = workbook.sheets.to_json(), content_hash(workbook)
    _add_version(journal, workbook, sheets, sha256, brought_key(journal, workbook), event, current=False)
    return release_waiting(journal, form.form_id)


def load_programme(
    session: Session, programme: Programme, actor_id: int | None, now: When, project_id: int | None = None
) -> tuple[Journal, Report]:
    """Make or update a project from its folder; doing it again changes nothing. The caller closes and commits.

    Without `project_id` it is the project of that name, or a new one. Raises a Refusal, with nothing changed.
    """
    settings = {name: getattr(programme.settings, name) for name in SETTINGS}
    journal, new = _journal_for(session, settings, actor_id, now, project_id)
    report = Report(journal.project_id, warnings=list(programme.warnings))
    if new or change_project(journal, settings):
        report.changed.append("settings")
    if journal.project.labels != programme.settings.labels:
        # No figure depends on them, so they need no place in the history of the settings.
        journal.project.labels = dict(programme.settings.labels)
        report.changed.append("labels")
    _if_changed(journal, report, "places", lambda event: change_places(journal, programme.places, event))
    for name, rows in sorted(programme.lists.items()):
        _if_changed(journal, report, f"list {name}", lambda event, n=name, r=rows: load_list(journal, n, r, event))
    findings: list[Finding] = []
    faulty: list[Finding] = []
    before = _current_versions(journal)
    for workbook in programme.workbooks:
        report.warnings += workbook.warnings
        try:
            released = publish_form(journal, workbook, programme.media)
        except VersionDiffers:
            findings.append(_differs(workbook))
            continue
        except WorkbookFaulty as refusal:
            form_id = workbook.form.form_id
            faulty += [
                replace(one, place=f"{form_id}, {one.place}" if one.place else form_id) for one in refusal.findings
            ]
            continue
        if released is not None:
            report.published.append(f"{workbook.form.form_id} {workbook.form.version}")
            report.released += released
    if faulty or findings:
        sheets = [workbook.sheets for workbook in programme.workbooks]
        findings += read_over(session, journal.project_id, now, programme.statements, programme.settings, sheets)
    if faulty:
        told = with_warnings([*faulty, *findings], report.warnings)
        raise WorkbookFaulty("The form has faults.", findings=told)
    if findings:
        raise VersionDiffers(findings=with_warnings(findings, report.warnings))
    report.warnings += _older_versions(before, _current_versions(journal), programme)
    for (name, language), source in sorted(programme.statements.items()):
        try:
            _if_changed(
                journal,
                report,
                f"statement {name}.{language}",
                lambda event, n=name, la=language, s=source: put_statement(journal, n, la, s, event),
            )
        except Unexpected as refusal:
            findings += refusal.findings
    if findings:
        raise Faulty(findings, report.warnings)
    return journal, report


def _journal_for(
    session: Session,
    settings: Mapping[str, Any],
    actor_id: int | None,
    now: When,
    project_id: int | None,
) -> tuple[Journal, bool]:
    if project_id is None:
        same_name = projects_called(session, settings["name"])
        if len(same_name) > 1:
            raise Unexpected(f"{len(same_name)} projects are called {settings['name']!r}; say which by its number.")
        if not same_name:
            return create_project(session, settings, actor_id, moment_of(now)), True
        project_id = same_name[0]
    return open_journal(session, project_id, actor_id, now), False


def _if_changed(journal: Journal, report: Report, what: str, change: Any) -> None:
    mark = journal.mark()
    if change(journal.record("places" if what == "places" else "definition", None, {"changed": what})):
        report.changed.append(what)
    else:
        journal.return_to(mark)


def _current_versions(journal: Journal) -> dict[str, str]:
    """Of each form the version that devices get, as its author wrote it."""
    rows = journal.session.execute(select(Form.form_id, Form.version).where(Form.project_id == journal.project_id))
    return {form_id: open_version(version) for form_id, version in rows}


def _older_versions(before: Mapping[str, str], after: Mapping[str, str], programme: Programme) -> Iterator[Finding]:
    """The forms of which the folder's newest version is older than the one that devices had."""
    newest = {workbook.form.form_id: workbook.form.version for workbook in programme.workbooks}
    for form_id, version in newest.items():
        had = before.get(form_id)
        if had is None or version_order(version) >= version_order(had):
            continue
        fault = f"Version ‘{version}’ is older than ‘{had}’, which the project has."
        if after[form_id] == had:
            remedy = f"Nothing of it was published, and devices go on getting ‘{had}’."
        else:
            remedy = "It was published all the same, and devices get it from now on."
        yield Finding(fault, remedy, place=form_id)


def _differs(workbook: Workbook) -> Finding:
    form = workbook.form
    return Finding(
        f"Version {form.version!r} of {form.form_id!r} is published with other content.",
        "Give the changed workbook a new version in its settings sheet.",
        place=form.form_id,
        sheet="settings",
        column="version",
    )


def _add_version(
    journal: Journal,
    workbook: Workbook,
    sheets: dict[str, Any],
    sha256: str,
    key_id: int | None,
    event: int,
    *,
    current: bool = True,
) -> int:
    form, session, now = workbook.form, journal.session, journal.now
    row = session.get(Form, (journal.project_id, form.form_id))
    number = 1
    if row is None:
        session.add(
            Form(
                project_id=journal.project_id,
                form_id=form.form_id,
                title=form.title,
                version=form.version,
                state="open",
                event=event,
                number=next_number(journal),
                actor_id=journal.actor_id,
                created_at=now,
            )
        )
    else:
        if current:
            row.title, row.version, row.event, row.updated_at = form.title, form.version, event, now
        number += session.scalars(
            select(func.max(FormVersion.number)).where(
                FormVersion.project_id == journal.project_id, FormVersion.form_id == form.form_id
            )
        ).one()
    session.flush()
    session.add(
        FormVersion(
            project_id=journal.project_id,
            form_id=form.form_id,
            version=form.version,
            number=number,
            xform=workbook.xform,
            source=workbook.source,
            sheets=sheets,
            title=form.title,
            key_id=key_id,
            md5=hashlib.md5(workbook.xform, usedforsecurity=False).hexdigest(),
            sha256=sha256,
            published_at=now,
        )
    )
    session.flush()
    return number


def next_number(journal: Journal) -> int:
    """The next form's. Forms from before forms had numbers are given theirs first, in the order of their making."""
    of_project = Form.project_id == journal.project_id
    last = journal.session.scalar(select(func.max(Form.number)).where(of_project)) or 0
    without = journal.session.scalars(
        select(Form).where(of_project, Form.number.is_(None)).order_by(Form.created_at, Form.form_id)
    ).all()
    for number, row in enumerate(without, last + 1):
        row.number = number
    journal.session.flush()
    return last + len(without) + 1


def release_waiting(journal: Journal, form_id: str) -> int:
    """File what waited in quarantine for the form; gives how many."""
    waiting = journal.session.scalars(
        select(Quarantined)
        .where(
            Quarantined.project_id == journal.project_id,
            Quarantined.form_id == form_id,
            Quarantined.state == "open",
            Quarantined.reason.in_(("unknown_form", "unknown_version")),
        )
        .order_by(Quarantined.id)
    ).all()
    released = 0
    for parked in waiting:
        receipt = receive_again(journal, parked)
        if receipt.outcome != "quarantined" or parked_anew(journal, parked):
            parked.state = "resolved"
            parked.resolution = {"action": "released", "outcome": receipt.outcome, "at": journal.now.isoformat()}
            released += receipt.outcome != "quarantined"
    return released


def how_many_count(session: Session, project_id: int, rule: str) -> int:
    """How many submissions figures would count by this rule (`received` or `approved`)."""
    query = select(func.count()).select_from(Submission).where(Submission.project_id == project_id, counting_by(rule))
    return session.scalar(query) or 0


def _count_by_new_rule(journal: Journal) -> None:
    """`counts` of every submission as the project's rule now has it."""
    journal.session.execute(
        update(Submission)
        .where(Submission.project_id == journal.project_id)
        .values(counts=case((counting_by(journal.counts), True), else_=False))
        .execution_options(synchronize_session=False)
    )
