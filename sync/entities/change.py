"""Steps that change, and the entities that follow them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from sync.dedup.following import Appearing, follow
from sync.entities.folding import APPLIED, FORCED, HELD, RESOLVES, WITHDRAWN, Step, changed_by, fold
from sync.entities.reach import place_named, tree_of
from sync.entities.recalling import recall
from sync.entities.stored import (
    SAID,
    EntityNow,
    Key,
    Rules,
    entities_of_keys,
    flag_creations,
    key_of,
    keys_with_unsettled_steps,
    put_list,
    rules_of_lists,
    steps_of_entities,
    write_entities,
    write_steps,
)
from sync.journal import Journal
from sync.models import Entity, EntityStep
from sync.projects.places import PlaceTree


class Change:
    """Steps that change, with the entities that follow: fetched together, decided in memory, written together."""

    def __init__(self, journal: Journal, connection: Connection, rules: Mapping[str, Rules] | None = None) -> None:
        self._journal = journal
        self._rules: dict[str, Rules | None] = dict(rules or {})
        self._connection = connection
        self._places: PlaceTree | None = None
        self._project_id = journal.project_id
        self._entities: dict[Key, EntityNow] = {}
        self._former: dict[Key, tuple[dict[str, Any], bool]] = {}  # what was said of them, and whether withdrawn
        self._alike: dict[Key, str] = {}
        self._new_steps: list[Step] = []
        self._changed_steps: dict[int, Step] = {}
        self._new: dict[Key, EntityNow] = {}
        self._changed: dict[Key, EntityNow] = {}
        self._creations: dict[int, set[str]] = defaultdict(set)
        self._twice: dict[int, list[str]] = defaultdict(list)

    @property
    def differing(self) -> set[Key]:
        """The entities that are not as they were, or have a step that is not."""
        steps = {key_of(step) for step in self._changed_steps.values()}
        return steps | self._new.keys() | self._changed.keys()

    @property
    def flagged(self) -> set[int]:
        """The submissions whose flags were looked at, because they create what another created."""
        return set(self._creations)

    @property
    def alike(self) -> Mapping[Key, str]:
        """The entities that came to look like another one of their list, with its id."""
        return self._alike

    def make(self, before: Sequence[Step], wanted: Sequence[Step], event: int) -> bool:
        """Replace the steps `before` by those wanted, and let the entities follow; whether anything was different."""
        coming = self._exchange(before, wanted)
        replaced = {key_of(step) for step in self._changed_steps.values()}
        keys = coming.keys() | replaced
        if not keys:
            return False
        self._fetch(keys)
        unsettled = keys_with_unsettled_steps(self._connection, self._project_id, self._there(EntityStep, keys))
        whole = set()
        for key in keys:
            known = self._entities.get(key)
            if key in replaced or key in unsettled:
                whole.add(key)
            elif known is None:
                self._fold(key, coming[key])
            elif not self._append(known, coming[key]):
                whole.add(key)
        self._fold_whole(whole, coming)
        self.write(event)
        return True

    def look_again(self, keys: Collection[Key]) -> None:
        """Fold the stored steps of these entities."""
        self._fetch(keys)
        self._fold_whole(keys, {})

    def force(self, keys: Collection[Key], upto: int) -> None:
        """Have the updates of these entities that are held since this event, or before, wait no longer."""
        self._fetch(keys)
        stored = self._stored(keys)
        for key in keys:
            steps = stored.get(key, [])
            before = [(step.state, step.version) for step in steps]
            for step in steps:
                if step.state == HELD and step.update and step.event <= upto:
                    step.state = FORCED
            self._fold(key, steps)
            for step, was in zip(steps, before, strict=True):
                if step.version is None and step.state == FORCED:
                    step.state = HELD  # it changes nothing: there is no entity, and nothing to make one of
                if (step.state, step.version) != was:
                    self._changed_steps[id(step)] = step

    def look_for_places(self, keys: Collection[Key]) -> None:
        """Find the places of these entities anew."""
        self._fetch(keys)
        for key, entity in self._entities.items():
            place = self._place(key[0], entity.data)
            if place != entity.place:
                entity.place = place
                self._changed[key] = entity

    def write(self, event: int) -> None:
        """Write down what is different, as changed by the event."""
        self._journal.seen.absent -= {(Entity, *key) for key in self._new}
        self._journal.seen.absent -= {(EntityStep, *key_of(step)) for step in self._new_steps}
        connection, project_id, now = self._connection, self._project_id, self._journal.now
        write_steps(connection, project_id, self._new_steps, self._changed_steps.values())
        if self._new:
            for name in sorted({name for name, _ in self._new if self._rules.get(name) is None}):
                put_list(connection, project_id, name, (), {}, event, now)
        write_entities(connection, project_id, self._new, self._changed, event, now)
        if self._creations:
            flag_creations(connection, project_id, self._creations, self._twice)
        for name, appearing in self._appearing().items():
            alike = follow(self._journal, name, self._roles(name), appearing, event)
            self._alike |= {(name, entity_id): other for entity_id, other in alike.items()}

    def _fetch(self, keys: Collection[Key]) -> None:
        self._entities = entities_of_keys(self._connection, self._project_id, self._there(Entity, keys))
        self._former = {key: (entity.data, entity.withdrawn) for key, entity in self._entities.items()}

    def _there(self, model: type[Entity | EntityStep], keys: Collection[Key]) -> list[Key]:
        """Those that somebody has to look for."""
        return [key for key in keys if (model, *key) not in self._journal.seen.absent]

    def _roles(self, name: str) -> Mapping[str, str]:
        rules = self._rules.get(name)
        return rules.roles if rules else {}

    def _appearing(self) -> dict[str, list[Appearing]]:
        """By list whose entities are compared: those of which something else is said than before."""
        found: dict[str, list[Appearing]] = defaultdict(list)
        events = self._events()
        for key, entity in self._new.items():
            name, entity_id = key
            if self._roles(name):
                lives, now = not entity.withdrawn, self._journal.now
                found[name].append(Appearing(entity_id, entity.data, now, lives, new=True, event=events.get(key)))
        for key, entity in self._changed.items():
            if self._roles(key[0]) and self._former[key] != (entity.data, entity.withdrawn):
                lives = not entity.withdrawn and entity.deleted_at is None
                since = entity.created_at or self._journal.now
                found[key[0]].append(Appearing(key[1], entity.data, since, lives, event=events.get(key)))
        return found

    def _events(self) -> dict[Key, int]:
        """By entity that is new, or of which something else is said that is compared: the event that brought it, or the
        last that changed it."""
        changed = {key for key, entity in self._changed.items() if self._looks_otherwise(key, entity)}
        steps = [
            step
            for step in (*self._new_steps, *self._changed_steps.values())
            if key_of(step) in changed or (key_of(step) in self._new and step.create)
        ]
        events = self._journal.events_about({step.submission_id for step in steps}) if steps else {}
        found = [(events[step.submission_id], key_of(step)) for step in steps if step.submission_id in events]
        return {key: event for event, key in sorted(found)}

    def _looks_otherwise(self, key: Key, entity: EntityNow) -> bool:
        data, withdrawn = self._former[key]
        return withdrawn != entity.withdrawn or any(
            data.get(name) != entity.data.get(name) for name in self._roles(key[0])
        )

    def _exchange(self, before: Sequence[Step], wanted: Sequence[Step]) -> dict[Key, list[Step]]:
        there = {place_of(step): step for step in before}
        coming: dict[Key, list[Step]] = defaultdict(list)
        for step in wanted:
            old = there.pop(place_of(step), None)
            if old is None:
                self._new_steps.append(step)
                coming[key_of(step)].append(step)
            elif _take_over(old, step) or self._said_otherwise_meanwhile(step):
                self._changed_steps[id(old)] = old
        for gone in there.values():
            if gone.state != WITHDRAWN:
                gone.state = WITHDRAWN
                self._changed_steps[id(gone)] = gone
        return coming

    def _said_otherwise_meanwhile(self, step: Step) -> bool:
        """Whether several corrections came at once, of which the last says again what was said before them all: each
        has its part in the entity all the same."""
        return any(one.until > self._journal.found.last_event for one in step.former)

    def _append(self, entity: EntityNow, steps: Sequence[Step]) -> bool:
        """Apply new updates on top, where nothing that came before can make a difference."""
        ordered = sorted(steps, key=lambda step: (step.event, step.submission_id))
        version = entity.version
        for step in ordered:
            if step.create or step.branch_id is not None or step.path == RESOLVES or entity.withdrawn or step.former:
                return False
            if step.event <= entity.event:
                return False  # of a correction that names another entity now: it keeps its place before what came since
            if step.base_version is not None and step.base_version < version:
                return False
            version += 1
        if len({step.submission_id for step in ordered}) < len(ordered):
            return False  # the order inside a submission is a matter of paths
        list_name = ordered[0].list_name
        for step in ordered:
            entity.version += 1
            entity.data = entity.data | changed_by(step, entity.data)
            entity.label = step.label or entity.label
            step.state, step.version = APPLIED, entity.version
        entity.place = self._place(list_name, entity.data)
        self._changed[key_of(ordered[0])] = entity
        return True

    def _place(self, list_name: str, data: Mapping[str, Any]) -> str | None:
        if list_name not in self._rules:
            self._rules[list_name] = rules_of_lists(self._connection, self._project_id, [list_name]).get(list_name)
        rules = self._rules[list_name] or Rules()
        return place_named(data, rules.place_property, self._tree)

    def _tree(self) -> PlaceTree:
        if self._places is None:
            journal = self._journal
            self._places = tree_of(journal.session, self._project_id, journal.found.last_event, journal.seen.places)
        return self._places

    def _fold_whole(self, keys: Collection[Key], coming: Mapping[Key, Sequence[Step]]) -> None:
        """Fold these entities with all that is stored of them."""
        if not keys:
            return
        stored = self._stored(keys)
        changed = {place_of(step): step for step in self._changed_steps.values()}
        for key in keys:
            steps = [_as_changed(step, changed.get(place_of(step))) for step in stored.get(key, ())]
            before = [(step.state, step.version) for step in steps]
            self._fold(key, [*steps, *coming.get(key, ())])
            for step, was in zip(steps, before, strict=True):
                if (step.state, step.version) != was:
                    self._changed_steps[id(step)] = step

    def _stored(self, keys: Collection[Key]) -> dict[Key, list[Step]]:
        found = steps_of_entities(self._connection, self._project_id, keys)
        recall(self._journal.session, self._project_id, (step for steps in found.values() for step in steps))
        return found

    def _fold(self, key: Key, steps: Sequence[Step]) -> None:
        known = self._entities.get(key)
        folded = fold(steps, known.version if known else 0)
        if known is None:
            if folded.begun:
                self._new[key] = EntityNow(
                    folded.label,
                    folded.data,
                    folded.version,
                    folded.withdrawn,
                    folded.conflict,
                    self._place(key[0], folded.data),
                    folded.creator,
                )
        elif known.follow(folded, self._place(key[0], folded.data if folded.begun else known.data)):
            self._changed[key] = known
        creations = [step for step in steps if step.create and not step.update]
        if len(creations) > 1 or (creations and known is not None):
            for step in creations:
                self._creations[step.submission_id].add(step.path)
            for step in folded.twice:
                self._twice[step.submission_id].append(step.path)


def _as_changed(stored: Step, changed: Step | None) -> Step:
    if changed is None:
        return stored
    changed.former = stored.former
    return changed


def place_of(step: Step) -> tuple[str, str, int, str]:
    """What makes a step the same step."""
    return step.list_name, step.entity_id, step.submission_id, step.path


def said_by(step: Step) -> list[Any]:
    """What its submission says, without what became of it."""
    return [getattr(step, name) for name in SAID]


def _take_over(old: Step, new: Step) -> bool:
    """Make a stored step what is wanted of it now; whether its entity has to be looked at again."""
    same = said_by(old) == said_by(new)
    for name in SAID:
        setattr(old, name, getattr(new, name))
    was = old.state
    if was == WITHDRAWN:
        old.state = HELD
    # One that is held may have lost its flag when its submission was checked anew.
    return not same or was != APPLIED
