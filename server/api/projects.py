"""Projects: making and changing them, and filling them with places, statements or a whole programme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from marshmallow import fields
from sqlalchemy import ColumnElement, func, select

from forms.findings import Faulty, Finding
from forms.programmes.places import read_places
from server import current
from server.acts.changing import begin, finish
from server.acts.loading import read_zip, take
from server.api.assignments import filler
from server.api.datasets import show_lists
from server.api.forms import forms_for
from server.api.schemas import (
    ChangedSchema,
    ListQuery,
    LoadedSchema,
    NewProjectSchema,
    ProjectSchema,
    ProjectSettings,
    WholeProjectSchema,
)
from server.api.shapes import show_forms
from server.db import session
from server.door.guards import needs, signed_in, site_admin
from server.wire.answers import answer, disposition, done, wants_more
from server.wire.bodies import read_body, read_json, read_query
from server.wire.documents import documented
from server.wire.problems import as_json
from sync.accounts.roles import RIGHTS, may, projects_of, role_in, share_forms
from sync.entities.reading import lists_of_project
from sync.entities.registers import change_places
from sync.errors import Forbidden, Unexpected
from sync.journal import Journal
from sync.models import Actor, EntityList, Form, Project, Submission
from sync.projects.folder import folder_of, zip_of
from sync.projects.lifecycle import set_state
from sync.projects.publish import change_project, create_project
from sync.statements.statements import put_statement


class ProjectsQuery(ListQuery):
    """Whether the forms and lists of each project come along."""

    forms = fields.Boolean(load_default=False)
    datasets = fields.Boolean(load_default=False)


bp = Blueprint("projects", __name__, url_prefix="/v1/projects")


@bp.get("")
@signed_in
@documented("projects", query=ProjectsQuery, answer=ProjectSchema)
def get_projects() -> ResponseReturnValue:
    """The projects in which one has a role; with `forms` or `datasets`, what is in each."""
    asked = read_query(ProjectsQuery())
    actor = session().get_one(Actor, current.visitor().actor_id)
    query = select(Project).where(Project.deleted_at.is_(None)).order_by(Project.id)
    if (mine := projects_of(session(), actor)) is not None:
        query = query.where(Project.id.in_(mine))
    found = session().scalars(query.limit(asked["limit"]).offset(asked["offset"])).all()
    roles = {row.id: role_in(session(), actor, row.id) or "" for row in found}
    return answer([_shown(row, roles[row.id]) | _inside(row.id, roles[row.id], asked) for row in found])


@bp.post("")
@site_admin
@documented("projects", body=NewProjectSchema, answer=ProjectSchema)
def post_project() -> ResponseReturnValue:
    """Make a project."""
    return _answer_project(make_project(read_json(NewProjectSchema())), "administrator")


@bp.get("/<int:pid>")
@needs("project.read")
@documented("projects", answer=ProjectSchema)
def get_project(pid: int) -> ResponseReturnValue:
    """One project."""
    return _answer_project(pid, current.role())


@bp.patch("/<int:pid>")
@needs("project.manage")
@documented("projects", body=ProjectSettings, answer=ProjectSchema)
def patch_project(pid: int) -> ResponseReturnValue:
    """Change some of a project's settings."""
    change_settings(pid, read_json(ProjectSettings()))
    return _answer_project(pid, current.role())


@bp.put("/<int:pid>")
@needs("project.manage")
@documented("projects", body=WholeProjectSchema, answer=ProjectSchema)
def put_project(pid: int) -> ResponseReturnValue:
    """Say what a project is: a description that is not given is none. With `forms`, what each of its forms is as well.

    All forms have to be named then. Each gets this state, and is given to these devices and people and no others.
    """
    given = {"description": None, "archived": False} | checked(read_json(WholeProjectSchema()))
    forms = given.pop("forms", None)
    journal = begin(pid)
    changes = [_describe(journal, given), change_project(journal, given), forms is not None and _put(journal, forms)]
    if any(changes):
        finish(journal, "project.changed", details={"settings": sorted(given), "forms": len(forms or [])})
    return _answer_project(pid, current.role())


