"""A filled form as the fields of a page have it, and the answers that come of what was typed into them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from forms.form import Field
from forms.xforms.answers import answers_of
from forms.xforms.instance import Instance
from forms.xforms.model import Form

SEVERAL = frozenset({"select", "rank"})
_TIME = re.compile(r"(.*T)?(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the fields. An address is a path in which each iteration has a number: `/data/people[2]/age`.

    `values` are texts by address, `turns` the numbers of the iterations of each repeat, in order. A number stays with
    its iteration while others come and go: the iterations of the answers that are edited count from 1, new ones after.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    turns: Mapping[str, Sequence[int]] = field(default_factory=dict)


def is_typed(asked: Field) -> bool:
    """Whether people answer it on a page: not what is worked out, shown only, known of the device, or a file."""
    return not (asked.calculated or asked.metadata or asked.readonly or asked.type == "binary")


def texts_of(form: Form, instance: Instance) -> dict[str, Any]:
    """The answers as `answers_of` has them, but each as the text that stands in the instance: nothing of what is not
    edited is written in another way."""
    answers = _texts(form, form.root, instance.root, "/data")
    meta = answers_of(form, instance).get("meta")
    return {**answers, "meta": meta} if meta else answers


def typed_of(form: Form, answers: Mapping[str, Any]) -> Typed:
    """What a page shows of the answers (from `texts_of`) before anybody has typed."""
    values: dict[str, str] = {}
    turns: dict[str, Sequence[int]] = {}
    _gather(form, form.root, "/data", "/data", answers, values, turns)
    return Typed(values, turns)


def answers_with(form: Form, answers: Mapping[str, Any], typed: Typed) -> dict[str, Any]:
    """The answers with what is not in its field as it was; all else stays as it is."""
    edited = _Edited(form, typed, typed_of(form, answers))
    return edited.inside(form.root, "/data", "/data", answers)


def is_same(form: Form, typed: Typed, before: Typed) -> bool:
    """Whether nothing was typed that makes a difference."""
    if any(list(turns) != list(before.turns.get(at, ())) for at, turns in typed.turns.items()):
        return False
    return all(
        _alike(form.fields.get(path_of(at)), value, before.values.get(at, "")) for at, value in typed.values.items()
    )


def only_own(form: Form, typed: Typed, before: Typed) -> Typed:
    """What somebody has typed beyond what stood in the fields, to be put onto other answers."""
    return Typed(
        {
            at: value
            for at, value in typed.values.items()
            if not _alike(form.fields.get(path_of(at)), value, before.values.get(at, ""))
        },
        {at: turns for at, turns in typed.turns.items() if list(turns) != list(before.turns.get(at, ()))},
    )


def path_of(address: str) -> str:
    """The path without the iterations' numbers."""
    return re.sub(r"\[\d+\]", "", address)


def field_text(asked: Field, text: str) -> str:
    """The text as its field shows it: a time without its zone, which stays as it was."""
    found = _TIME.fullmatch(text) if asked.type in ("time", "dateTime") else None
    return (found[1] or "") + found[2] if found else text


def names_below(template: etree._Element) -> dict[str, etree._Element]:
    """The children of an element of the form by name, in its order; `meta` is nobody's to type."""
    return {str(child.tag): child for child in template if child.tag != "meta"}


def _texts(form: Form, template: etree._Element, element: etree._Element, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, below in names_below(template).items():
        at = f"{path}/{name}"
        there = [child for child in element.iterchildren(name) if "template" not in child.attrib]
        if at in form.repeats:
            if there:
                found[name] = [_texts(form, below, child, at) for child in there]
        elif there and (at in form.fields or not len(below)):
            found[name] = there[0].text
        elif there:
            found[name] = _texts(form, below, there[0], at)
    return found


def _gather(
    form: Form,
    template: etree._Element,
    path: str,
    address: str,
    given: Mapping[str, Any],
    values: dict[str, str],
    turns: dict[str, Sequence[int]],
) -> None:
    for name, below in names_below(template).items():
        at, here = f"{path}/{name}", f"{address}/{name}"
        if at in form.repeats:
            rows = given.get(name) or []
            turns[here] = list(range(1, len(rows) + 1))
            for number, row in enumerate(rows, 1):
                _gather(form, below, at, f"{here}[{number}]", row, values, turns)
        elif (asked := form.fields.get(at)) is not None:
            if name in given and is_typed(asked):
                values[here] = field_text(asked, given[name] or "")
        elif len(below):
            _gather(form, below, at, here, given.get(name) or {}, values, turns)


@dataclass(frozen=True, slots=True)
class _Edited:
    form: Form
    typed: Typed
    before: Typed

    def inside(self, template: etree._Element, path: str, address: str, given: Mapping[str, Any]) -> dict[str, Any]:
        made = {name: value for name, value in given.items() if name == "meta" or name not in names_below(template)}
        for name, below in names_below(template).items():
            at, here = f"{path}/{name}", f"{address}/{name}"
            if at in self.form.repeats:
                rows = given.get(name) or []
                numbers = self.typed.turns.get(here, range(1, len(rows) + 1))
                turns = [
                    self.inside(below, at, f"{here}[{number}]", rows[number - 1] if number <= len(rows) else {})
                    for number in numbers
                ]
                if turns or name in given:
                    made[name] = turns
            elif (asked := self.form.fields.get(at)) is not None:
                self.leaf(asked, name, here, given, made)
            elif len(below):
                inner = self.inside(below, at, here, given.get(name) or {})
                if inner or name in given:
                    made[name] = inner
            elif name in given:
                made[name] = given[name]
        return made

    def leaf(self, asked: Field, name: str, here: str, given: Mapping[str, Any], made: dict[str, Any]) -> None:
        typed, before = self.typed.values.get(here), self.before.values.get(here)
        if typed is None or not is_typed(asked) or (before is not None and _alike(asked, typed, before)):
            if name in given:
                made[name] = given[name]
        else:
            made[name] = _with_zone(asked, typed, given.get(name) or "") or None


def _alike(asked: Field | None, typed: str, before: str) -> bool:
    """Browsers write line ends their own way, and name what was ticked in the order of the list."""
    if asked is not None and asked.type == "select":
        return set(typed.split()) == set(before.split())
    return "\n".join(typed.splitlines()).strip() == "\n".join(before.splitlines()).strip()


def _with_zone(asked: Field, typed: str, before: str) -> str:
    """A new time of day is in the zone of the one that it stands for."""
    if asked.type not in ("time", "dateTime"):
        return typed
    new, old = _TIME.fullmatch(typed), _TIME.fullmatch(before)
    if new is None or new[3] or old is None or not old[3]:
        return typed
    return f"{new[1] or ''}{new[2]}:00.000{old[3]}"
