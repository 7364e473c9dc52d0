"""The published forms: what devices fill in, published, opened and closed, with all their versions."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from forms.findings import Finding
from server import current
from server.acts import changing
from server.acts.changing import begin
from server.acts.uploads import XLS, XLSX, Handed, fallback_id, read_handed, require_no_warnings
from server.api.schemas import ListQuery, Strict
from server.api.shapes import show_fields, show_form, show_forms
from server.db import session
from server.door.guards import needs
from server.logs import log
from server.openrosa.answers import of_openrosa_too
from server.queries.forms import FormSeen, draft_only, drafts_of, form_of, forms_of, version_of, versions_of
from server.wire.answers import answer, done, download, tagged
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from server.wire.problems import as_json
from sync.accounts.roles import fillable_forms, may
from sync.errors import Exists, FormDeleted, NotFound
from sync.journal import Journal
from sync.models import Actor, Form, FormDraft, FormVersion
from sync.projects.catalogue import Unpublished, published
from sync.projects.drafts import put_draft
from sync.projects.lifecycle import STATES, delete_form, restore_form, set_state
from sync.projects.publish import publish_form

bp = Blueprint("forms", __name__, url_prefix="/v1/projects/<int:pid>/forms")

_XML = "text/xml; charset=utf-8"


class FormsQuery(ListQuery):
    """The forms that there are, or those in the bin."""

    deleted = fields.Boolean(load_default=False)


class UploadQuery(ListQuery):
    """Whether to pass over warnings, and over the draft."""

    publish = fields.Boolean(load_default=False)
    ignoreWarnings = fields.Boolean(load_default=False)  # noqa: N815 — the wire's name


class FieldsQuery(ListQuery):
    """Whether names are to be as OData has them."""

    odata = fields.Boolean(load_default=False)


class FormChange(Strict):
    """What can be changed of a form without publishing another version."""

    state = fields.String(required=True, validate=validate.OneOf(STATES))


@bp.get("")
@needs("forms.read")
@documented("forms", query=FormsQuery, answer="application/json")
def get_forms(pid: int) -> ResponseReturnValue:
    """The forms of the project, each as its newest version; for administrators those too that are only drafts."""
    asked = read_query(FormsQuery())
    found = forms_for(pid, current.role(), deleted=asked["deleted"])
    end = None if asked["limit"] is None else asked["offset"] + asked["limit"]
    return answer(show_forms(pid, found[asked["offset"] : end]))


@bp.post("")
@needs("project.manage")
@documented("forms", query=UploadQuery, body=XLSX, answer="application/json")
def post_form(pid: int) -> ResponseReturnValue:
    """Make a form from a workbook (.xlsx, .xls) or an XForm: a draft, or published at once."""
    asked = read_query(UploadQuery())
    handed = read_handed(pid, fallback_id("form"))
    form_id = handed.workbook.form.form_id
    require_no_warnings(handed, in_the_bin(pid, form_id), asked["ignoreWarnings"])
    journal = begin(pid)
    _require_new(journal, form_id)
    if asked["publish"]:
        publish_form(journal, handed.workbook)
    else:
        put_draft(journal, handed.workbook)
    finish(journal, "form.published" if asked["publish"] else "form.drafted", form_id)
    return show_handed(pid, form_id, handed)


@bp.get("/<fid>")
@needs("forms.read")
@documented("forms", answer="application/json")
def get_form(pid: int, fid: str) -> ResponseReturnValue:
    """One form."""
    return answer(show_forms(pid, [seen(pid, fid)])[0])


@bp.patch("/<fid>")
@needs("project.manage")
@documented("forms", body=FormChange, answer="application/json")
def patch_form(pid: int, fid: str) -> ResponseReturnValue:
    """Open a form, close it, or let it run out: `closing` takes what was begun and gives the form out no more."""
    state = read_json(FormChange())["state"]
    journal = begin(pid)
    if set_state(journal, fid, state):
        finish(journal, "form.changed", fid, {"state": state})
    return answer(show_form(pid, form_of(session(), pid, fid)))


@bp.delete("/<fid>")
@needs("project.manage")
@documented("forms")
def remove_form(pid: int, fid: str) -> ResponseReturnValue:
    """Put a form into the bin, with everything that came in for it."""
    journal = begin(pid)
    if session().get(Form, (pid, fid)) is None and session().get(FormDraft, (pid, fid)) is None:
        raise NotFound
    delete_form(journal, fid)
    finish(journal, "form.deleted", fid)
    return done()


@bp.post("/<int:number>/restore")
@needs("project.manage")
@documented("forms")
def restore(pid: int, number: int) -> ResponseReturnValue:
    """Take the form with this number (`id` in the list of deleted forms) out of the bin."""
    journal = begin(pid)
    form_id = restore_form(journal, number).form_id
    finish(journal, "form.restored", form_id)
    return done()


@bp.get("/<fid>.xml")
@needs("forms.read")
@of_openrosa_too
@documented("forms", answer="text/xml")
def get_form_xml(pid: int, fid: str) -> ResponseReturnValue:
    """The XForm of the newest version."""
    return xform_of(_version(pid, fid))


@bp.get("/<fid>.xlsx")
@needs("forms.read")
@documented("forms", answer=XLSX)
def get_form_workbook(pid: int, fid: str) -> ResponseReturnValue:
    """The workbook that the newest version was made from."""
    return workbook_of(_version(pid, fid), "xlsx")


@bp.get("/<fid>.xls")
@needs("forms.read")
@documented("forms", answer=XLS)
def get_old_workbook(pid: int, fid: str) -> ResponseReturnValue:
    """The same where it came as .xls."""
    return workbook_of(_version(pid, fid), "xls")


@bp.get("/<fid>/fields")
@needs("forms.read")
@documented("forms", query=FieldsQuery, answer="application/json")
def get_fields(pid: int, fid: str) -> ResponseReturnValue:
    """The fields of the newest version, in the order of its instance."""
    return _fields(pid, fid, _version(pid, fid).version)


@bp.get("/<fid>/versions")
@needs("forms.read")
@documented("forms", answer="application/json")
def get_versions(pid: int, fid: str) -> ResponseReturnValue:
    """All versions that were ever published, the newest first."""
    require_bound(pid, fid)
    return answer(
        [show_form(pid, version) | {"number": number} for number, version in versions_of(session(), pid, fid)]
    )


@bp.get("/<fid>/versions/<version>")
@needs("forms.read")
@documented("forms", answer="application/json")
def get_version(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """One version; `___` is the version without a name."""
    require_bound(pid, fid)
    number, found = versions_of(session(), pid, fid, named(version))[0]
    return answer(show_form(pid, found) | {"number": number})


@bp.get("/<fid>/versions/<version>.xml")
@needs("forms.read")
@of_openrosa_too
@documented("forms", answer="text/xml")
def get_version_xml(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """The XForm of one version."""
    return xform_of(_version(pid, fid, named(version)))


@bp.get("/<fid>/versions/<version>.xlsx")
@needs("forms.read")
@documented("forms", answer=XLSX)
def get_version_workbook(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """The workbook of one version."""
    return workbook_of(_version(pid, fid, named(version)), "xlsx")


@bp.get("/<fid>/versions/<version>.xls")
@needs("forms.read")
@documented("forms", answer=XLS)
def get_old_version_workbook(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """The same where it came as .xls."""
    return workbook_of(_version(pid, fid, named(version)), "xls")


@bp.get("/<fid>/versions/<version>/fields")
@needs("forms.read")
@documented("forms", query=FieldsQuery, answer="application/json")
def get_version_fields(pid: int, fid: str, version: str) -> ResponseReturnValue:
    """The fields of one version."""
    return _fields(pid, fid, _version(pid, fid, named(version)).version)


def forms_for(pid: int, role: str, *, deleted: bool = False) -> list[FormSeen]:
    """The forms that the visitor sees in this role: only those who manage them see drafts, and the bin."""
    manages = may(role, "project.manage")
    if deleted:
        return forms_of(session(), pid, deleted=True) if manages else []
    drafts = draft_only(session(), pid) if manages else []
    found = forms_of(session(), pid, bound=bound_forms(pid))
    return sorted([*found, *drafts], key=lambda form: form.form_id)


def named(version: str) -> str:
    """A version as addresses have it: `___` stands for the empty one."""
    return "" if version == "___" else version


def bound_forms(pid: int) -> frozenset[str] | None:
    """The forms to which the visitor is bound; None for all."""
    return fillable_forms(session(), session().get_one(Actor, current.visitor().actor_id), pid)


def require_bound(pid: int, fid: str) -> None:
    """Raises NotFound for a form that is none of the visitor's."""
    bound = bound_forms(pid)
    if bound is not None and fid not in bound:
        raise NotFound