@bp.delete("/<int:pid>")
@needs("project.manage")
@documented("projects")
def delete_project(pid: int) -> ResponseReturnValue:
    """Take a project away from everybody. Its data stays in the database until somebody removes it there."""
    if not current.visitor().admin:
        raise Forbidden("Who administers the installation may do this.")
    journal = begin(pid)
    journal.project.deleted_at = current.now()
    finish(journal, "project.deleted")
    return done()


@bp.put("/<int:pid>/places")
@needs("project.manage")
@documented("projects", body="text/csv", answer=ChangedSchema)
def put_project_places(pid: int) -> ResponseReturnValue:
    """Make these the places of the project: CSV with code, name, level, parent, latitude, longitude, aliases."""
    try:
        places = read_places(read_body(current.settings().max_batch))
    except Faulty as faulty:
        raise Unexpected("The places have faults.", findings=faulty.findings) from faulty
    return _change(pid, "places", "places", lambda journal, event: change_places(journal, places, event))


@bp.put("/<int:pid>/statements/<name>/<lang>")
@needs("project.manage")
@documented("statements", body="text/markdown", answer=ChangedSchema)
def put_statement_text(pid: int, name: str, lang: str) -> ResponseReturnValue:
    """Make this Markdown the wording of a statement in one language."""
    try:
        source = read_body().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Unexpected("A statement is Markdown in UTF-8.") from error
    if "\0" in source:
        raise Unexpected("A statement is a text without NUL.")
    subject = f"statement {name}.{lang}"
    return _change(pid, "definition", subject, lambda journal, event: put_statement(journal, name, lang, source, event))


@bp.get("/<int:pid>/programme")
@needs("project.manage")
@documented("projects", answer="application/zip")
def get_programme(pid: int) -> ResponseReturnValue:
    """The project as a programme folder, zipped: it loads again into another project. What submissions have made is not
    in it, nor are earlier versions of forms."""
    response = Response(zip_of(folder_of(session(), pid, current.store().read)), content_type="application/zip")
    response.headers["Content-Disposition"] = disposition(f"{session().get_one(Project, pid).name}.zip")
    return response


@bp.put("/<int:pid>/programme")
@needs("project.manage")
@documented("projects", body="application/zip", answer=LoadedSchema)
def put_programme(pid: int) -> ResponseReturnValue:
    """Load a programme folder, zipped, into the project: once more with the same changes nothing."""
    report = take(pid, read_zip(pid, read_body(current.settings().max_request)))
    return answer(
        {
            "project": pid,
            "published": report.published,
            "changed": report.changed,
            "recounted": report.recounted,
            "released": report.released,
            "warnings": [as_json(finding) for finding in report.warnings],
        }
    )


