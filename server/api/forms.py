"""The published forms: what devices fill in, with the files and lists that belong to them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from server import current
from server.answers import answer, disposition, download, tagged
from server.db import session
from server.documents import documented
from server.guards import needs
from server.queries.forms import files_of_form, forms_of, list_as_csv, version_of, versions_of
from sync.errors import NotFound
from sync.models import FormFile, FormVersion

bp = Blueprint("forms", __name__, url_prefix="/v1/projects/<int:pid>/forms")

_XML = "text/xml; charset=utf-8"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@bp.get("")
@needs("project.read")
@documented("forms", answer="application/json")
def get_forms(pid: int) -> ResponseReturnValue:
    """The forms of the project, each as its newest version."""
    return answer([_form(pid, row) for row in forms_of(session(), pid)])


@bp.get("/<fid>")
@needs("project.read")
@documented("forms", answer="application/json")
def get_form(pid: int, fid: str) -> ResponseReturnValue:
    """One form."""
    rows = forms_of(session(), pid, fid)
    if not rows:
        raise NotFound
    return answer(_form(pid, rows[0]))


@bp.get("/<fid>.xml")
@needs("project.read")
@documented("forms", answer="text/xml")
def get_form_xml(pid: int, fid: str) -> ResponseReturnValue:
    """The XForm of the newest version."""
    return _xform(version_of(session(), pid, fid))


@bp.get("/<fid>.xlsx")
@needs("project.read")
@documented("forms", answer=_XLSX)
def get_form_workbook(pid: int, fid: str) -> ResponseReturnValue:
    """The workbook that the newest version was made from."""
    return _workbook(version_of(session(), pid, fid))


@bp.get("/<fid>/versions")
@needs("project.read")
@documented("forms", answer="application/json")
def get_versions(pid: int, fid: str) -> ResponseReturnValue:
    """All versions that were ever published, the newest first."""
    return answer(
        [
            {
                "xmlFormId": fid,
                "version": row.version,
                "number": row.number,
                "hash": row.md5,
                "sha256": row.sha256,
                "publishedAt": row.published_at,
            }
            for row in versions_of(session(), pid, fid)
        ]
    )


@bp.get("/<fid>/versions/<version>.xml")
@needs("project.read")
@documented("forms", answer="text/xml")
def get_version_xml(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """The XForm of one version; `___` is the version without a name."""
    return _xform(version_of(session(), pid, fid, "" if version == "___" else version))


@bp.get("/<fid>/versions/<version>.xlsx")
@needs("project.read")
@documented("forms", answer=_XLSX)
def get_version_workbook(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """The workbook of one version."""
    return _workbook(version_of(session(), pid, fid, "" if version == "___" else version))


@bp.get("/<fid>/attachments")
@needs("project.read")
@documented("forms", answer="application/json")
def get_form_files(pid: int, fid: str) -> ResponseReturnValue:
    """The files and lists that the form names."""
    return answer(
        [
            {
                "name": file.name,
                "type": file.type,
                "hash": f"sha256:{file.sha256}" if file.sha256 else None,
                "exists": bool(file.sha256 or file.list_name),
                "blobExists": file.sha256 is not None,
                "datasetExists": file.list_name is not None,
            }
            for file in files_of_form(session(), pid, fid)
        ]
    )


@bp.get("/<fid>/attachments/<name>")
@needs("project.read")
@documented("forms", answer="application/octet-stream")
def get_form_file(pid: int, fid: str, name: str) -> ResponseReturnValue:
    """One of them. A list comes as CSV with the rows that concern the device."""
    file = session().get(FormFile, (pid, fid, name))
    if file is None:
        raise NotFound
    if file.list_name is not None:
        rows = list_as_csv(session(), pid, file.list_name, current.visitor().places)
        response = tagged(rows, "text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = disposition(name)
        return response
    if file.sha256 is None or not current.store().holds(file.sha256):
        raise NotFound
    return download(current.store().open(file.sha256), name, file.type, file.sha256)


def _form(pid: int, row: Any) -> dict[str, Any]:
    return {
        "projectId": pid,
        "xmlFormId": row.form_id,
        "name": row.title,
        "version": row.version,
        "hash": row.md5,
        "sha256": row.sha256,
        "state": row.state,
        "createdAt": row.created_at,
        "publishedAt": row.published_at,
        "updatedAt": None,
        "keyId": None,
        "enketoId": None,
        "enketoOnceId": None,
        "draftToken": None,
    }


def _xform(version: FormVersion) -> ResponseReturnValue:
    return tagged(version.xform, _XML, version.md5)


def _workbook(version: FormVersion) -> ResponseReturnValue:
    if version.source is None:
        raise NotFound
    return download(version.source, f"{version.form_id}.xlsx", _XLSX, version.sha256)
