"""Forms as ODK's REST shows them, with what this server adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forms.xforms.files import named_files
from forms.xforms.layout import fields_of
from forms.xforms.xform import Form
from server.acts.uploads import XLS, XLSX
from server.api.users import show_actor
from server.db import session
from server.queries.forms import Counted, FormSeen, counts_of, links_of, makers_of, with_lists
from server.wire.answers import wants_more
from sync.exports.naming import wire_name


def show_forms(pid: int, forms: Sequence[FormSeen]) -> list[dict[str, Any]]:
    """All of them, with the extended fields if they are asked for."""
    if not wants_more():
        return [show_form(pid, form) for form in forms]
    counts = counts_of(session(), pid, [form.form_id for form in forms])
    makers = makers_of(session(), [form.actor_id for form in forms])
    listed, links = with_lists(session(), pid), links_of(session(), pid)
    return [
        show_form(pid, form)
        | _counted(counts[form.form_id])
        | {
            "createdBy": show_actor(makers[form.actor_id]) if form.actor_id in makers else None,
            "excelContentType": {"xlsx": XLSX, "xls": XLS}.get(form.source or ""),
            "entityRelated": form.has_entities or form.form_id in listed,
            "publicLinks": links.get(form.form_id, 0),
        }
        for form in forms
    ]


def show_form(pid: int, form: FormSeen) -> dict[str, Any]:
    """One form without the extended fields."""
    shown = {
        "projectId": pid,
        "xmlFormId": form.form_id,
        "name": form.title or None,
        "version": form.version,
        "hash": form.md5,
        "sha": form.sha,
        "sha256": form.sha256,
        "state": form.state,
        "keyId": form.key_id,
        "createdAt": form.created_at,
        "updatedAt": form.updated_at,
        "publishedAt": form.published_at,
        "enketoId": None,
        "enketoOnceId": None,
        "draftToken": form.draft_token,
        "webformsEnabled": False,
    }
    if form.number is not None:
        shown["id"] = form.number
    if form.deleted_at is not None:
        shown["deletedAt"] = form.deleted_at
    return shown


def show_fields(form: Form, odata: bool) -> list[dict[str, Any]]:
    """The fields in the order of the instance."""
    return [
        {
            "name": wire_name(field.name) if odata else field.name,
            "path": _odata_path(field.path) if odata else field.path,
            "type": field.type,
            "binary": field.binary or None,
            "selectMultiple": field.select_multiple or None,
        }
        for field in fields_of(form)
    ]


def kinds_in(xform: bytes) -> dict[str, str]:
    """The kind of each file that an XForm names: image, audio, video or file."""
    return {file.name: file.kind for file in named_files(xform)}


def show_file(
    name: str, kind: str, *, sha256: str | None, md5: str | None, size: int | None, list_name: str | None, at: Any
) -> dict[str, Any]:
    """A file that a form names. `hash` is the MD5 of its content, as ODK's clients compare it."""
    return {
        "name": name,
        "type": kind,
        "hash": md5,
        "exists": sha256 is not None or list_name is not None,
        "blobExists": sha256 is not None,
        "datasetExists": list_name is not None,
        "updatedAt": at,
        "size": size,
        "sha256": sha256,
    }


def _odata_path(path: str) -> str:
    return "".join(f"/{wire_name(part)}" for part in path.split("/")[1:])


def _counted(counted: Counted) -> dict[str, Any]:
    return {
        "submissions": counted.submissions,
        "lastSubmission": counted.last,
        "reviewStates": {
            "received": counted.by_review.get(None, 0),
            "hasIssues": counted.by_review.get("hasIssues", 0),
            "edited": counted.by_review.get("edited", 0),
        },
    }
