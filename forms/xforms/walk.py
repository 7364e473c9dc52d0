"""One walk along a filled form, in which everything is picked up that answers, rules, entities and indicators read."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

from lxml import etree

from forms.form import Field, Flag
from forms.xforms.instance import Instance
from forms.xforms.types import TYPES
from forms.xforms.xform import Bind, Form, Itemset
from forms.xpath.expressions import Expression
from forms.xpath.numbers import LARGEST

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+(?:E(?:-?[0-9]|1[0-5]))?")  # Java writes 10,000,000 as 1.0E7
_WRITTEN = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?\s*", re.ASCII)
_LONGEST_NUMBER = 40
_ELEMENTS = "There are elements in this answer; only a text before them counts."
# What servers and clients add to an instance of their own accord.
_ENVELOPE = frozenset({"meta", "formhub"})
# Said beside the answers in our wire, and worked out again from them.
_NOT_ANSWERS = frozenset({"/data/meta/instanceID", "/data/meta/deprecatedID", "/data/meta/instanceName"})
_OF_ENTITIES = ("id", "create", "update", "baseVersion", "trunkVersion", "branchId")


@dataclass(slots=True)
class Plan:
    """What to pick up at one element of the form, worked out once for each form."""

    name: str
    path: str
    repeat: bool = False
    within_meta: bool = False
    required: Expression | None = None
    relevant: Expression | None = None
    constraint: Expression | None = None
    calculate: Expression | None = None
    bind: Bind | None = None
    question: Field | None = None
    itemset: Itemset | None = None
    among: Container[str] = ()  # what may be chosen, as far as it is the same for everybody
    fits: tuple[Callable[[str], bool], str] | None = None
    children: dict[str, Plan] = field(default_factory=dict)
    inner: str = ""  # the path from the iteration or the record around it
    leaf: bool = True  # whether it is no group, repeat or entity
    rules: bool = False  # whether there is anything to check in a leaf
    wanted: bool = False  # whether a missing element must be put in because something in it may be required
    wanted_below: tuple[Plan, ...] = ()
    entity: bool = False
    answer: bool = False  # whether it has a place among the answers
    convert: Callable[[str], Any] | None = None  # from its text to JSON, if that is not the text itself
    identity: str | None = None  # of a question that tells visits from each other
    number: bool = False  # whether what tells visits from each other is a number, however it is written
    file: int | None = None  # of a question for a file: its place among them


@dataclass(slots=True)
class Scope:
    """The record, or one iteration of a repeat, as far as it is not in a repeat further in.

    `texts` has the text of each leaf by its path without positions, `entities` the `<entity>` elements; of several with
    one path the first. `place` is the path with positions, `position` the positions alone.
    """

    element: etree._Element
    path: str
    place: str
    position: str
    outer: Scope | None
    texts: dict[str, str] = field(default_factory=dict)
    entities: dict[str, etree._Element] = field(default_factory=dict)
    repeats: dict[str, list[Scope]] = field(default_factory=dict)  # iterations by path, in document order
    # By the path from here to a group the first element of each name in it, as soon as one of them is asked for.
    first_in: dict[str, dict[str, etree._Element]] = field(default_factory=dict)

    def place_of(self, plan: Plan) -> str:
        """The path with positions of an element in it, or of itself."""
        return self.place if plan.path == self.path else self.place + plan.inner

    def element_of(self, plan: Plan) -> etree._Element:
        """A question of a plain record, where it was answered: the first of its path. KeyError if it was not."""
        above = plan.inner[: -len(plan.name) - 1]
        if above not in self.first_in:
            parent = self.element.find(above[1:]) if above else self.element
            below = parent.iterchildren(reversed=True) if parent is not None else ()
            self.first_in[above] = {str(child.tag): child for child in below}
        return self.first_in[above][plan.name]


@dataclass(slots=True)
class Look:
    """Something to check. What is `inside` a group or an iteration is only looked at while that is relevant."""

    plan: Plan
    element: etree._Element
    scope: Scope
    text: str = ""
    inside: list[Looked] | None = None


@dataclass(slots=True)
class Missing:
    """A question or group that was left out though something in it may be required."""

    plan: Plan
    element: etree._Element  # that it belongs into
    scope: Scope
    looks: list[Look] = field(default_factory=list)


# A question of a plain record that is there: what a `Look` has but for its element, which can be found again.
Answer: TypeAlias = tuple[Plan, Scope, str]
Looked: TypeAlias = Answer | Look | Missing | Flag


@dataclass(slots=True)
class Walk:
    """What was found on the walk. `looks` are in document order, what was left out after what is there; the elements
    of the latter have to be put in before rules are worked out, and taken out again. Only where the record is not
    plain they keep the elements of all questions: to keep thousands of them costs as much as to find them."""

    form: Form
    root: Scope
    answers: dict[str, Any]
    scopes: dict[str, list[Scope]]  # all iterations of a repeat, by its path
    telling: list[tuple[str, str, str]]  # identity, position and text of the answers that tell visits from each other
    looks: list[Looked]
    missing: list[Missing]
    files: list[tuple[int, str]]
    plain: bool = True  # whether each group was there once and no question held elements


def walk_of(form: Form, instance: Instance) -> Walk:
    """The walk along this form; an instance remembers the last one."""
    walk = instance.derived.get("walk")
    if not isinstance(walk, Walk) or walk.form is not form:
        walk = _Walker(form, instance.root, keep=False).walk
        if not walk.plain:
            walk = _Walker(form, instance.root, keep=True).walk
        instance.derived["walk"] = walk
    return walk


def plan_of(form: Form) -> Plan:
    """The plan of the form's root."""
    plan = form.derived.get("plan")
    if not isinstance(plan, Plan):
        entities = frozenset(entity.path for entity in form.entities)
        files = [path for path, asked in form.fields.items() if asked.type == "binary"]
        plan = form.derived["plan"] = _planned(form, form.root, "/data", "/data", entities, files, within_meta=False)
    return plan


