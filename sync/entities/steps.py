"""Entities follow the steps of submissions: applied or held on arrival, withdrawn and replaced with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from forms.indicators.sheets import Sheets
from forms.programmes.entitylists import EntityListFile, ListRow
from forms.records import record
from forms.xforms.entities import EntityAction
from forms.xforms.xform import Form
from sync.dedup.following import follow_list
from sync.entities.change import Change, place_of, said_by
from sync.entities.folding import HELD, WITHDRAWN, Step
from sync.entities.recalling import recall
from sync.entities.stored import (
    AT_ONCE,
    LIST_FILE,
    Key,
    Rules,
    actors_of_submissions,
    all_keys,
    first_events,
    put_list,
    rules_for,
    rules_of_lists,
    steps_of_list_file,
    steps_of_submissions,
)
from sync.journal import Found, Journal
from sync.models import Project


@record
class Arrived:
    """A submission whose entity actions are to hold now. `event` brought its version in.

    Lists that want approval pass over what was not `approved`. `actor_id` sent it; it is looked up if it is not given.
    `new` promises that this is its first version and that it has no steps yet, so that nobody needs to look.
    """

    submission_id: int
    event: int
    actions: Sequence[EntityAction]
    actor_id: int | None = None
    approved: bool = False
    new: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of it: the submissions whose flags may be others now, and the entities that came to look like another
    one of their list, with its id."""

    flagged: set[int]
    alike: Mapping[Key, str]


def apply_actions(journal: Journal, arrived: Sequence[Arrived]) -> Applied:
    """Make these submissions' steps what their actions say; without actions they are withdrawn.

    Updates of entities that have not arrived, and steps of an offline branch that come before their predecessor, are
    held and applied once it is here. A second creation of one entity is held, and flagged on its submission, whose
    row must be stored. Faulty actions are passed over. An edit keeps its place in the order of arrival.
    """
    wanted = {arrival.submission_id: arrival for arrival in arrived}
    connection = journal.connection
    rules = rules_for(journal, {action.list_name for arrival in arrived for action in arrival.actions})
    flagged: set[int] = set()
    alike: dict[Key, str] = {}
    for some in _portions(list(wanted)):
        older = [submission_id for submission_id in some if not wanted[submission_id].new]
        before = steps_of_submissions(connection, journal.project_id, older)
        places = _places(journal, connection, [wanted[submission_id] for submission_id in some], before)
        actors = _actors(journal, connection, [wanted[submission_id] for submission_id in some], before)
        steps = [
            _step(action, submission_id, places[submission_id], actors.get(submission_id))
            for submission_id in some
            for action in _effective(wanted[submission_id], rules, places[submission_id])
        ]
        recall(journal.session, journal.project_id, (step for step in steps if not wanted[step.submission_id].new))
        change = Change(journal, connection, rules)
        change.make(before, steps, journal.last_event)
        flagged |= change.flagged
        alike |= change.alike
    return Applied(flagged, alike)


