"""What a row of a registry is, given everything that submissions wanted of it. Pure: no database.

After the ODK Entities specification 2022.1 to 2025.1: creations, updates, and the offline branches that tablets run.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

APPLIED, HELD, WITHDRAWN = "applied", "held", "withdrawn"
FORCED = "forced"  # applied although the step of its branch before it, or its entity, never came
SOFT, HARD = "soft", "hard"
RESOLVES = "resolve"  # the path of a step by which somebody has settled a conflict
_LABEL = "label"  # reserved by the specification: no property has this name
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Former:
    """What a step said before the event `until` corrected its submission."""

    until: int
    label: str | None
    data: Mapping[str, Any]


@dataclass(slots=True)
class Step:
    """A row of `entity_steps`. `version` is the one that the entity had when the step was first applied; it stays.
    `former` is what it said before, the oldest first, as far as anybody has looked (`recall`)."""

    list_name: str
    entity_id: str
    submission_id: int
    path: str
    event: int
    create: bool
    update: bool
    label: str | None
    data: dict[str, Any]
    base_version: int | None
    trunk_version: int | None
    branch_id: str | None
    actor_id: int | None
    state: str
    version: int | None
    former: Sequence[Former] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An entity after one of its steps, and how that step met what others had done. `base` is the version of ours
    that it was made upon; `conflicting` are the properties that others had changed to something else since."""

    step: Step
    version: int
    label: str
    data: dict[str, Any]
    base: int | None
    conflict: str | None
    conflicting: list[str]


@dataclass(slots=True)
class Folded:
    """The entity after its steps. `begun` is false when none of them creates it; `version` has risen with each step
    that was applied for the first time, and with each correction; `twice` are the creations that came too late.
    `creator` made it."""

    begun: bool
    withdrawn: bool
    version: int
    label: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    conflict: str | None = None
    creator: int | None = None
    twice: list[Step] = field(default_factory=list)
    history: list[Snapshot] = field(default_factory=list)


def fold(steps: Sequence[Step], version: int, *, remember: bool = False) -> Folded:
    """Apply the steps of one entity in the order of their submissions, whatever the order in which they are given.

    Each step changes what differs from the version that it was made upon, and nothing else: two that changed different
    properties of one version are merged. States and versions are set on the steps themselves. A withdrawn step changes
    nothing, but what follows it in its branch need not wait for it, and what it had said is not taken for said by those
    who were made upon it. Nor is what a step said before it was corrected: whoever only passed that on has not touched
    it. `version` is the entity's so far, 0 for a new one; `remember` gives the `history`.
    """
    ordered = sorted(steps, key=_place) if len(steps) > 1 else list(steps)
    first = _beginning(ordered)
    if first is None:
        for step in ordered:
            if step.state not in (WITHDRAWN, FORCED):
                step.state = HELD
        return Folded(begun=False, withdrawn=True, version=version)
    folding = _Folding(first, version, ordered, remember)
    for step in ordered:
        if step is not first:
            folding.take(step)
    return folding.finish()


def _place(step: Step) -> tuple[int, int, list[Any]]:
    # `/data/person[10]` comes after `/data/person[9]`.
    parts = [int(part) if index % 2 else part for index, part in enumerate(_DIGITS.split(step.path))]
    return step.event, step.submission_id, parts


def _beginning(ordered: Sequence[Step]) -> Step | None:
    """The step that makes the entity: a living one if there is any; a plain creation before one that may update.

    An update that waited too long for a creation makes it where nothing else does, if it says how it is called.
    """
    living = [step for step in ordered if step.create and step.state != WITHDRAWN]
    for creations in (living, [step for step in ordered if step.create]):
        plain = next((step for step in creations if not step.update), None)
        if plain is not None:
            return plain
        if creations:
            return min(creations, key=lambda step: step.base_version or 0)
    return next((step for step in ordered if step.state == FORCED and step.label), None)


@dataclass(slots=True)
class _Said:
    """What a step changed, whether it holds now or was withdrawn: a tablet with its version had it before its eyes."""

    version: int
    event: int
    branch_id: str | None
    changes: dict[str, Any]
    former: Sequence[tuple[int, dict[str, Any]]]  # what it changed before, each until an event
    holds: bool


