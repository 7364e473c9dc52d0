"""A person: the records behind him or her, who stands for them, the visits they count in, what was decided."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from server.api.matches import note_people
from server.db import session
from server.door.guards import needs
from server.pages.frame import project_of
from server.pages.people.meanings import Meanings
from server.pages.people.people_words import kind_of
from server.queries.submissions import names_of_actors, submissions_called, titles_of_forms
from sync.entities.reach import tree_of
from sync.indicators.definitions import definitions_at
from sync.review.decided import history_of
from sync.review.matches import matching_list
from sync.review.one_person import labels_of, pairs_about, person_of, visits_of

bp = Blueprint("people_pages", __name__, url_prefix="/projects/<int:pid>/people")

_PAIRS_SHOWN = 50


@bp.get("/<name>/<uuid>")
@needs("people.decide")
def person(pid: int, name: str, uuid: str) -> ResponseReturnValue:
    """The person whose record this is."""
    found = person_of(session(), pid, name, uuid)
    records = [found.stands, *found.others]
    ids = [record.id for record in records]
    pairs = pairs_about(session(), pid, name, ids)[:_PAIRS_SHOWN]
    between = {(pair.a, pair.b): pair for pair in pairs}
    history = history_of(session(), pid, name, pairs)
    visits, count = visits_of(session(), pid, name, ids)
    actor_ids = [*(one.actor_id for one in history), *(record.creator_id for record in records)]
    tree = tree_of(session(), pid)
    page = render_template(
        "person.html",
        project=project_of(pid),
        list_name=name,
        kind=kind_of(matching_list(session(), pid, name)),
        person=found,
        records=records,
        numbers={record.id: number for number, record in enumerate(records, 1)},
        called=Meanings(pid, name, tree, (value for one in found.compared for value in one.values)),
        pairs=pairs,
        labels=labels_of(session(), pid, name, {end for pair in pairs for end in (pair.a, pair.b)}),
        between=between,
        history=history,
        decisions={between[one.a, one.b].id: one for one in reversed(history)},
        visits=visits,
        visits_called=submissions_called(session(), pid, [visit.id for visit in visits]),
        collectors=names_of_actors(session(), [visit.actor_id for visit in visits]),
        count=count,
        places=tree.names_of([visit.place for visit in visits]),
        indicators={definition.id: definition for definition in definitions_at(session(), pid, None).values()},
        titles=titles_of_forms(session(), pid),
        actors=names_of_actors(session(), [one or 0 for one in actor_ids]),
    )
    note_people(pid, "people.viewed", f"{name}/{found.stands.id}")
    return page