def _inside(pid: int, role: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for of what is in a project, as far as the role sees it."""
    inside: dict[str, Any] = {}
    if asked["forms"]:
        inside["formList"] = show_forms(pid, forms_for(pid, role) if may(role, "forms.read") else [])
    if asked["datasets"]:
        inside["datasetList"] = show_lists(pid, lists_of_project(session(), pid) if may(role, "data.export") else [])
    return inside


def _put(journal: Journal, wanted: list[dict[str, Any]]) -> bool:
    """Raises Unexpected unless every form is named once."""
    pid = journal.project_id
    named = [form["xmlFormId"] for form in wanted]
    living = session().scalars(select(Form.form_id).where(Form.project_id == pid, Form.deleted_at.is_(None))).all()
    if sorted(named) != sorted(living):
        raise Unexpected(f"‘forms’ names each form of the project once: {', '.join(sorted(living))}.")
    changes = [set_state(journal, form["xmlFormId"], form["state"]) for form in wanted if "state" in form]
    given = {form["xmlFormId"]: form["assignments"] for form in wanted if "assignments" in form}
    shares = {
        form_id: {filler(pid, str(one["roleId"]), one["actorId"]).id for one in assignments}
        for form_id, assignments in given.items()
    }
    return share_forms(session(), pid, shares, journal.now) or any(changes)


def _change(pid: int, kind: str, subject: str, change: Callable[[Journal, int], bool]) -> ResponseReturnValue:
    """One change that gets an event only if anything is different."""
    journal = begin(pid)
    changed = change(journal, journal.record(kind, None, {"changed": subject}))
    if changed:
        finish(journal, "project.changed", subject)
    else:
        session().rollback()
    return answer({"changed": changed})


def change_settings(pid: int, given: dict[str, Any]) -> None:
    """Change what `ProjectSettings` has read, and commit. Raises Unexpected with findings."""
    checked(given)
    journal = begin(pid)
    described = _describe(journal, given)
    if change_project(journal, given) or described:
        finish(journal, "project.changed", details={"settings": sorted(given)})


def make_project(given: dict[str, Any]) -> int:
    """Make a project with these settings; gives its number. Raises Unexpected for what a schema cannot see."""
    journal = create_project(session(), checked(given), current.visitor().actor_id, current.now())
    _describe(journal, given)
    finish(journal, "project.created")
    return journal.project_id


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """The same settings. Raises Unexpected for what a schema cannot see."""
    findings = []
    if "name" in given and not given["name"].isprintable():
        findings.append(Finding("The name has to be a text on one line.", place="name"))
    if "time_zone" in given and not _is_time_zone(given["time_zone"]):
        findings.append(Finding("There is no such time zone.", 'Write it like "Africa/Bamako".', place="time_zone"))
    if findings:
        raise Unexpected("What was sent is not as expected.", findings=findings)
    return given


def _is_time_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (OSError, ValueError, LookupError):
        return False


def _describe(journal: Journal, given: dict[str, Any]) -> bool:
    """What no figure depends on, so that it needs no place in the history of the settings."""
    project = journal.project
    archived_at = project.archived_at
    if "archived" in given:
        archived_at = (archived_at or journal.now) if given["archived"] else None
    wanted = {name: given[name] for name in _DESCRIBED if name in given} | {"archived_at": archived_at}
    if all(getattr(project, name) == value for name, value in wanted.items()):
        return False
    for name, value in wanted.items():
        setattr(project, name, value)
    project.updated_at = journal.now
    return True


_DESCRIBED = ("description", "labels", "keep_deleted", "keep_deliveries")


def _answer_project(pid: int, role: str | None) -> ResponseReturnValue:
    return answer(_shown(session().get_one(Project, pid), role))


def _shown(project: Project, role: str | None) -> dict[str, Any]:
    shown = {
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "archived": project.archived_at is not None,
        "keyId": project.key_id,
        "createdAt": project.created_at,
        "updatedAt": project.updated_at,
        "deletedAt": project.deleted_at,
        "time_zone": project.time_zone,
        "languages": project.languages,
        "fiscal_year_start": project.fiscal_year_start,
        "counts": project.counts,
        "labels": project.labels,
        "keep_deleted": project.keep_deleted,
        "keep_deliveries": project.keep_deliveries,
        "role": role,
    }
    if wants_more():
        shown |= _extended(project.id, role)
    return shown


def _extended(pid: int, role: str | None) -> dict[str, Any]:
    def count(model: Any, *conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(model).where(model.project_id == pid, *conditions)
        return session().scalars(query).one()

    last = select(Submission.received_at).where(Submission.project_id == pid).order_by(Submission.id.desc()).limit(1)
    return {
        "appUsers": count(Actor, Actor.kind == "device", Actor.disabled_at.is_(None)),
        "forms": count(Form, Form.deleted_at.is_(None)),
        "datasets": count(EntityList, EntityList.deleted_at.is_(None)),
        "lastSubmission": session().scalar(last),
        "verbs": sorted(right for right, roles in RIGHTS.items() if role in roles),
    }