@dataclass(frozen=True, slots=True)
class _Eyes:
    """What a tablet had before its eyes, properties and label. `or_else`, by property: what else that may have been,
    because a submission that it had built upon was corrected and nobody knows whether it knew."""

    seen: dict[str, Any]
    or_else: Mapping[str, Collection[Any]]

    def touched_by(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in said.items()
            if _differs(self.seen.get(name), value) and (value or "") not in self.or_else.get(name, ())
        }

    def after(self, step: Step) -> _Eyes:
        """The same when it had made this step too."""
        now = _said_by(step)
        seen = self.seen | now
        if not step.former and not self.or_else:
            return _Eyes(seen, {})
        sayings = [now, *map(_said_by, step.former)]
        or_else = {}
        for name in seen.keys() | {name for said in sayings for name in said}:
            before = {self.seen.get(name) or "", *self.or_else.get(name, ())}
            said_of_it = {said[name] or "" for said in sayings if name in said}
            passed_on = said_of_it & before or any(name not in said for said in sayings)
            or_else[name] = said_of_it | before if passed_on else said_of_it
        return _Eyes(seen, or_else)


class _Folding:
    def __init__(self, first: Step, version: int, ordered: Sequence[Step], remember: bool) -> None:
        self._first = first
        self._version = version
        self._label = first.label or ""
        self._data = dict(first.data)
        self._conflict: str | None = None
        self._said: list[_Said] = []
        self._known_of = -1
        self._versions: dict[int, int] = {}
        self._view = _whole(first)  # everything said so far, withdrawn or not
        self._highest = 0
        self._branches: dict[str, _Eyes] = {}
        self._reached: dict[str, dict[int, int]] = {}
        self._coming = {(step.branch_id, step.base_version) for step in ordered if step.branch_id is not None}
        self._waiting: dict[str, list[Step]] = {}
        self._twice: list[Step] = []
        self._history: list[Snapshot] | None = [] if remember else None
        self._withdrawn = first.state == WITHDRAWN
        if not self._withdrawn:
            self._count(first)
        self._reach(first, first.version or 0)
        former = [(one.until, _whole(one)) for one in first.former]
        self._begun = _Said(first.version or 0, first.event, first.branch_id, dict(self._view), former, holds=True)
        self._corrected = bool(former)
        if first.branch_id is not None:
            self._branches[first.branch_id] = _Eyes(dict(self._view), self._begun_with())
        self._remember(first, first.base_version, None, ())

    def take(self, step: Step) -> None:
        if not step.update:
            if step.state != WITHDRAWN:
                step.state = HELD
                self._twice.append(step)
            return
        if not self._ready(step):
            self._waiting.setdefault(step.branch_id or "", []).append(step)
            return
        self._apply(step)
        self._release(step.branch_id)

    def finish(self) -> Folded:
        for waiting in self._waiting.values():
            for step in waiting:
                if step.state not in (WITHDRAWN, FORCED):
                    step.state = HELD
        return Folded(
            begun=True,
            withdrawn=self._withdrawn,
            version=max([self._version, *(until for said in self._everything() for until, _ in self._ended(said))]),
            label=self._label,
            data=self._data,
            conflict=self._conflict,
            creator=self._first.actor_id,
            twice=self._twice,
            history=self._history or [],
        )

    def _ready(self, step: Step) -> bool:
        """Whether the step before it in its branch was taken; the first of a branch follows what the server had."""
        if step.branch_id is None or step.base_version is None:
            return True
        if step.base_version <= (step.trunk_version or 1):
            return True
        if step.base_version - 1 in self._reached.get(step.branch_id, {}):
            return True
        return step.state == FORCED and (step.branch_id, step.base_version - 1) not in self._coming

    def _release(self, branch_id: str | None) -> None:
        waiting = self._waiting.get(branch_id or "")
        while waiting:
            ready = next((step for step in waiting if self._ready(step)), None)
            if ready is None:
                return
            waiting.remove(ready)
            self._apply(ready)

    def _apply(self, step: Step) -> None:
        trunk = self._trunk(step)
        eyes = self._eyes_of(step, trunk)
        changes = eyes.touched_by(_said_by(step)) if eyes is not None else _said_by(step)
        former = [
            (one.until, eyes.touched_by(_said_by(one)) if eyes is not None else _said_by(one)) for one in step.former
        ]
        holds = step.state != WITHDRAWN
        conflict, conflicting = self._compare(step, trunk, changes) if holds and trunk is not None else (None, [])
        if holds:
            self._count(step)
            self._write(changes)
            if step.path == RESOLVES:
                self._conflict = None
            elif self._conflict != HARD:
                self._conflict = conflict or self._conflict
        said = _Said(step.version or trunk or 0, step.event, step.branch_id, changes, former, holds)
        self._said.append(said)
        self._corrected = self._corrected or bool(former)
        self._view |= changes
        self._highest = max(self._highest, said.version)
        if step.branch_id is not None:
            self._branches[step.branch_id] = (eyes or _Eyes(dict(self._view), {})).after(step)
        self._reach(step, step.version or trunk or 0)
        if holds:
            self._remember(step, trunk, conflict, conflicting)

    def _write(self, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            if name == _LABEL:
                self._label = value
            else:
                self._data[name] = value

    def _now(self, name: str) -> Any:
        return self._label if name == _LABEL else self._data.get(name)

    def _count(self, step: Step) -> None:
        if step.state != FORCED:
            step.state = APPLIED
        if step.version is None:
            if step.path != RESOLVES or _said_by(step):
                self._version += 1
            step.version = self._version

    def _reach(self, step: Step, version: int) -> None:
        if step.branch_id is not None:
            self._reached.setdefault(step.branch_id, {})[step.base_version or 0] = version

    def _trunk(self, step: Step) -> int | None:
        """The version of ours that the step was made upon. A branch counts on from its trunk in numbers of its own."""
        if step.branch_id is None or step.base_version is None:
            return step.base_version
        return step.trunk_version if step.trunk_version is not None else self._first.version

    def _eyes_of(self, step: Step, trunk: int | None) -> _Eyes | None:
        """What the tablet had before its eyes; None if nobody can say."""
        if step.branch_id is not None and step.branch_id in self._branches:
            return self._branches[step.branch_id]
        if trunk is None:
            return None
        made_offline = step.branch_id is not None and step.trunk_version is None
        return _Eyes(self._seen(trunk), self._begun_with() if made_offline else {})

    def _begun_with(self) -> dict[str, set[Any]]:
        """All that the first step ever said, by property, if it was corrected."""
        found: dict[str, set[Any]] = {}
        for changes in (self._begun.changes, *(changes for _, changes in self._begun.former)):
            for name, value in changes.items():
                found.setdefault(name, set()).add(value or "")
        return found if self._begun.former else {}

    def _seen(self, version: int) -> dict[str, Any]:
        """The entity at a version, with what was withdrawn or corrected since: it had not been when the tablet saw
        it."""
        if version >= self._highest and not self._corrected:
            return self._view
        found: dict[str, Any] = {}
        for said in self._everything():
            if said is self._begun or said.version <= version:
                found |= next((changes for until, changes in self._ended(said) if version < until), said.changes)
        return found

    def _everything(self) -> Iterator[_Said]:
        yield self._begun
        yield from self._said

    def _ended(self, said: _Said) -> Iterator[tuple[int, dict[str, Any]]]:
        """What a step changed before, with the first version in which it did not any more. Of versions themselves it
        is only known which step brought them: a correction brought the next one after those steps that had come."""
        brought = self._brought() if said.former else {}
        for event, changes in said.former:
            yield brought[event], changes

    def _brought(self) -> dict[int, int]:
        """By its event, the version that each correction brought: every one its own."""
        if self._known_of != len(self._said):
            self._known_of, self._versions, until = len(self._said), {}, 0
            came = sorted((one.event, one.version) for one in self._everything())
            place = 0
            for event in sorted({event for said in self._everything() for event, _ in said.former}):
                while place < len(came) and came[place][0] < event:
                    until = max(until, came[place][1])
                    place += 1
                until += 1
                self._versions[event] = until
        return self._versions

    def _compare(self, step: Step, trunk: int, changes: dict[str, Any]) -> tuple[str | None, list[str]]:
        """Soft when others have changed the entity since, hard when they changed the same to something else."""
        if trunk >= self._highest:
            return None, []
        since = [
            said
            for said in self._said
            if said.holds and said.version > trunk and (step.branch_id is None or said.branch_id != step.branch_id)
        ]
        touched = {name for said in since for name in said.changes}
        conflicting = sorted(name for name in touched & changes.keys() if self._now(name) != changes[name])
        if conflicting:
            return HARD, conflicting
        return (SOFT if since else None), []

    def _remember(self, step: Step, trunk: int | None, conflict: str | None, conflicting: Sequence[str]) -> None:
        if self._history is not None:
            base = self._reached.get(step.branch_id or "", {}).get((step.base_version or 0) - 1, trunk)
            self._history.append(
                Snapshot(step, step.version or 0, self._label, dict(self._data), base, conflict, list(conflicting))
            )


def _said_by(one: Step | Former) -> dict[str, Any]:
    return {**one.data, _LABEL: one.label} if one.label else dict(one.data)


def _whole(one: Step | Former) -> dict[str, Any]:
    return {**one.data, _LABEL: one.label or ""}


def changed_by(step: Step, data: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that a step changes when it was made upon this; all that it says where that is not known."""
    if step.base_version is None:
        return step.data
    return {name: value for name, value in step.data.items() if _differs(data.get(name), value)}


def _differs(one: Any, other: Any) -> bool:
    return (one or "") != (other or "")  # what was never said is blank
