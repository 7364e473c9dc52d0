"""The Word templates of a project: kept, fetched, taken away. The empty name of a statement means all of them."""

from __future__ import annotations

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.api.schemas import Strict, text
from server.api.statements import DOCX
from server.db import release, session
from server.door.guards import needs
from server.wire.answers import answer, disposition, done
from server.wire.bodies import read_body, read_query
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.errors import NotFound
from sync.models.database import begin_writing
from sync.statements.statements import statements_at
from sync.statements.word import check_template
from sync.statements.word_tags import MOST_BYTES
from sync.statements.word_templates import put_template, remove_template, template_at, templates_of

bp = Blueprint("api_word_templates", __name__, url_prefix="/v1/projects/<int:pid>/word-templates")


class TemplateQuery(Strict):
    """Of which statement."""

    statement = text(load_default="", metadata={"description": "the name of one; of all without it"})


class NewTemplateQuery(TemplateQuery):
    """And what the file is called."""

    filename = fields.String(load_default="", validate=validate.Length(max=200))


@bp.get("")
@needs("project.manage")
@documented("statements", answer="application/json")
def get_templates(pid: int) -> ResponseReturnValue:
    """Which statements have one of their own; that of all comes first."""
    kept = templates_of(session(), pid)
    return answer([{"statement": one.statement, "filename": one.file_name, "at": one.at} for one in kept])


@bp.get("/file")
@needs("project.manage")
@documented("statements", query=TemplateQuery, answer=DOCX)
def get_template(pid: int) -> ResponseReturnValue:
    """A template as it was uploaded."""
    return send_template(pid, read_query(TemplateQuery())["statement"])


@bp.put("/file")
@needs("project.manage")
@documented("statements", query=NewTemplateQuery, body=DOCX, answer="application/json")
def put_one(pid: int) -> ResponseReturnValue:
    """Keep a Word document as a template. It is refused with all that is wrong in it."""
    asked = read_query(NewTemplateQuery())
    keep_template(pid, statement_named(pid, asked["statement"]), asked["filename"], read_body(MOST_BYTES))
    return done()


@bp.delete("/file")
@needs("project.manage")
@documented("statements", query=TemplateQuery)
def delete_one(pid: int) -> ResponseReturnValue:
    """Take a template away: statements are written as before."""
    forget_template(pid, read_query(TemplateQuery())["statement"])
    return done()


def send_template(pid: int, statement: str) -> Response:
    """The file. Raises NotFound."""
    kept = template_at(session(), pid, statement)
    headers = {"Content-Disposition": disposition(kept.file_name or "template.docx")}
    return Response(kept.content, content_type=DOCX, headers=headers)


def keep_template(pid: int, statement: str, name: str, data: bytes) -> None:
    """Keep one, and commit. Raises Unexpected with all that is wrong with it."""
    check_template(data)  # takes its time, so before the project is locked
    release()
    begin_writing(session())
    put_template(session(), pid, statement, name, data, current.visitor().actor_id, current.now())
    record_act(session(), pid, current.origin(), "word_template.kept", current.now(), statement or None)
    session().commit()


def forget_template(pid: int, statement: str) -> None:
    """Take one away, and commit. Raises NotFound."""
    begin_writing(session())
    remove_template(session(), pid, statement)
    record_act(session(), pid, current.origin(), "word_template.removed", current.now(), statement or None)
    session().commit()


def statement_named(pid: int, name: str) -> str:
    """Raises NotFound for one that there is not; the empty name is that of all."""
    if name and name not in statements_at(session(), pid, None):
        raise NotFound
    return name
