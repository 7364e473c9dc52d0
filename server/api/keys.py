"""The key of a project: from then on its forms are filled in encrypted."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server.acts.changing import begin, finish
from server.api.schemas import Strict, text
from server.db import release
from server.door.guards import needs
from server.logs import log
from server.wire.answers import done
from server.wire.bodies import read_json
from server.wire.documents import documented
from sync.encryption.keys import make_key
from sync.projects.keys import encrypt_project, open_forms
from sync.projects.publish import publish_form

bp = Blueprint("keys", __name__, url_prefix="/v1/projects/<int:pid>/key")


class KeySchema(Strict):
    """The passphrase is kept nowhere: what was encrypted is lost with it. The hint is shown to whoever needs it."""

    passphrase = fields.String(required=True, validate=validate.Length(max=1000))
    hint = text(load_default=None, allow_none=True)


@bp.post("")
@needs("project.manage")
@documented("projects", body=KeySchema)
def post_key(pid: int) -> ResponseReturnValue:
    """Switch encryption on, for good.

    Each form gets a version that is filled in encrypted; records begun in an older one stay as they are.
    """
    given = read_json(KeySchema())
    release()
    key = make_key(given["passphrase"], given["hint"])
    journal = begin(pid)
    row = encrypt_project(journal, key)
    workbooks = open_forms(journal)
    for workbook in workbooks:
        publish_form(journal, workbook)
    published = [workbook.form.form_id for workbook in workbooks]
    finish(journal, "project.encrypted", str(row.id), {"forms": published})
    log("project_encrypted", project=pid, forms=len(published))
    return done()
