"""Files, resumable after tus 1.0: a photo that was half sent goes on where the link broke."""

from __future__ import annotations

import base64
import binascii
import hashlib
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, cast

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.http import http_date

from server import current
from server.db import release, session
from server.door.guards import needs, public
from server.logs import log
from server.wire.bodies import UnknownEncoding
from server.wire.documents import documented
from sync.errors import HashDiffers, Missing, Refusal, Unexpected
from sync.intake.files import append, create_upload, drop_upload, find_upload, finish, offset_of
from sync.journal import open_journal
from sync.models import StoredFile, Upload
from sync.models.database import begin_writing

bp = Blueprint("files", __name__, url_prefix="/v1/projects/<int:pid>/files")

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
_BYTES = "application/offset+octet-stream"
_IN_MEMORY = 1024 * 1024
_PIECE = 1 << 16
_MOST_DIGITS = 15  # of a number that any file or offset could have
_ALGORITHMS = {"sha256": hashlib.sha256, "sha1": hashlib.sha1, "md5": hashlib.md5}


class UnknownTus(Refusal):
    code = 412.1
    title = "Tus-Resumable: 1.0.0 is spoken here"


class NotBytes(UnknownEncoding):
    code = 415.2
    title = f"The body of an upload is of type {_BYTES}, and not compressed"


@bp.after_request
def say_tus(response: Response) -> Response:
    """Every answer names the protocol, also the refusals."""
    response.headers["Tus-Resumable"] = VERSION
    if response.status_code in (204, 412) and request.method in ("OPTIONS", "POST", "PATCH", "HEAD", "DELETE"):
        response.headers["Tus-Version"] = VERSION
    return response


@bp.route("", methods=["OPTIONS"])
@bp.route("/<upload_id>", methods=["OPTIONS"], endpoint="options_of_one")
@public
def options(pid: int, upload_id: str | None = None) -> ResponseReturnValue:
    """What of tus is spoken here."""
    headers = {
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(current.settings().max_file),
        "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
    }
    return Response(status=204, headers=headers)


@bp.post("")
@needs("data.send")
@documented("files", body=_BYTES, status=201)
def post_file(pid: int) -> ResponseReturnValue:
    """Begin an upload; the body may already carry its first bytes, or all of them.

    Upload-Length, and Upload-Metadata with sha256 (hex), name and type, each in base64.
    """
    _speak_tus()
    length = _number("Upload-Length")
    said = _metadata()
    if "sha256" not in said:
        raise Missing("Upload-Metadata has to name the file's sha256.")
    begin_writing(session())
    upload = create_upload(
        session(),
        pid,
        current.visitor().actor_id,
        sha256=said["sha256"],
        length=length,
        most=current.settings().max_file,
        name=said.get("name"),
        type=said.get("type"),
        now=current.now(),
    )
    session().commit()
    _set_free(upload)
    offset = _take(upload, 0) if _carries_bytes() else _settle(upload, offset_of(session(), upload))
    headers = _standing(upload, offset) | {"Location": current.own_address(f"/projects/{pid}/files/{upload.id}")}
    return Response(status=201, headers=headers)


@bp.route("/<upload_id>", methods=["HEAD"])
@needs("data.send")
def head_file(pid: int, upload_id: str) -> ResponseReturnValue:
    """How far an upload has come."""
    _speak_tus()
    upload = _own(pid, upload_id)
    offset = offset_of(session(), upload)
    return Response(status=200, headers=_standing(upload, offset) | {"Upload-Length": str(upload.length)})


@bp.patch("/<upload_id>")
@needs("data.send")
@documented("files", body=_BYTES, status=204)
def patch_file(pid: int, upload_id: str) -> ResponseReturnValue:
    """Send bytes from Upload-Offset on; with the last one the hash is checked, and what waited becomes complete."""
    _speak_tus()
    if not _carries_bytes():
        raise NotBytes
    offset = _number("Upload-Offset")
    upload = _own(pid, upload_id)
    return Response(status=204, headers=_standing(upload, _take(upload, offset)))