def seen(pid: int, fid: str) -> FormSeen:
    """The form, or its draft if it was never published and the visitor may see drafts. Raises NotFound."""
    require_bound(pid, fid)
    try:
        return form_of(session(), pid, fid)
    except NotFound:
        drafts = drafts_of(session(), pid, fid) if current.has_right("project.manage") else []
        if not drafts or session().get(Form, (pid, fid)) is not None:
            raise
        return drafts[0]


def xform_of(version: FormVersion | FormDraft) -> ResponseReturnValue:
    return tagged(version.xform, _XML, version.md5)


def workbook_of(version: FormVersion | FormDraft, ending: str) -> ResponseReturnValue:
    """The workbook, if one of this kind was handed in. Raises NotFound."""
    if version.source is None or ("xlsx" if version.source.startswith(b"PK") else "xls") != ending:
        raise NotFound
    return download(
        version.source, f"{version.form_id}.{ending}", XLSX if ending == "xlsx" else XLS, f"{version.sha256}.{ending}"
    )


def in_the_bin(pid: int, form_id: str) -> list[Finding]:
    """What to look at before a form is made under the id of one that was deleted."""
    form = session().get(Form, (pid, form_id))
    if form is None or form.deleted_at is None:
        return []
    return [Finding(FormDeleted.title, place=form_id, column="deletedFormExists")]


