"""A submission checked again on arrival against the form version that it names."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import replace

from lxml import etree

from forms.form import Field, Flag, Lists
from forms.xforms.instance import Instance
from forms.xforms.walk import Look, Looked, Missing, Plan, Scope, Walk, answered, plan_of, shortly, walk_of
from forms.xforms.xform import Form, Itemset
from forms.xpath.context import HERE
from forms.xpath.dates import read_moment
from forms.xpath.expressions import Context, Expression, Unevaluable
from forms.xpath.numbers import read_decimal

_UUID = re.compile(r"(uuid:)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# How many elements rules that look over a whole repeat may look at in one record. Only a record made to be slow comes
# near: 300 iterations of a repeat that each look at 10,000 elements.
_MOST_WORK = 3_000_000
_NOTHING: Mapping[str, str] = {}
# Whether all is well with a question, by its text, in a context that has its scope.
Sound = Callable[[Context, str], bool]


def check(form: Form, instance: Instance, lists: Lists, now: dt.datetime, tz: dt.tzinfo) -> list[Flag]:
    """Every breach, in document order; what was left out comes after what is there. Never raises on a strange instance:
    a rule that cannot be worked out is a flag too.

    `now` is what today() and now() mean in rules: the time at which the record was made, if that is known. Values that
    hang on the clock, on chance, on the device or on an entity list are not worked out again. Of an encrypted instance
    nothing can be checked.
    """
    if instance.encrypted:
        return []
    root = instance.root
    return _Checker(form, Context(root, root, lists, form, now, tz)).flags_of(walk_of(form, instance))


class _Checker:
    def __init__(self, form: Form, context: Context) -> None:
        self.form = form
        self.context = context
        self.flags: list[Flag] = []
        self.plain = False  # the walk's
        self.sounds = _sounds_of(form)  # most answers are; what is wrong with the others takes longer to say
        self.size = 0  # elements in the record
        self.work = 0

    def flags_of(self, walk: Walk) -> list[Flag]:
        """Puts in what a client left out because it was irrelevant, so that rules about it can be worked out."""
        self.plain = walk.plain
        HERE.context = self.context
        for missing in walk.missing:
            missing.looks = list(_put_in(missing.element, missing.plan, missing.scope))
        try:
            self.looks(walk.looks)
        finally:
            for missing in walk.missing:
                missing.element.remove(missing.element[-1])
        return self.flags

    def looks(self, looks: Iterable[Looked]) -> None:
        context, sounds = self.context, self.sounds
        for look in looks:
            if isinstance(look, tuple):
                plan, scope, text = look
                sound = sounds.get(plan.path)
                if sound is not None:
                    context.scope = scope
                    try:
                        if sound(context, text):
                            continue
                    except Unevaluable:
                        pass
                self.look(Look(plan, scope.element_of(plan), scope, text))
            elif isinstance(look, Look):
                self.look(look)
            elif isinstance(look, Missing):
                self.looks(look.looks)
            else:
                self.flags.append(look)

    def look(self, look: Look) -> None:
        plan, text = look.plan, look.text
        context = self.context
        context.node, context.scope = look.element, look.scope if self.plain else None
        if plan.relevant is not None and not self.holds(plan.relevant, "relevant", look, otherwise=True):
            if text.strip() or (look.inside is not None and answered(look.element)):
                self.flag("relevant", look, "There is an answer here, although it should not have been asked.")
            return
        if look.inside is not None:
            self.looks(look.inside)
            return
        if text and not text.isspace():
            self.answer(look)
        elif plan.required is not None and self.holds(plan.required, "required", look, otherwise=False):
            self.flag("required", look, self.message(plan, "required") or "An answer is required here.")
        if plan.calculate is not None:
            self.calculation(plan.calculate, look)

    def answer(self, look: Look) -> None:
        plan, text = look.plan, look.text
        if plan.fits is not None and not plan.fits[0](text.strip()):
            self.flag("type", look, f"‘{shortly(text)}’ is not {plan.fits[1]}.")
            return
        if plan.itemset is not None and plan.question is not None and text not in plan.among:
            self.choices(plan.itemset, plan.question, look)
        if plan.constraint is not None and not self.holds(plan.constraint, "constraint", look, otherwise=True):
            said = self.message(plan, "constraint")
            self.flag("constraint", look, said or f"‘{shortly(text)}’ breaks the rule of this question.")

    def choices(self, itemset: Itemset, question: Field, look: Look) -> None:
        values = [look.text] if question.type == "select1" else look.text.split()
        try:
            wrong = [value for value in values if not self.is_choice(itemset, question, value)]
        except Unevaluable as reason:
            self.flag("choice", look, f"The choices could not be looked up: {reason}.")
            return
        if wrong:
            named = ", ".join(f"‘{shortly(value)}’" for value in wrong[:5])
            one = len(wrong) == 1
            said = f"{named} is not among the choices." if one else f"{named} are not among the choices."
            self.flag("choice", look, said)

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

    def calculation(self, calculate: Expression, look: Look) -> None:
        lists, plan, sent = self.context.lists, look.plan, look.text
        if any(map(lists.is_entities, calculate.lists)):
            return  # the tablet may have had an older or a newer one
        try:
            if calculate.wide:
                self.afford()
            expected = calculate.answer(self.context, plan.bind.type if plan.bind else "string")
            if _same(sent, expected, self.context.tz) or (calculate.spoken and self.said(calculate, sent)):
                return
            for name in calculate.lists:
                if lists.whole(name) is None:
                    raise Unevaluable(f"the list ‘{name}’ is not here")
        except Unevaluable as reason:
            self.flag("calculation", look, f"The calculation could not be worked out again: {reason}.")
            return
        shown = f"‘{shortly(expected)}’" if expected else "a blank"
        self.flag("calculation", look, f"The calculation gives {shown}, but ‘{shortly(sent)}’ was sent.")

    def said(self, calculate: Expression, sent: str) -> bool:
        """Whether it is what a tablet set to another language would have calculated."""
        try:
            for language in self.form.languages:
                there = replace(self.context, language=language)
                if _same(sent, calculate.answer(there), there.tz):
                    return True
            return False
        finally:
            HERE.context = self.context

    def holds(self, rule: Expression, code: str, look: Look, *, otherwise: bool) -> bool:
        try:
            if rule.wide:
                self.afford()
            return rule.boolean(self.context)
        except Unevaluable as reason:
            self.flag(code, look, f"The rule ‘{shortly(rule.text)}’ could not be checked: {reason}.")
            return otherwise

    def afford(self) -> None:
        """Before a rule that looks over the whole record. Raises Unevaluable where such rules have cost too much."""
        self.size = self.size or sum(1 for _ in self.context.root.iter())
        self.work += self.size
        if self.work > _MOST_WORK:
            raise Unevaluable("the record is too large")

    def message(self, plan: Plan, kind: str) -> str:
        assert plan.bind is not None
        messages: Mapping[str, str] = (
            plan.bind.required_messages if kind == "required" else plan.bind.constraint_messages
        )
        return messages.get(self.form.default_language) or next(iter(messages.values()), "")

    def flag(self, code: str, look: Look, message: str) -> None:
        self.flags.append(Flag(code, look.scope.place_of(look.plan), message))


def _sounds_of(form: Form) -> Mapping[str, Sound]:
    """By the path of each question that can be looked at so."""
    found: dict[str, Sound] | None = form.derived.get("sounds")  # type: ignore[assignment]
    if found is None:
        plans = [plan_of(form)]
        for plan in plans:
            plans += plan.children.values()
        told = _answers_in_choices(form)
        sounds = {
            plan.path: _sound(form, plan) for plan in plans if plan.leaf and plan.rules and not (told and _spoken(plan))
        }
        found = form.derived["sounds"] = {path: sound for path, sound in sounds.items() if sound is not None}
    return found


def _answers_in_choices(form: Form) -> bool:
    """Whether a choice's label has the answer to a question in it, which is looked for around the element."""
    choices = (choice for of_list in form.choices.values() for choice in of_list.values())
    return any("${" in label for choice in choices for label in choice.labels.values())


