"""What a row of a registry is, given everything that submissions wanted of it. Pure: no database.

After the ODK Entities specification 2022.1 to 2025.1: creations, updates, and the offline branches that tablets run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

APPLIED, HELD, WITHDRAWN = "applied", "held", "withdrawn"
SOFT, HARD = "soft", "hard"
_LABEL = "label"  # reserved by the specification: no property has this name
_DIGITS = re.compile(r"(\d+)")


@dataclass(slots=True)
class Step:
    """A row of `entity_steps`. `version` is the one that the entity had when the step was first applied; it stays."""

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
    state: str
    version: int | None


@dataclass(slots=True)
class Folded:
    """The entity after its steps. `begun` is false when none of them creates it; `version` has risen with each step
    that was applied for the first time; `twice` are the creations that came too late."""

    begun: bool
    withdrawn: bool
    version: int
    label: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    conflict: str | None = None
    twice: list[Step] = field(default_factory=list)


def fold(steps: Sequence[Step], version: int) -> Folded:
    """Apply the steps of one entity in the order of their submissions, whatever the order in which they are given.

    States and versions are set on the steps themselves. A withdrawn step changes nothing, but what follows it in its
    branch need not wait for it. `version` is the entity's so far, 0 for a new one.
    """
    ordered = sorted(steps, key=_place) if len(steps) > 1 else list(steps)
    first = _beginning(ordered)
    if first is None:
        for step in ordered:
            if step.state != WITHDRAWN:
                step.state = HELD
        return Folded(begun=False, withdrawn=True, version=version)
    folding = _Folding(first, version)
    for step in ordered:
        if step is not first:
            folding.take(step)
    return folding.finish()


def _place(step: Step) -> tuple[int, int, list[Any]]:
    # `/data/person[10]` comes after `/data/person[9]`.
    parts = [int(part) if index % 2 else part for index, part in enumerate(_DIGITS.split(step.path))]
    return step.event, step.submission_id, parts


def _beginning(ordered: Sequence[Step]) -> Step | None:
    """The step that makes the entity: a living one if there is any; a plain creation before one that may update."""
    living = [step for step in ordered if step.create and step.state != WITHDRAWN]
    for creations in (living, [step for step in ordered if step.create]):
        plain = next((step for step in creations if not step.update), None)
        if plain is not None:
            return plain
        if creations:
            return min(creations, key=lambda step: step.base_version or 0)
    return None


class _Folding:
    def __init__(self, first: Step, version: int) -> None:
        self._first = first
        self._version = version
        self._label = first.label or ""
        self._data = dict(first.data)
        self._conflict: str | None = None
        self._touched: list[tuple[int, set[str]]] = []
        self._reached: dict[str, dict[int, int]] = {}
        self._waiting: dict[str, list[Step]] = {}
        self._twice: list[Step] = []
        self._withdrawn = first.state == WITHDRAWN
        if not self._withdrawn:
            self._count(first)
        self._reach(first, first.version or 0)

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
                if step.state != WITHDRAWN:
                    step.state = HELD
        return Folded(
            begun=True,
            withdrawn=self._withdrawn,
            version=self._version,
            label=self._label,
            data=self._data,
            conflict=self._conflict,
            twice=self._twice,
        )

    def _ready(self, step: Step) -> bool:
        """Whether the step before it in its branch was taken; the first of a branch follows what the server had."""
        if step.branch_id is None or step.base_version is None:
            return True
        if step.base_version <= (step.trunk_version or 1):
            return True
        return step.base_version - 1 in self._reached.get(step.branch_id, {})

    def _release(self, branch_id: str | None) -> None:
        waiting = self._waiting.get(branch_id or "")
        while waiting:
            ready = next((step for step in waiting if self._ready(step)), None)
            if ready is None:
                return
            waiting.remove(ready)
            self._apply(ready)

    def _apply(self, step: Step) -> None:
        base = self._base(step)
        if step.state != WITHDRAWN:
            touched = self._changed_by(step)
            self._count(step)
            self._compare(base, touched)
            self._touched.append((step.version or 0, touched))
            self._write(step)
        self._reach(step, step.version or base or 0)

    def _write(self, step: Step) -> None:
        self._data |= step.data
        if step.label:
            self._label = step.label

    def _count(self, step: Step) -> None:
        step.state = APPLIED
        if step.version is None:
            self._version += 1
            step.version = self._version

    def _reach(self, step: Step, version: int) -> None:
        if step.branch_id is not None:
            self._reached.setdefault(step.branch_id, {})[step.base_version or 0] = version

    def _base(self, step: Step) -> int | None:
        """The version of ours that the step was made upon. A branch counts on from its trunk in numbers of its own."""
        if step.branch_id is None or step.base_version is None:
            return step.base_version
        if step.base_version > (step.trunk_version or 1):
            return self._reached[step.branch_id][step.base_version - 1]
        return step.base_version if step.trunk_version is not None else self._first.version

    def _changed_by(self, step: Step) -> set[str]:
        changed = {name for name, value in step.data.items() if self._data.get(name) != value}
        if step.label and step.label != self._label:
            changed.add(_LABEL)
        return changed

    def _compare(self, base: int | None, touched: set[str]) -> None:
        """Soft when the step was not made upon the latest version, hard when what it changes had been changed since."""
        if base is None or self._conflict == HARD:
            return
        for version, others in self._touched:
            if version > base:
                self._conflict = SOFT
                if not touched.isdisjoint(others):
                    self._conflict = HARD
                    return