def _planned(
    form: Form,
    element: etree._Element,
    path: str,
    around: str,
    entities: frozenset[str],
    files: list[str],
    *,
    within_meta: bool,
) -> Plan:
    bind, question = form.binds.get(path), form.fields.get(path)
    plan = Plan(
        name=str(element.tag),
        path=path,
        repeat=path in form.shape.repeats,
        within_meta=within_meta,
        bind=bind,
        question=question,
        itemset=form.itemsets.get(path),
        fits=TYPES.get(question.type) if question else None,
        inner=path[len(around) :],
        entity=path in entities,
    )
    if bind is not None:
        plan.required, plan.relevant, plan.constraint = bind.required, bind.relevant, bind.constraint
        given = bind.asked and not bind.readonly  # what was calculated is a proposal
        plan.calculate = bind.calculate if bind.calculate and not (given or bind.calculate.volatile) else None
    if question is not None:
        plan.answer = path not in _NOT_ANSWERS
        plan.convert = _CONVERSIONS.get(question.type)
        plan.identity = None if question.metadata or question.calculated else question.identity
        plan.number = question.type in ("int", "decimal")
        plan.file = files.index(path) if question.type == "binary" else None
        if plan.itemset and question.type == "select1" and not plan.itemset.external and plan.itemset.chosen is None:
            plan.among = form.choices.get(plan.itemset.list_name or "", ())
    for child in element:
        below = _planned(
            form,
            child,
            f"{path}/{child.tag}",
            path if plan.repeat else around,
            entities,
            files,
            within_meta=within_meta or child.tag == "meta",
        )
        plan.children[below.name] = below
    plan.wanted_below = tuple([below for below in plan.children.values() if below.wanted and not below.repeat])
    plan.wanted = plan.required is not None or bool(plan.wanted_below)
    plan.leaf = not (plan.children or plan.repeat or plan.entity)
    plan.rules = any((plan.required, plan.relevant, plan.constraint, plan.calculate, plan.itemset, plan.fits))
    return plan