def load_list(journal: Journal, name: str, file: EntityListFile, event: int) -> bool:
    """Make the entities of a list file what its rows say; those that have left the file are withdrawn.

    What submissions have said of an entity since it was first loaded stands. False, and nothing written, if the file
    says nothing new.
    """
    connection = journal.connection
    changed = put_list(connection, journal.project_id, name, file.properties, {}, event, journal.now)
    stored = steps_of_list_file(connection, journal.project_id, name)
    before = {step.entity_id: step for step in stored}
    now = {row.entity_id: row for row in file.rows}
    for ids in _portions(list(before.keys() | now.keys())):
        there = [before[entity_id] for entity_id in ids if entity_id in before]
        steps = [
            _step(
                _creation(name, now[entity_id]),
                LIST_FILE,
                before[entity_id].event if entity_id in before else event,
                journal.actor_id,
            )
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
    connection, project_id = journal.connection, journal.project_id
    changed = False
    before = rules_of_lists(connection, project_id, roles) if roles else {}
    for name in sorted(properties.keys() | roles.keys()):
        new_roles = roles.get(name, {})
        changed |= put_list(connection, project_id, name, properties.get(name, ()), new_roles, event, journal.now)
        if name in before and {**before[name].roles, **new_roles} != before[name].roles:
            follow_list(journal, name, event)
    return changed


def steps_differ(session: Session, project_id: int, arrived: Sequence[Arrived]) -> set[int]:
    """The submissions whose stored steps are not those that their actions ask for."""
    connection = session.connection()
    rules = _rules(connection, project_id, arrived)
    differing: set[int] = set()
    for some in _portions(arrived):
        stored: dict[int, list[Any]] = defaultdict(list)
        for step in steps_of_submissions(connection, project_id, [arrival.submission_id for arrival in some]):
            if step.state != WITHDRAWN:
                stored[step.submission_id].append((place_of(step), said_by(step)))
        came = _came(connection, project_id, some, rules)
        for arrival in some:
            effective = _effective(arrival, rules, came.get(arrival.submission_id, 0))
            wanted = [_step(action, arrival.submission_id, arrival.event) for action in effective]
            if dict(stored[arrival.submission_id]) != {place_of(step): said_by(step) for step in wanted}:
                differing.add(arrival.submission_id)
    return differing


def rebuild_entities(journal: Journal, keys: Collection[Key]) -> int:
    """Work these entities out anew from their steps; gives how many were wrong. If none was, nothing is written."""
    change = Change(journal, journal.connection)
    change.look_again(keys)
    if change.differing:
        change.write(journal.record("rebuilt"))
    return len(change.differing)


def entities_differ(session: Session, project_id: int) -> set[Key]:
    """The entities that are not what their steps make of them; writes nothing, and keeps nobody waiting."""
    project = session.get_one(Project, project_id)
    differing: set[Key] = set()
    for keys in all_keys(session.connection(), project_id):
        wrong: Collection[Key] = keys
        for _ in range(2):  # somebody may have changed one while it was read
            change = Change(Journal(session, Found.of(project), None, project.created_at), session.connection())
            change.look_again(wrong)
            wrong = change.differing
            if not wrong:
                break
        differing.update(wrong)
    return differing


def _step(action: EntityAction, submission_id: int, event: int, actor_id: int | None = None) -> Step:
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
        actor_id=actor_id,
        state=HELD,
        version=None,
    )


def _creation(name: str, row: ListRow) -> EntityAction:
    return EntityAction(name, row.entity_id, True, False, row.label, row.data, None, None, None, path="")


def _effective(arrival: Arrived, rules: Mapping[str, Rules], came: int) -> list[EntityAction]:
    """The actions that are sound and that need not wait for approval; `came` is the submission's first event."""
    return [
        action
        for action in arrival.actions
        if not action.flags
        and (action.create or action.update)
        and (arrival.approved or action.list_name not in rules or not rules[action.list_name].awaits_approval(came))
    ]


def _came(
    connection: Connection, project_id: int, arrived: Sequence[Arrived], rules: Mapping[str, Rules]
) -> dict[int, int]:
    """The first event of each submission that may have to be approved."""
    if all(rule.approval_from is None for rule in rules.values()):
        return {}
    return first_events(connection, project_id, [arrival.submission_id for arrival in arrived if not arrival.approved])


def _rules(connection: Connection, project_id: int, arrived: Iterable[Arrived]) -> dict[str, Rules]:
    names = {action.list_name for arrival in arrived for action in arrival.actions}
    return rules_of_lists(connection, project_id, names) if names else {}


def _actors(
    journal: Journal, connection: Connection, arrived: Sequence[Arrived], before: Sequence[Step]
) -> dict[int, int]:
    """Who sent each submission, as far as anybody has to know: only steps that are new ask for it."""
    said = {arrival.submission_id: arrival.actor_id for arrival in arrived if arrival.actor_id is not None}
    known = said | {step.submission_id: step.actor_id for step in before if step.actor_id is not None}
    unknown = [arrival.submission_id for arrival in arrived if arrival.actions and arrival.submission_id not in known]
    return known | actors_of_submissions(connection, journal.project_id, unknown) if unknown else known


def _places(
    journal: Journal, connection: Connection, arrived: Sequence[Arrived], before: Sequence[Step]
) -> dict[int, int]:
    """The place of each submission in the order of arrival: that of its first version, whenever it was corrected."""
    places = {arrival.submission_id: arrival.event for arrival in arrived}
    known: dict[int, int] = {}
    for step in before:
        known[step.submission_id] = min(step.event, known.get(step.submission_id, step.event))
    older = [arrival.submission_id for arrival in arrived if not arrival.new and arrival.submission_id not in known]
    if older:
        known |= first_events(connection, journal.project_id, older)
    return places | known


def _portions(items: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), AT_ONCE):
        yield list(items[start : start + AT_ONCE])
