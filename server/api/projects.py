"""Projects: making and changing them, and filling them with places, statements or a whole programme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from forms.findings import Faulty, Finding
from forms.programmes.places import read_places
from forms.programmes.programme import files_of_zip, read_programme
from server import current
from server.answers import answer
from server.api.schemas import (
    ChangedSchema,
    LoadedSchema,
    NewProjectSchema,
    PageQuery,
    ProjectSchema,
    ProjectSettings,
)
from server.bodies import read_body, read_json, read_query
from server.db import session
from server.documents import documented
from server.guards import needs, signed_in, site_admin
from server.logs import log
from server.problems import as_json
from sync.accounts.audit import record_act
from sync.accounts.roles import projects_of, role_in
from sync.errors import Unexpected, WorkbookFaulty
from sync.indicators.statements import put_statement
from sync.journal import Journal, open_journal
from sync.models import Actor, Project
from sync.projects.places import put_places
from sync.projects.publish import change_project, create_project, load_programme

bp = Blueprint("projects", __name__, url_prefix="/v1/projects")


@bp.get("")
@signed_in
@documented("projects", query=PageQuery, answer=ProjectSchema)
def get_projects() -> ResponseReturnValue:
    """The projects in which one has a role."""
    page = read_query(PageQuery())
    actor = session().get_one(Actor, current.visitor().actor_id)
    query = select(Project).order_by(Project.id).limit(page["limit"]).offset(page["offset"])
    if (mine := projects_of(session(), actor)) is not None:
        query = query.where(Project.id.in_(mine))
    return answer([_shown(row, role_in(session(), actor, row.id)) for row in session().scalars(query).all()])


@bp.post("")
@site_admin
@documented("projects", body=NewProjectSchema, answer=ProjectSchema)
def post_project() -> ResponseReturnValue:
    """Make a project."""
    given = _checked(read_json(NewProjectSchema()))
    journal = create_project(session(), given, current.visitor().actor_id, current.now())
    _finish(journal, "project.created")
    return _answer_project(journal.project_id, "administrator")


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
    given = _checked(read_json(ProjectSettings()))
    journal = _journal(pid)
    if change_project(journal, given):
        _finish(journal, "project.changed", details={"settings": sorted(given)})
    return _answer_project(pid, current.role())


@bp.put("/<int:pid>/places")
@needs("project.manage")
@documented("projects", body="text/csv", answer=ChangedSchema)
def put_project_places(pid: int) -> ResponseReturnValue:
    """Make these the places of the project: CSV with code, name, level, parent, latitude, longitude, aliases."""
    try:
        places = read_places(read_body(current.settings().max_batch))
    except Faulty as faulty:
        raise Unexpected("The places have faults.", findings=faulty.findings) from faulty
    return _change(pid, "places", "places", lambda journal, event: put_places(journal, places, event))


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


@bp.put("/<int:pid>/programme")
@needs("project.manage")
@documented("projects", body="application/zip", answer=LoadedSchema)
def put_programme(pid: int) -> ResponseReturnValue:
    """Load a programme folder, zipped, into the project: once more with the same changes nothing."""
    body = read_body(current.settings().max_request)
    try:
        programme = read_programme(files_of_zip(body))
    except Faulty as faulty:
        raise WorkbookFaulty("The programme has faults.", findings=faulty.findings) from faulty
    journal, report = load_programme(session(), programme, current.visitor().actor_id, current.now(), pid)
    _finish(journal, "programme.loaded", details={"published": report.published, "changed": report.changed})
    log("programme_loaded", project=pid, published=len(report.published), changed=len(report.changed))
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


def _change(pid: int, kind: str, subject: str, change: Callable[[Journal, int], bool]) -> ResponseReturnValue:
    """One change that gets an event only if anything is different."""
    journal = _journal(pid)
    changed = change(journal, journal.record(kind, None, {"changed": subject}))
    if changed:
        _finish(journal, "project.changed", subject)
    else:
        session().rollback()
    return answer({"changed": changed})


def _journal(pid: int) -> Journal:
    return open_journal(session(), pid, current.visitor().actor_id, current.now())


def _finish(journal: Journal, action: str, subject: str | None = None, details: dict[str, Any] | None = None) -> None:
    record_act(session(), journal.project_id, current.origin(), action, current.now(), subject, details)
    journal.close()
    session().commit()


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """What a schema cannot see."""
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


def _answer_project(pid: int, role: str | None) -> ResponseReturnValue:
    return answer(_shown(session().get_one(Project, pid), role))


def _shown(project: Project, role: str | None) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "description": None,
        "archived": project.archived_at is not None,
        "keyId": None,
        "createdAt": project.created_at,
        "updatedAt": project.updated_at,
        "deletedAt": None,
        "time_zone": project.time_zone,
        "languages": project.languages,
        "fiscal_year_start": project.fiscal_year_start,
        "counts": project.counts,
        "role": role,
    }