def show_handed(pid: int, fid: str, handed: Handed) -> ResponseReturnValue:
    """The form that was made, and what its author should know of it."""
    shown = show_forms(pid, [seen(pid, fid)])[0]
    warnings = [as_json(finding) for finding in (*handed.warnings, *handed.notes)]
    return answer(shown | ({"warnings": warnings} if warnings else {}))


def finish(journal: Journal, action: str, form_id: str, details: dict[str, Any] | None = None) -> None:
    """Write the act down, and commit."""
    changing.finish(journal, action, form_id, details)
    log(action.replace(".", "_"), project=journal.project_id, form=form_id)


def _require_new(journal: Journal, form_id: str) -> None:
    form = session().get(Form, (journal.project_id, form_id))
    if form is not None and form.deleted_at is not None:
        raise FormDeleted(details={"form": form_id})
    if form is not None or session().get(FormDraft, (journal.project_id, form_id)) is not None:
        raise Exists(f"The project has a form ‘{form_id}’ already; make a draft of it instead.")


def _version(pid: int, fid: str, version: str | None = None) -> FormVersion:
    require_bound(pid, fid)
    return version_of(session(), pid, fid, version)


def _fields(pid: int, fid: str, version: str) -> ResponseReturnValue:
    odata = read_query(FieldsQuery())["odata"]
    found = published(session(), pid, fid, version)
    if isinstance(found, Unpublished):
        raise NotFound
    return answer(show_fields(found.form, odata))
