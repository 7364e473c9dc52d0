"""A submission as its collector saw it, and what became of it."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from forms.xforms.instance import read_instance
from server.api.submission_shapes import files_of
from server.api.submissions import note_view
from server.db import session
from server.guards import needs
from server.pages.answers import Line, lines_of
from server.pages.frame import project_of
from server.pages.said import FLAGS, STATES
from server.queries.submissions import labels_of_entities, name_of_submission, names_of_actors, titles_of_forms
from server.words import words
from sync.indicators.definitions import definitions_at
from sync.projects.catalogue import Unpublished, published
from sync.projects.places import places_at
from sync.review.view import SubmissionSeen, raw_instance, submission_view

bp = Blueprint("submission_pages", __name__)


@bp.get("/projects/<int:pid>/submissions/<int:number>")
@needs("submissions.read")
def submission(pid: int, number: int) -> ResponseReturnValue:
    """One submission, as its collector saw it, and what became of it."""
    form_id, instance_id = name_of_submission(session(), pid, number)
    seen = submission_view(session(), pid, form_id, instance_id)
    definitions = definitions_at(session(), pid, None)
    tree = places_at(session(), pid, None)
    language = words().language
    page = render_template(
        "submission.html",
        states=STATES,
        flags=FLAGS,
        project=project_of(pid),
        submission=seen,
        title=titles_of_forms(session(), pid).get(form_id, form_id),
        lines=_lines(pid, seen, language),
        files=files_of(seen),
        present={file.name for file in files_of(seen) if file.present},
        contributions=sorted(seen.contributions, key=lambda row: row.closed is not None),
        definitions=definitions,
        places=tree.names_of([row.place for row in seen.contributions]),
        actors=names_of_actors(
            session(),
            [*(version.actor_id for version in seen.versions), *(comment.actor_id for comment in seen.comments)],
        ),
    )
    note_view(pid, number)
    return page


def _lines(pid: int, seen: SubmissionSeen, language: str) -> list[Line] | None:
    """None for what is encrypted."""
    instance = read_instance(raw_instance(session(), pid, seen.form_id, seen.current_instance_id))
    found = published(session(), pid, seen.form_id, seen.form_version)
    if instance.encrypted or isinstance(found, Unpublished):
        return None
    lines = lines_of(found.form, instance, language)
    chosen = {key for line in lines for key in line.chosen}
    names = {code: place.name for code, place in places_at(session(), pid, None).places.items() if code in chosen}
    names |= labels_of_entities(session(), pid, chosen - names.keys())
    return [
        replace(line, value=", ".join(names.get(key, key) for key in line.chosen)) if line.chosen else line
        for line in lines
    ]
