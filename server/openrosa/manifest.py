"""The files beside a form, as OpenRosa clients look for them, each with a hash: only what changed is fetched."""

from __future__ import annotations

from urllib.parse import quote
from xml.sax.saxutils import escape

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError

from server import current
from server.api.forms import named
from server.current import own_address
from server.db import session
from server.door.guards import needs
from server.openrosa.answers import XML, speak_openrosa
from server.openrosa.formlist import form_path, maker_of
from server.openrosa.kept import KeptAnswers, stamp_of
from server.openrosa.unchanged import remember_this
from server.queries.forms import version_of
from server.wire.documents import documented
from sync.accounts.roles import fillable_forms
from sync.errors import NotFound
from sync.models import Actor
from sync.models.database import begin_writing
from sync.projects.drafts import draft_of
from sync.projects.manifest import ManifestFile, files_for, has_new_hashes, keep_hashes

bp = Blueprint("manifest", __name__)
speak_openrosa(bp)

_NAMESPACE = "http://openrosa.org/xforms/xformsManifest"
_kept = KeptAnswers()


@bp.get("/xformsManifest/<fid>", endpoint="at_root")
@bp.get("/v1/projects/<int:pid>/forms/<fid>/manifest")
@needs("forms.read")
@documented("openrosa", answer="text/xml")
def form_manifest(pid: int, fid: str) -> ResponseReturnValue:
    """The files of the form that are there. The hash of a list is that of the rows that one gets."""
    actor = session().get_one(Actor, current.visitor().actor_id)
    bound = fillable_forms(session(), actor, pid)
    if bound is not None and fid not in bound:
        raise NotFound
    remember_this()
    return _kept.answer(
        session(),
        ("manifest", pid, fid, actor.id, own_address("")),
        stamp_of(session(), pid, actor),
        lambda: _of_form(pid, fid, actor),
        XML,
    )


@bp.get("/v1/projects/<int:pid>/forms/<fid>/versions/<version>/manifest")
@needs("forms.read")
@documented("openrosa", answer="text/xml")
def version_manifest(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """The manifest of the form, whose files its versions share."""
    version_of(session(), pid, fid, named(version))
    return form_manifest(pid, fid)


@bp.get("/v1/projects/<int:pid>/forms/<fid>/draft/manifest")
@needs("drafts.try")
@documented("openrosa", answer="text/xml")
def draft_manifest(pid: int, fid: str) -> ResponseReturnValue:
    """The files of the draft that are there."""
    actor = maker_of(draft_of(session(), pid, fid).actor_id)
    files = files_for(session(), pid, fid, actor, draft=True)
    _keep_hashes(pid)
    return _kept.answer(
        session(),
        ("draft manifest", pid, fid, own_address("")),
        tuple(files),
        lambda: _document(pid, files, form_path(pid, fid) + "/draft", checked=False),
        XML,
    )


def _of_form(pid: int, fid: str, actor: Actor) -> bytes:
    files = files_for(session(), pid, fid, actor)
    _keep_hashes(pid)
    return _document(pid, files, form_path(pid, fid), checked=True)


def _document(pid: int, files: list[ManifestFile], path: str, checked: bool) -> bytes:
    """`checked` gives clients the address at which they ask whether entities that they made offline are still there."""
    items = "".join(_item(pid, file, path, checked) for file in files)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<manifest xmlns="{_NAMESPACE}">{items}</manifest>'.encode()


def _item(pid: int, file: ManifestFile, path: str, checked: bool) -> str:
    parts = {
        "filename": file.name,
        "hash": file.hash,
        "downloadUrl": own_address(f"{path}/attachments/{quote(file.name, safe='')}"),
    }
    if checked and file.type is not None and file.list_name is not None:
        parts["integrityUrl"] = own_address(f"/projects/{pid}/datasets/{quote(file.list_name, safe='')}/integrity")
    inside = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts.items())
    kind = f' type="{file.type}"' if file.type is not None else ""
    return f"<mediaFile{kind}>{inside}</mediaFile>"


def _keep_hashes(pid: int) -> None:
    """What had to be worked out is kept; where the database is busy, the next one works it out again."""
    if not has_new_hashes(session()):
        return
    try:
        begin_writing(session())
        keep_hashes(session(), pid)
        session().commit()
    except OperationalError:
        session().rollback()
