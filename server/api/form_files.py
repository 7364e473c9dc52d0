"""The files that published forms name: pictures, sounds, and the lists that questions choose from."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from server import current
from server.api.forms import named, require_bound
from server.api.shapes import kinds_in, show_file
from server.db import session
from server.door.guards import needs
from server.openrosa.answers import of_openrosa_too
from server.queries.forms import files_of_form, version_of
from server.wire.answers import answer, disposition, download, tagged
from server.wire.documents import documented
from sync.dedup.yardsticks import compared_simply
from sync.entities.delivery import csv_for, state_for
from sync.errors import Forbidden, NotFound
from sync.models import Actor, DraftFile, EntityList, FormFile
from sync.projects.manifest import hashes_of

bp = Blueprint("form_files", __name__, url_prefix="/v1/projects/<int:pid>/forms/<fid>")


@bp.get("/attachments")
@needs("forms.read")
@documented("forms", answer="application/json")
def get_files(pid: int, fid: str) -> ResponseReturnValue:
    """The files and lists that the newest version names."""
    return answer(files_shown(pid, fid, None))


@bp.get("/versions/<version>/attachments")
@needs("forms.read")
@documented("forms", answer="application/json")
def get_version_files(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """The files and lists that one version names."""
    return answer(files_shown(pid, fid, named(version)))


@bp.get("/attachments/<name>")
@needs("forms.read")
@of_openrosa_too
@documented("forms", answer="application/octet-stream")
def get_file(pid: int, fid: str, name: str) -> ResponseReturnValue:
    """One of them. A list comes as CSV with the rows that are for whoever asks; one of people is for those alone who
    fill in forms."""
    return _file(pid, fid, name, None)


@bp.get("/versions/<version>/attachments/<name>")
@needs("forms.read")
@of_openrosa_too
@documented("forms", answer="application/octet-stream")
def get_version_file(pid: int, fid: str, version: str, name: str) -> ResponseReturnValue:
    """One of those that a version names; its content is that of now."""
    return _file(pid, fid, name, named(version))


def send_file(pid: int, fid: str, file: FormFile | DraftFile, actor: Actor) -> ResponseReturnValue:
    """The content, or the list that stands for it with the rows that are for this actor."""
    if file.list_name is not None:
        state = state_for(session(), pid, file.list_name, actor, fid).removeprefix("md5:")
        if request.if_none_match.contains_weak(state):
            return tagged(b"", "text/csv; charset=utf-8", state)
        rows = csv_for(session(), pid, file.list_name, actor, fid)
        response: Response = tagged(rows, "text/csv; charset=utf-8", state)
        response.headers["Content-Disposition"] = disposition(file.name)
        return response
    if file.sha256 is None or not current.store().holds(file.sha256):
        raise NotFound
    return download(current.store().open(file.sha256), file.name, file.type, file.sha256)


def files_shown(pid: int, fid: str, version: str | None) -> list[dict[str, Any]]:
    """The files and lists that a version names, by default the newest. Raises NotFound."""
    require_bound(pid, fid)
    kinds = kinds_in(version_of(session(), pid, fid, version).xform)
    rows = files_of_form(session(), pid, fid)
    md5s = hashes_of(session(), pid, [file.sha256 for file, _, _ in rows.values() if file.sha256])
    return [
        show_file(
            name,
            kinds[name],
            sha256=file.sha256,
            md5=md5s.get(file.sha256 or ""),
            size=stored.size if stored else None,
            list_name=file.list_name,
            at=at,
        )
        for name, (file, stored, at) in rows.items()
        if name in kinds
    ]


def _file(pid: int, fid: str, name: str, version: str | None) -> ResponseReturnValue:
    require_bound(pid, fid)
    version_of(session(), pid, fid, version)
    file = session().get(FormFile, (pid, fid, name))
    if file is None:
        raise NotFound
    if file.list_name is not None and not current.has_right("forms.fill"):
        _forbid_people(pid, file.list_name)
    return send_file(pid, fid, file, session().get_one(Actor, current.visitor().actor_id))


def _forbid_people(pid: int, name: str) -> None:
    known = session().get(EntityList, (pid, name))
    if known is not None and known.matching and not compared_simply(known.matching):
        raise Forbidden("This list says who people are; it is for those who fill in forms.")