def _spoken(plan: Plan) -> bool:
    rules = (plan.relevant, plan.required, plan.constraint, plan.calculate)
    return any(rule is not None and rule.spoken for rule in rules)


def _sound(form: Form, plan: Plan) -> Sound | None:
    """None where the texts around the question do not tell."""
    rules = [plan.relevant, plan.required, plan.constraint]
    runs = [rule.over_texts("boolean") if rule is not None else None for rule in rules]
    relevant, required, constraint = runs
    fits, kind = plan.fits[0] if plan.fits is not None else None, plan.bind.type if plan.bind else "string"
    among = _among(form, plan)
    several = plan.question is not None and plan.question.type != "select1"
    calculate = plan.calculate
    calculated = calculate.over_texts("answer") if calculate is not None and not calculate.lists else None
    if runs.count(None) > rules.count(None) or (plan.itemset and among is None) or (calculate and calculated is None):
        return None

    def sound(context: Context, text: str) -> bool:
        blank = not text or text.isspace()
        if relevant is not None and not relevant(context, _NOTHING):
            return blank
        if blank:
            if required is not None and required(context, _NOTHING):
                return False
        elif (
            (fits is not None and not fits(text.strip()))
            or (among is not None and not (all(map(among.__contains__, text.split())) if several else text in among))
            or (constraint is not None and not constraint(context, _NOTHING))
        ):
            return False
        if calculate is None or calculated is None:
            return True
        return calculate.stored(calculated(context, _NOTHING), kind, context.tz) == text

    return sound


def _among(form: Form, plan: Plan) -> Container[str] | None:
    """What may be chosen, where that is the same for everybody."""
    itemset = plan.itemset
    if itemset is None or plan.question is None or itemset.external or itemset.chosen is not None:
        return None
    return form.choices.get(itemset.list_name or "", {})


def _put_in(parent: etree._Element, plan: Plan, scope: Scope) -> Iterator[Look]:
    element = etree.SubElement(parent, plan.name)
    if not plan.children:
        yield Look(plan, element, scope)
        return
    inside = [look for below in plan.wanted_below for look in _put_in(element, below, scope)]
    if plan.relevant is None:
        yield from inside
    else:
        yield Look(plan, element, scope, inside=list(inside))


def _same(sent: str, expected: str, tz: dt.tzinfo) -> bool:
    """Equal as texts, as numbers within rounding, or as moments."""
    one, other = sent.strip(), expected.strip()
    if one == other:
        return True
    if not one or not other:
        return False
    numbers = read_decimal(one), read_decimal(other)
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
