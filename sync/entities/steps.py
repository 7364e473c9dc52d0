"""Entities follow the steps of submissions: applied or held on arrival, withdrawn and replaced with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from forms.indicators.sheets import Sheets
from forms.programmes.entitylists import EntityListFile, ListRow
from forms.xforms.entities import EntityAction
from forms.xforms.xform import Form
from sync.entities.change import Change, place_of, said_by
from sync.entities.folding import HELD, WITHDRAWN, Step
from sync.entities.stored import (
    AT_ONCE,
    LIST_FILE,
    all_keys,
    first_events,
    put_list,
    steps_of_list_file,
    steps_of_submissions,
)
from sync.journal import Journal


@dataclass(frozen=True, slots=True)
class Arrived:
    """A submission whose entity actions are to hold now. `event` brought its version in."""

    submission_id: int
    event: int
    actions: Sequence[EntityAction]


def apply_actions(journal: Journal, arrived: Sequence[Arrived]) -> None:
    """Make these submissions' steps what their actions say; without actions they are withdrawn.

    Updates of entities that have not arrived, and steps of an offline branch that come before their predecessor, are
    held and applied once it is here. A second creation of one entity is held, and flagged on its submission, whose
    row must be stored. Faulty actions are passed over. An edit keeps its place in the order of arrival.
    """
    wanted = {arrival.submission_id: arrival for arrival in arrived}
    connection = journal.session.connection()
    for some in _portions(list(wanted)):
        before = steps_of_submissions(connection, journal.project_id, some)
        places = _places(journal, connection, [wanted[submission_id] for submission_id in some], before)
        steps = [
            _step(action, submission_id, places[submission_id])
            for submission_id in some
            for action in _sound(wanted[submission_id].actions)
        ]
        Change(journal, connection).make(before, steps, journal.last_event)


def load_list(journal: Journal, name: str, file: EntityListFile, event: int) -> bool:
    """Make the entities of a list file what its rows say; those that have left the file are withdrawn.

    What submissions have said of an entity since it was first loaded stands. False, and nothing written, if the file
    says nothing new.
    """
    connection = journal.session.connection()
    changed = put_list(connection, journal.project_id, name, file.properties, {}, journal.now)
    stored = steps_of_list_file(connection, journal.project_id, name)
    before = {step.entity_id: step for step in stored}
    now = {row.entity_id: row for row in file.rows}
    for ids in _portions(list(before.keys() | now.keys())):
        there = [before[entity_id] for entity_id in ids if entity_id in before]
        steps = [
            _step(_creation(name, now[entity_id]), LIST_FILE, before[entity_id].event if entity_id in before else event)
            for entity_id in ids
            if entity_id in now
        ]
        changed |= Change(journal, connection).make(there, steps, event)
    return changed


def declare_lists(journal: Journal, form: Form, sheets: Sheets, event: int) -> bool:
    """Make the lists of a form known, with the properties that it saves and the roles that they play.

    None is ever taken away. False if all of it was known; `event` is the publishing.
    """
    properties: dict[str, list[str]] = defaultdict(list)
    roles: dict[str, dict[str, str]] = defaultdict(dict)
    for declaration in form.entities:
        properties[declaration.list_name].extend(declaration.saves)
    for row in sheets.matching:
        roles[row.list_name][row.property] = row.role
    connection = journal.session.connection()
    changed = False
    for name in sorted(properties.keys() | roles.keys()):
        changed |= put_list(
            connection, journal.project_id, name, properties.get(name, ()), roles.get(name, {}), journal.now
        )
    return changed


def steps_differ(session: Session, project_id: int, arrived: Sequence[Arrived]) -> set[int]:
    """The submissions whose stored steps are not those that their actions ask for."""
    connection = session.connection()
    differing: set[int] = set()
    for some in _portions(arrived):
        stored: dict[int, list[Any]] = defaultdict(list)
        for step in steps_of_submissions(connection, project_id, [arrival.submission_id for arrival in some]):
            if step.state != WITHDRAWN:
                stored[step.submission_id].append((place_of(step), said_by(step)))
        for arrival in some:
            wanted = [_step(action, arrival.submission_id, arrival.event) for action in _sound(arrival.actions)]
            if dict(stored[arrival.submission_id]) != {place_of(step): said_by(step) for step in wanted}:
                differing.add(arrival.submission_id)
    return differing


def rebuild_entities(journal: Journal) -> int:
    """Work every entity out anew from the steps; gives how many were wrong. If none was, nothing is written."""
    connection = journal.session.connection()
    wrong = 0
    event: int | None = None
    for keys in all_keys(connection, journal.project_id):
        change = Change(journal, connection)
        change.look_again(keys)
        if change.differing:
            event = event or journal.record("rebuilt")
            change.write(event)
            wrong += change.differing
    return wrong


def _step(action: EntityAction, submission_id: int, event: int) -> Step:
    return Step(
        list_name=action.list_name,
        entity_id=action.entity_id,
        submission_id=submission_id,
        path=action.path,
        event=event,
        create=action.create,
        update=action.update,
        label=action.label,
        data=dict(action.data),
        base_version=action.base_version,
        trunk_version=action.trunk_version,
        branch_id=action.branch_id,
        state=HELD,
        version=None,
    )


def _creation(name: str, row: ListRow) -> EntityAction:
    return EntityAction(name, row.entity_id, True, False, row.label, row.data, None, None, None, path="")


def _sound(actions: Iterable[EntityAction]) -> list[EntityAction]:
    return [action for action in actions if not action.flags and (action.create or action.update)]


def _places(
    journal: Journal, connection: Connection, arrived: Sequence[Arrived], before: Sequence[Step]
) -> dict[int, int]:
    """The place of each submission in the order of arrival: that of its first version, whenever it was corrected."""
    places = {arrival.submission_id: arrival.event for arrival in arrived}
    known: dict[int, int] = {}
    for step in before:
        known[step.submission_id] = min(step.event, known.get(step.submission_id, step.event))
    # Ids only grow: what an earlier transaction stored has one that the project had reached when this one began.
    older = [id_ for id_ in places if id_ <= journal.project.last_id and id_ not in known]
    if older:
        known |= first_events(connection, journal.project_id, older)
    return places | known


def _portions(items: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), AT_ONCE):
        yield list(items[start : start + AT_ONCE])
