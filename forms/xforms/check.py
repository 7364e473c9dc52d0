"""A submission checked again on arrival against the form version that it names."""

from __future__ import annotations

import copy
import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from lxml import etree

from forms.form import Field, Flag, Lists
from forms.xforms.instance import Instance
from forms.xforms.types import TYPES
from forms.xforms.xform import Bind, Form, Itemset
from forms.xpath.dates import read_moment
from forms.xpath.expressions import Context, Expression, Unevaluable
from forms.xpath.numbers import read_number

_UUID = re.compile(r"(uuid:)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# How many elements rules that look over a whole repeat may look at in one record. Only a record made to be slow comes
# near: 300 iterations of a repeat that each look at 10,000 elements.
_MOST_WORK = 3_000_000
# What servers and clients add to an instance of their own accord.
_ENVELOPE = frozenset({"meta", "formhub"})


def check(form: Form, instance: Instance, lists: Lists, now: dt.datetime, tz: dt.tzinfo) -> list[Flag]:
    """Every breach, in document order; what was left out comes after what is there. Never raises on a strange instance:
    a rule that cannot be worked out is a flag too.

    `now` is what today() and now() mean in rules: the time at which the record was made, if that is known. Values that
    hang on the clock, on chance, on the device or on an entity list are not worked out again. Of an encrypted instance
    nothing can be checked.
    """
    if instance.encrypted:
        return []
    root = copy.deepcopy(instance.root)
    return _Checker(form, Context(root, root, lists, form, now, tz)).flags_of(root)


@dataclass(slots=True)
class _Plan:
    """What to look at in one element of the form, worked out once."""

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
    fits: tuple[Callable[[str], bool], str] | None = None
    children: dict[str, _Plan] = field(default_factory=dict)
    rules_below: bool = False  # whether a missing element must be put in because something in it may be required


def _plan_of(form: Form) -> _Plan:
    plan = form.derived.get("check")
    if not isinstance(plan, _Plan):
        plan = form.derived["check"] = _planned(form, form.root, "/data", within_meta=False)
    return plan


def _planned(form: Form, element: etree._Element, path: str, *, within_meta: bool) -> _Plan:
    bind, question = form.binds.get(path), form.fields.get(path)
    plan = _Plan(
        name=str(element.tag),
        path=path,
        repeat=path in form.shape.repeats,
        within_meta=within_meta,
        bind=bind,
        question=question,
        itemset=form.itemsets.get(path),
        fits=TYPES.get(question.type) if question else None,
    )
    if bind is not None:
        plan.required, plan.relevant, plan.constraint = bind.required, bind.relevant, bind.constraint
        plan.calculate = bind.calculate if bind.calculate and not bind.calculate.volatile else None
    for child in element:
        below = _planned(form, child, f"{path}/{child.tag}", within_meta=within_meta or child.tag == "meta")
        plan.children[below.name] = below
    plan.rules_below = plan.required is not None or any(
        child.rules_below for child in plan.children.values() if not child.repeat
    )
    return plan


class _Checker:
    def __init__(self, form: Form, context: Context) -> None:
        self.form = form
        self.context = context
        self.flags: list[Flag] = []
        self.size = 0  # elements in the record
        self.work = 0

    def flags_of(self, root: etree._Element) -> list[Flag]:
        plan = _plan_of(self.form)
        self.complete(root, plan)
        if self.form.repeats:
            self.size = sum(1 for _ in root.iter())
        self.inside(root, plan, "/data")
        return self.flags

    def complete(self, element: etree._Element, plan: _Plan) -> None:
        """Puts in what a client left out because it was irrelevant, so that rules about it can be worked out."""
        present = set()
        for child in element:
            below = plan.children.get(child.tag)
            if below is None:
                continue
            present.add(child.tag)
            if below.children:
                self.complete(child, below)
        if len(present) == len(plan.children):
            return
        for name, below in plan.children.items():
            if name not in present and below.rules_below and not below.repeat:
                self.complete(etree.SubElement(element, name), below)

    def inside(self, element: etree._Element, plan: _Plan, place: str) -> None:
        seen: dict[str, int] = {}
        for child in element:
            name = child.tag
            below = plan.children.get(name)
            if below is None:
                self.unknown(child, plan, f"{place}/{name}")
                continue
            count = seen[name] = seen.get(name, 0) + 1
            if below.repeat:
                self.node(child, below, f"{place}/{name}[{count}]")
            elif count == 1:
                self.node(child, below, f"{place}/{name}")
            elif _answered(child):
                self.flag("type", f"{place}/{name}", "This question was answered twice in one record.")

    def node(self, element: etree._Element, plan: _Plan, place: str) -> None:
        self.context.node = element
        if plan.relevant is not None and not self.holds(plan.relevant, "relevant", place, otherwise=True):
            if _answered(element):
                self.flag("relevant", place, "There is an answer here, although it should not have been asked.")
            return
        if plan.children:
            self.inside(element, plan, place)
            return
        if plan.question is None and plan.bind is None:
            return
        text = element.text or "" if len(element) == 0 else "".join(map(str, element.itertext()))
        if text.strip() == "":
            self.blank(plan, place)
        else:
            self.answer(plan, place, text)
        if plan.calculate is not None:
            self.calculation(plan, plan.calculate, place, text)

    def blank(self, plan: _Plan, place: str) -> None:
        if plan.required is not None and self.holds(plan.required, "required", place, otherwise=False):
            self.flag("required", place, self.message(plan, "required") or "An answer is required here.")

    def answer(self, plan: _Plan, place: str, text: str) -> None:
        if plan.fits is not None and not plan.fits[0](text.strip()):
            self.flag("type", place, f"‘{_short(text)}’ is not {plan.fits[1]}.")
            return
        if plan.itemset is not None and plan.question is not None:
            self.choices(plan.itemset, plan.question, place, text)
        if plan.constraint is not None and not self.holds(plan.constraint, "constraint", place, otherwise=True):
            said = self.message(plan, "constraint")
            self.flag("constraint", place, said or f"‘{_short(text)}’ breaks the rule of this question.")

    def choices(self, itemset: Itemset, question: Field, place: str, text: str) -> None:
        values = [text] if question.type == "select1" else text.split()
        try:
            wrong = [value for value in values if not self.is_choice(itemset, question, value)]
        except Unevaluable as reason:
            self.flag("choice", place, f"The choices could not be looked up: {reason}.")
            return
        if wrong:
            named = ", ".join(f"‘{_short(value)}’" for value in wrong[:5])
            self.flag("choice", place, f"{named} is not among the choices." if len(wrong) == 1 else f"{named} are not.")

    def is_choice(self, itemset: Itemset, question: Field, value: str) -> bool:
        if not itemset.external:
            return self.is_choice_inside(itemset, value)
        name = itemset.list_name or ""
        known = self.context.lists.find(name, itemset.value, value)
        if known and itemset.chosen is None:
            return True
        if known and itemset.chosen is not None:
            return itemset.chosen.boolean(self.context, chosen=value)
        if self.context.lists.is_entities(name):
            # Another tablet may still hold the record that registers it.
            return _UUID.fullmatch(value) is not None
        if self.context.lists.whole(name) is None:
            raise Unevaluable(f"the list ‘{name}’ is not here")
        return False

    def is_choice_inside(self, itemset: Itemset, value: str) -> bool:
        if itemset.chosen is not None:
            return itemset.chosen.boolean(self.context, chosen=value)
        return value in self.form.choices.get(itemset.list_name or "", {})

    def calculation(self, plan: _Plan, calculate: Expression, place: str, sent: str) -> None:
        lists = self.context.lists
        if any(map(lists.is_entities, calculate.lists)):
            return  # the tablet may have had an older or a newer one
        try:
            self.afford(calculate)
            expected = calculate.answer(self.context, plan.bind.type if plan.bind else "string")
            if _same(sent, expected, self.context.tz) or (calculate.spoken and self.said(calculate, sent)):
                return
            for name in calculate.lists:
                if lists.whole(name) is None:
                    raise Unevaluable(f"the list ‘{name}’ is not here")
        except Unevaluable as reason:
            self.flag("calculation", place, f"The calculation could not be worked out again: {reason}.")
            return
        shown = f"‘{_short(expected)}’" if expected else "a blank"
        self.flag("calculation", place, f"The calculation gives {shown}, but ‘{_short(sent)}’ was sent.")

    def said(self, calculate: Expression, sent: str) -> bool:
        """Whether it is what a tablet set to another language would have calculated."""
        for language in self.form.languages:
            there = replace(self.context, language=language)
            if _same(sent, calculate.answer(there), there.tz):
                return True
        return False

    def unknown(self, element: etree._Element, plan: _Plan, place: str) -> None:
        if plan.within_meta or (plan.path == "/data" and element.tag in _ENVELOPE):
            return
        if _answered(element):
            self.flag(
                "type", place, f"The form has no question ‘{_short(str(element.tag))}’ here, but it was answered."
            )

    def holds(self, rule: Expression, code: str, place: str, *, otherwise: bool) -> bool:
        try:
            self.afford(rule)
            return rule.boolean(self.context)
        except Unevaluable as reason:
            self.flag(code, place, f"The rule ‘{_short(rule.text)}’ could not be checked: {reason}.")
            return otherwise

    def afford(self, rule: Expression) -> None:
        if rule.wide:
            self.work += self.size
            if self.work > _MOST_WORK:
                raise Unevaluable("the record is too large")

    def message(self, plan: _Plan, kind: str) -> str:
        assert plan.bind is not None
        messages: Mapping[str, str] = (
            plan.bind.required_messages if kind == "required" else plan.bind.constraint_messages
        )
        return messages.get(self.form.default_language) or next(iter(messages.values()), "")

    def flag(self, code: str, place: str, message: str) -> None:
        self.flags.append(Flag(code, place, message))


def _answered(element: etree._Element) -> bool:
    return any(text.strip() for text in element.itertext())


def _same(sent: str, expected: str, tz: dt.tzinfo) -> bool:
    """Equal as texts, as numbers within rounding, or as moments."""
    one, other = sent.strip(), expected.strip()
    if one == other:
        return True
    if not one or not other:
        return False
    numbers = _number(one), _number(other)
    if numbers[0] == numbers[0] and numbers[1] == numbers[1]:
        return abs(numbers[0] - numbers[1]) <= 1e-9 * max(1.0, abs(numbers[0]), abs(numbers[1]))
    if {one, other} in ({"true", "1"}, {"false", "0"}):
        return True
    moments = read_moment(one, tz), read_moment(other, tz)
    if moments[0] is None or moments[1] is None:
        return False
    # A date is stored as its first moment on the tablet, wherever that was.
    midnight = f"{other[:10]}T00:00:00.000"
    return moments[0] == moments[1] or (one.startswith(midnight) and other.startswith(midnight))


def _number(text: str) -> float:
    """Also as Java writes very large and very small ones."""
    mantissa, _, exponent = text.partition("E")
    if exponent.lstrip("-").isdigit() and len(exponent) < 5:
        return read_number(mantissa) * 10.0 ** max(-300, min(300, int(exponent)))
    return read_number(text)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 60 else plain[:59] + "…"
