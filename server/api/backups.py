"""A backup of the whole installation, for those who administer it."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from server import current
from server.db import release
from server.door.guards import site_admin
from server.logs import log
from server.upkeep.keeping import backing_up
from server.wire.documents import documented
from sync.errors import NotImplementedHere
from sync.keeping.archive import Tally

bp = Blueprint("backups", __name__, url_prefix="/v1/backup")


@bp.post("")
@site_admin
@documented("backup", answer="application/zstd")
def post_backup() -> ResponseReturnValue:
    """Everything in one file (tar, zstd), as it stands at this moment; `siby restore` reads it back.

    It is made while it is sent, and not encrypted: a passphrase is refused.
    """
    if b"passphrase" in request.get_data(cache=False):
        raise NotImplementedHere(
            "Backups are not encrypted by this server: leave the passphrase out, and encrypt the file (age, gpg)."
        )
    pieces = backing_up(current.origin(), Tally())
    release()
    log("backup_begun")
    response = Response(pieces, content_type="application/zstd")
    name = f"siby-{current.now():%Y-%m-%dT%H%M%S}.tar.zst"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
