"""What people call the lists and the levels of places of a project, in each of its languages."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from server.api.projects import change_settings
from server.api.schemas import ProjectSettings
from server.db import session
from server.door.guards import needs
from server.pages.frame import project_of
from server.wire.bodies import load
from sync.entities.reach import tree_of
from sync.entities.reading import lists_of_project
from sync.errors import Refusal

bp = Blueprint("name_pages", __name__, url_prefix="/projects/<int:pid>/settings/names")


@bp.get("")
@needs("project.manage")
def names(pid: int) -> ResponseReturnValue:
    """The names that there are, to be written anew."""
    return _page(pid)


@bp.post("")
@needs("project.manage")
def post_names(pid: int) -> ResponseReturnValue:
    """Keep those that were written anew. What the page did not ask for stays, and so does what was left as the page
    showed it: somebody else may have written it since."""
    project = project_of(pid)
    labels = {kind: dict(named) for kind, named in project.labels.items()}
    for kind, known in _known(pid).items():
        for name in known:
            said = dict(labels.get(kind, {}).get(name, {}))
            for language in project.languages:
                field = _field(kind, name, language)
                written, shown = (request.form.get(at) for at in (field, _shown(field)))
                if written is not None and (shown is None or written.strip() != shown.strip()):
                    said[language] = written.strip()
            labels.setdefault(kind, {})[name] = {language: label for language, label in said.items() if label}
    filled = {kind: {name: said for name, said in named.items() if said} for kind, named in labels.items()}
    try:
        change_settings(pid, load(ProjectSettings(), {"labels": filled}))
    except Refusal as refusal:
        session().rollback()
        return _page(pid, refusal)
    return redirect(url_for("name_pages.names", pid=pid, done="changed"), 303)


def _page(pid: int, refusal: Refusal | None = None) -> ResponseReturnValue:
    page = render_template(
        "settings_names.html",
        project=project_of(pid),
        manages=True,
        known=_known(pid),
        field=_field,
        shown=_shown,
        typed=request.form if refusal else None,
        problem=refusal.detail if refusal else None,
        findings=refusal.findings if refusal else [],
        done=request.args.get("done"),
    )
    return make_response(page, refusal.status if refusal else 200)


def _known(pid: int) -> dict[str, list[str]]:
    """Kind → the names that things have in files and addresses."""
    return {
        "lists": [one.name for one in lists_of_project(session(), pid)],
        "levels": list(tree_of(session(), pid).levels),
    }


def _field(kind: str, name: str, language: str) -> str:
    return f"{kind}/{language}/{name}"


def _shown(field: str) -> str:
    """Beside a field, what was in it when the page was opened."""
    return f"shown/{field}"