class _Walker:
    def __init__(self, form: Form, root: etree._Element, *, keep: bool) -> None:
        self.keep = keep
        self.walk = Walk(form, Scope(root, "/data", "/data", "", None), {}, {}, [], [], [], [])
        self.looks = self.walk.looks  # where what is to be checked goes just now
        self.inside(root, plan_of(form), self.walk.root, self.walk.answers)

    def inside(self, element: etree._Element, plan: Plan, scope: Scope, found: dict[str, Any]) -> None:
        """Everything in a group, in an iteration or in the whole; `found` takes the answers in it."""
        texts, looks, plans, keep = scope.texts, self.looks, plan.children, self.keep
        above: dict[str, int] = {}  # groups and iterations so far
        for child in element:
            tag = child.tag
            below = plans.get(tag)
            if below is None:
                self.unknown(child, plan, scope)
            elif not below.leaf:
                above[tag] = count = above.get(tag, 0) + 1
                if below.repeat:
                    self.iteration(child, below, scope, found, count)
                elif count == 1:
                    self.group(child, below, scope, found)
                else:
                    self.group_again(child, below, scope, found)
            elif below.path in texts:
                self.leaf_again(child, below, scope, found)
            else:
                text = texts[below.path] = child.text or ""
                elements = len(child)
                if elements:
                    self.walk.plain = False
                if elements and answered(child):
                    looks.append(Flag("type", scope.place_of(below), _ELEMENTS))
                elif below.rules:
                    looks.append(Look(below, child, scope, text) if keep else (below, scope, text))
                if not text or text.isspace():
                    if below.answer:
                        found[tag] = None
                    continue
                if below.answer:
                    found[tag] = below.convert(text) if below.convert else text
                if below.identity is not None or below.file is not None:
                    self.told(below, scope, text)
        for below in plan.wanted_below:
            if below.name not in above and below.path not in texts:
                missing = Missing(below, element, scope)
                looks.append(missing)
                self.walk.missing.append(missing)

    def group(self, element: etree._Element, plan: Plan, scope: Scope, found: dict[str, Any]) -> None:
        inner: dict[str, Any] = {}
        self.guarded(element, plan, scope, inner)
        if plan.entity:
            scope.entities.setdefault(plan.path, element)
            found[plan.name] = _entity(element)
        elif inner and plan.name not in found:
            found[plan.name] = inner

    def iteration(self, element: etree._Element, plan: Plan, outer: Scope, found: dict[str, Any], number: int) -> None:
        place, position = f"{outer.place}{plan.inner}[{number}]", f"{outer.position}.{number}"
        scope = Scope(element, plan.path, place, position, outer)
        outer.repeats.setdefault(plan.path, []).append(scope)
        self.walk.scopes.setdefault(plan.path, []).append(scope)
        inner: dict[str, Any] = {}
        found.setdefault(plan.name, []).append(inner)
        self.guarded(element, plan, scope, inner)

    def guarded(self, element: etree._Element, plan: Plan, scope: Scope, found: dict[str, Any]) -> None:
        """What is inside is checked only while the part is relevant."""
        if plan.relevant is None:
            self.inside(element, plan, scope, found)
            return
        outside, inside = self.looks, list[Looked]()
        outside.append(Look(plan, element, scope, inside=inside))
        self.looks = inside
        self.inside(element, plan, scope, found)
        self.looks = outside

    def group_again(self, element: etree._Element, plan: Plan, scope: Scope, found: dict[str, Any]) -> None:
        """A second group of a name says something only where the first was silent, and its rules are not looked at."""
        self.twice(element, plan, scope)
        self.walk.plain = False
        looks, missing = self.looks, self.walk.missing
        self.looks, self.walk.missing = [], []
        self.group(element, plan, scope, found)
        self.looks, self.walk.missing = looks, missing

    def leaf_again(self, element: etree._Element, plan: Plan, scope: Scope, found: dict[str, Any]) -> None:
        self.twice(element, plan, scope)
        text = element.text or ""
        blank = not text or text.isspace()
        if plan.answer and plan.name not in found:
            found[plan.name] = None if blank else plan.convert(text) if plan.convert else text
        if not blank:
            self.told(plan, scope, text)

    def told(self, plan: Plan, scope: Scope, text: str) -> None:
        if plan.identity is not None:
            self.walk.telling.append((plan.identity, scope.position, same_number(text) if plan.number else text))
        if plan.file is not None:
            self.walk.files.append((plan.file, text.strip()))

    def twice(self, element: etree._Element, plan: Plan, scope: Scope) -> None:
        if answered(element):
            self.looks.append(Flag("type", scope.place_of(plan), "This question was answered twice in one record."))

    def unknown(self, element: etree._Element, plan: Plan, scope: Scope) -> None:
        name = str(element.tag)
        if plan.within_meta or (plan.path == "/data" and name in _ENVELOPE) or not answered(element):
            return
        message = f"The form has no question ‘{shortly(name)}’ here, but it was answered."
        self.looks.append(Flag("type", f"{scope.place_of(plan)}/{name}", message))


def answered(element: etree._Element) -> bool:
    """Whether there is any text in it."""
    return any(text.strip() for text in element.itertext())


def shortly(text: str) -> str:
    """A text as a message quotes it."""
    plain = " ".join(text.split())
    return plain if len(plain) <= 60 else plain[:59] + "…"


def _entity(element: etree._Element) -> dict[str, str]:
    """The entity's attributes that say something, and its label."""
    said = {str(name): str(value) for name, value in element.items()}
    found = {name: said[name] for name in _OF_ENTITIES if said.get(name)}
    label = next((label.text for label in element.iterchildren("label")), None)
    return {**found, "label": label} if label else found


def _number(text: str) -> int | float | str:
    """A JSON number where that says exactly the same, else the text."""
    if len(text) < 16 and text.isascii() and text.isdecimal():
        return int(text)
    if _INTEGER.fullmatch(text):
        whole = int(text)
        return whole if abs(whole) <= LARGEST else text
    if _DECIMAL.fullmatch(text):
        number = float(text)
        if repr(number) == text or Decimal(repr(number)) == Decimal(text):
            return number
    return text


def same_number(text: str) -> str:
    """One text for all ways to write a number (`7.37`, `+7.370`); what is none stays as it is."""
    if text.isdecimal() and text[0] != "0" and text.isascii():
        return text
    if len(text) > _LONGEST_NUMBER or not _WRITTEN.fullmatch(text):
        return text
    plain = format(Decimal(text.strip()), "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain == "-0" else plain


def _boolean(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


def _point(text: str) -> list[int | float] | str:
    numbers = [_number(part) for part in text.split()]
    if 2 <= len(numbers) <= 4 and not any(isinstance(number, str) for number in numbers):
        return [number for number in numbers if not isinstance(number, str)]
    return text


_CONVERSIONS: Mapping[str, Callable[[str], Any]] = {
    "int": _number,
    "decimal": _number,
    "boolean": _boolean,
    "select": str.split,
    "rank": str.split,
    "geopoint": _point,
}