@bp.post("/<upload_id>")
@needs("data.send")
@documented("files", body=_BYTES, status=204)
def post_instead(pid: int, upload_id: str) -> ResponseReturnValue:
    """Whatever X-HTTP-Method-Override says (PATCH, HEAD or DELETE), for those whose proxies let nothing else pass."""
    meant = {"PATCH": patch_file, "HEAD": head_file, "DELETE": delete_file}
    view = meant.get(request.headers.get("X-HTTP-Method-Override", "").upper())
    if view is None:
        raise MethodNotAllowed(valid_methods=list(meant))
    return view(pid, upload_id)


@bp.delete("/<upload_id>")
@needs("data.send")
@documented("files", status=204)
def delete_file(pid: int, upload_id: str) -> ResponseReturnValue:
    """Give an upload up."""
    _speak_tus()
    begin_writing(session())
    upload = find_upload(session(), pid, current.visitor().actor_id, upload_id, current.now())
    drop_upload(session(), upload)
    session().commit()
    return Response(status=204)


def _own(pid: int, upload_id: str) -> Upload:
    """The visitor's upload in plain values, so that no connection is held while bytes trickle in."""
    upload = find_upload(session(), pid, current.visitor().actor_id, upload_id, current.now())
    _set_free(upload)
    return upload


def _set_free(upload: Upload) -> None:
    session().refresh(upload)
    session().expunge(upload)
    release()


def _take(upload: Upload, offset: int) -> int:
    """Write what the body carries, and file the upload when that was the last of it."""
    request.max_content_length = current.settings().max_file
    body = cast(BinaryIO, request.stream)
    announced = request.headers.get("Upload-Checksum")
    if announced is None:
        return _settle(upload, append(session(), upload, offset, body))
    with SpooledTemporaryFile(_IN_MEMORY) as checked:
        _copy_checked(body, checked, announced)
        return _settle(upload, append(session(), upload, offset, cast(BinaryIO, checked)))


def _copy_checked(body: BinaryIO, target: IO[bytes], announced: str) -> None:
    """The body, once it has the checksum that was announced (`sha256 <base64>`), read from its start."""
    algorithm, _, encoded = announced.partition(" ")
    if algorithm not in _ALGORITHMS:
        raise Unexpected(f"Upload-Checksum: one of {', '.join(_ALGORITHMS)}, a space, and the hash in base64.")
    try:
        wanted = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise Unexpected("Upload-Checksum: the hash is not base64.") from error
    found = _ALGORITHMS[algorithm]()
    while piece := body.read(_PIECE):
        found.update(piece)
        target.write(piece)
    if found.digest() != wanted:
        raise HashDiffers("The bytes of this request do not have the checksum that was announced; send them again.")
    target.seek(0)


def _settle(upload: Upload, offset: int) -> int:
    release()
    if offset == upload.length and session().get(StoredFile, (upload.project_id, upload.sha256)) is None:
        current.take_slot()
        journal = open_journal(session(), upload.project_id, upload.actor_id, current.writing_now)
        completed = finish(journal, upload)
        journal.close()
        session().commit()
        log("file_stored", project=upload.project_id, actor=upload.actor_id, bytes=offset, completed=completed)
    return offset


def _standing(upload: Upload, offset: int) -> dict[str, str]:
    return {"Upload-Offset": str(offset), "Upload-Expires": http_date(upload.expires_at)}


def _speak_tus() -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise UnknownTus


def _carries_bytes() -> bool:
    encoded = request.headers.get("Content-Encoding", "identity").lower() != "identity"
    return request.mimetype == _BYTES and not encoded


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdecimal()):
        raise Missing(f"{header} has to be a whole number.")
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _metadata() -> dict[str, str]:
    """Upload-Metadata: pairs of a name and a base64 value, with commas between them."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in request.headers.get("Upload-Metadata", "").split(","))):
        name, _, encoded = pair.partition(" ")
        try:
            value = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Unexpected(f"Upload-Metadata: {name[:100]} is not base64 of text.") from error
        if "\0" in value or len(value) > 1000:
            raise Unexpected(f"Upload-Metadata: {name[:100]} is not a text of at most 1,000 characters.")
        found[name] = value
    return found
