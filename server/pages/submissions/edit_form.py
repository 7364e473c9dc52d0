"""A submission's answers as a form to be edited: its questions as they are asked now, each with what it offers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from forms.form import Field
from forms.spelling import folded
from forms.xforms.editing import SEVERAL, Typed, field_text, is_typed, names_below, typed_of
from forms.xforms.instance import read_instance
from forms.xforms.model import Form, Itemset
from forms.xforms.offering import offered
from forms.xforms.questions import Question, questions_of
from forms.xforms.types import TYPES
from forms.xpath.expressions import Context, Expression, Unevaluable
from server.pages.submissions.answers import choice_said
from server.pages.submissions.submission_seen import Broken, broken_of
from sync.entities.reading import rows_called
from sync.indicators.definitions import by_code, label_in
from sync.intake.editing import Taken
from sync.intake.prepare import Ready, Surroundings

GROUP, REPEAT, TURN, SHOWN, RADIOS, CHOICES, TICKS, ORDER, LINES = (
    "group",
    "repeat",
    "turn",
    "shown",
    "radios",
    "choices",
    "ticks",
    "order",
    "lines",
)
_FEW = 7  # so many choices stand open, more of them in a list
_MOST_OFFERED = 200
_MOST_ENTITIES = 30  # of registers, which are long and stand in every iteration: they are searched
_LONG = 60
# A field of a kind shows nothing at all of a text that is not of that kind, so only what fits gets it.
_INPUTS = {"int": "number", "decimal": "number", "date": "date", "time": "time", "dateTime": "datetime-local"}
_LENGTHS = {"date": 10, "time": 5, "dateTime": 16}


@dataclass(frozen=True, slots=True)
class Option:
    """Something to choose."""

    value: str
    label: str
    chosen: bool


@dataclass(slots=True)
class Asked:
    """A question, a group, a repeat or one iteration as the page has it. `address` names its field.

    `kind` is one of the words above, or the type of an input. `sought` is what was looked for in a list that is too
    long to be shown; `matters` says that others are asked, worked out or offered by its answer.
    """

    kind: str
    address: str
    label: str
    hint: str = ""
    value: str = ""
    required: bool = False
    matters: bool = False
    options: Sequence[Option] = ()
    sought: str | None = None
    more: bool = False
    flags: Sequence[Broken] = ()
    inside: Sequence[Asked] = ()


@dataclass(slots=True)
class Sheet:
    """The whole form as it is asked now. `hidden` holds what was typed where nothing is asked at present, `other` the
    breaches that are of no question that is shown."""

    asked: Sequence[Asked]
    hidden: Mapping[str, str]
    breaches: Sequence[tuple[str, Broken]]  # with the address of the field
    other: Sequence[Broken]


def sheet_of(
    around: Surroundings, taken: Taken, ready: Ready, typed: Typed, sought: Mapping[str, str], language: str
) -> Sheet:
    """`ready` is what the answers with `typed` make; `sought` is what is looked for, by address."""
    maker = _Maker(around, taken, ready, typed, sought, language)
    root = read_instance(ready.xml).root
    maker.context = Context(root, root, around.lists, taken.form, taken.recorded_at, around.tz)
    asked = list(maker.inside(taken.form.root, root, "/data", "/data", "/data"))
    return Sheet(
        asked=asked,
        hidden={at: value for at, value in typed.values.items() if at not in maker.shown and value},
        breaches=maker.breaches,
        other=[broken for flags in maker.flags.values() for broken in flags],
    )


@dataclass
class _Maker:
    around: Surroundings
    taken: Taken
    ready: Ready
    typed: Typed
    sought: Mapping[str, str]
    language: str
    shown: set[str] = field(default_factory=set)
    breaches: list[tuple[str, Broken]] = field(default_factory=list)
    lists: dict[tuple[str, str, str], Sequence[tuple[str, str]]] = field(default_factory=dict)

    filtered: dict[tuple[str, str], tuple[list[tuple[str, str]], bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.form: Form = self.taken.form
        self.before = typed_of(self.form, self.taken.answers)
        self.context: Context
        self.questions: Mapping[str, Question] = {one.path: one for one in questions_of(self.form)}
        self.mattering = _mattering(self.form)
        self.flags: dict[str, list[Broken]] = {}
        for flag in self.ready.flags:
            self.flags.setdefault(flag.place, []).append(broken_of(self.form, flag, self.language))

    def inside(
        self, template: etree._Element, element: etree._Element, path: str, address: str, place: str
    ) -> Iterator[Asked]:
        for name, below in names_below(template).items():
            at, here, there = f"{path}/{name}", f"{address}/{name}", f"{place}/{name}"
            child = element.find(name)
            if at in self.form.repeats:
                if child is not None or self.is_asked(element, at):
                    yield self.repeat(below, element, at, here, there)
            elif child is None:
                continue
            elif (asked := self.form.fields.get(at)) is not None:
                if (found := self.question(asked, child, here, there)) is not None:
                    yield found
            elif len(below) and (several := list(self.inside(below, child, at, here, there))):
                label = self.label(at)
                if label:
                    yield Asked(GROUP, here, label, flags=self.broken(here, there), inside=several)
                else:
                    yield from several

    def repeat(self, template: etree._Element, around: etree._Element, path: str, address: str, place: str) -> Asked:
        children = list(around.iterchildren(str(template.tag)))
        turns = []
        label = self.label(path) or str(template.tag)
        for position, number in enumerate(self.turns(address)):
            if position < len(children):
                at, there = f"{address}[{number}]", f"{place}[{position + 1}]"
                several = list(self.inside(template, children[position], path, at, there))
                turns.append(Asked(TURN, at, f"{label} {position + 1}", flags=self.broken(at, there), inside=several))
        return Asked(REPEAT, address, label, flags=self.broken(address, place), inside=turns)

    def turns(self, address: str) -> Sequence[int]:
        return self.typed.turns.get(address, self.before.turns.get(address, ()))

    def is_asked(self, element: etree._Element, path: str) -> bool:
        """Whether a repeat without iterations could have one."""
        bind = self.form.binds.get(path)
        if bind is None or bind.relevant is None:
            return True
        self.context.node = etree.SubElement(element, path.rpartition("/")[2])
        try:
            return bind.relevant.boolean(self.context)
        except Unevaluable:
            return True
        finally:
            element.remove(self.context.node)

    def question(self, asked: Field, element: etree._Element, address: str, place: str) -> Asked | None:
        text = element.text or ""
        label, hint = self.label(asked.path), self.hint(asked.path)
        if not is_typed(asked):
            if asked.metadata or (asked.calculated and not label) or not (label or text):
                return None
            said = self.chosen_said(asked, text) if asked.itemset else text
            return Asked(SHOWN, address, label or asked.name, hint, said, flags=self.broken(address, place))
        self.shown.add(address)
        made = Asked(
            kind="text",
            address=address,
            label=label or asked.name,
            hint=hint,
            value=self.typed.values.get(address, field_text(asked, text)),
            required=self.is_required(asked.path, element),
            matters=asked.path in self.mattering,
            flags=self.broken(address, place),
        )
        if asked.path in self.form.itemsets:
            self.context.node = element
            self.offer(asked, made)
        elif asked.type in _INPUTS and _fits(asked.type, made.value):
            made.kind = _INPUTS[asked.type]
        elif "\n" in made.value or len(made.value) > _LONG:
            made.kind = LINES
        return made

    def is_required(self, path: str, element: etree._Element) -> bool:
        bind = self.form.binds.get(path)
        if bind is None or bind.required is None:
            return False
        self.context.node = element
        try:
            return bind.required.boolean(self.context)
        except Unevaluable:
            return False

    def offer(self, asked: Field, made: Asked) -> None:
        chosen = made.value.split() if asked.type in SEVERAL else [made.value] if made.value else []
        sought = self.sought.get(made.address, "")
        found, made.more = self.offered(asked, sought)
        values = {value for value, _ in found}
        # What was chosen stays to be seen and kept, also where the list does not have it or it was not looked for.
        missing = [(value, self.chosen_said(asked, value)) for value in chosen if value not in values]
        made.options = [Option(value, label, value in chosen) for value, label in [*missing, *found]]
        if made.more or sought:
            made.sought = sought
        if asked.type == "rank":
            made.kind = ORDER
        elif asked.type == "select":
            made.kind = TICKS
        else:
            made.kind = RADIOS if len(made.options) <= _FEW and made.sought is None else CHOICES

    def offered(self, asked: Field, sought: str) -> tuple[list[tuple[str, str]], bool]:
        """What a filter lets through is worked out once for all iterations, unless it looks at an answer in them."""
        itemset = self.form.itemsets[asked.path]
        if itemset.answers is not None:
            return self.answered(itemset.answers), False
        looks_at = itemset.chosen.depends_on if itemset.chosen is not None else ()
        around = [repeat for repeat in self.form.repeats if asked.path.startswith(f"{repeat}/")]
        own = any(path.startswith(f"{repeat}/") for repeat in around for path in looks_at)
        if not own and (known := self.filtered.get((asked.path, sought))) is not None:
            return known
        is_register = asked.external and self.around.lists.is_entities(asked.itemset or "")
        most = _MOST_ENTITIES if is_register else _MOST_OFFERED
        found = offered(self.form, asked.path, self.context, self.candidates(asked, sought), most)
        if not own:
            self.filtered[(asked.path, sought)] = found
        return found

    def answered(self, answers: Expression) -> list[tuple[str, str]]:
        """The answers to another question, each once: a member of the household, who was named before."""
        try:
            texts = [(node.text or "").strip() for node in answers.nodes(self.context)]
        except Unevaluable:
            return []
        return [(text, text) for text in dict.fromkeys(texts) if text]

    def candidates(self, asked: Field, sought: str) -> Sequence[tuple[str, str]]:
        """What the list of the question has, as far as its label holds what is sought. Iterations ask for the same."""
        itemset = self.form.itemsets[asked.path]
        key = (itemset.list_name or "", itemset.value, sought)
        if key not in self.lists:
            self.lists[key] = list(self.listed(asked, itemset, sought))
        return self.lists[key]

    def listed(self, asked: Field, itemset: Itemset, sought: str) -> Iterator[tuple[str, str]]:
        name = itemset.list_name or ""
        words = folded(sought).split()
        if not itemset.external:
            for value in self.form.choices.get(name, {}):
                label = choice_said(self.form, asked, value, self.language)
                if all(word in folded(label) for word in words):
                    yield value, label
        elif self.around.lists.is_entities(name):
            rows = rows_called(self.around.session, self.around.project_id, name, sought, now=self.around.now)
            if itemset.chosen is not None:
                self.around.lists.preload(name, [value for value, _ in rows])
            yield from rows
        else:
            for value, label in self.around.lists.columns(name, itemset.value, "label"):
                if all(word in folded(label) for word in words):
                    yield value, label

    def chosen_said(self, asked: Field, text: str) -> str:
        keys = text.split() if asked.type in SEVERAL else [text]
        return ", ".join(self.called(asked, key) for key in keys if key)

    def called(self, asked: Field, key: str) -> str:
        if not asked.external:
            return choice_said(self.form, asked, key, self.language)
        return self.form.choice_label(asked.path, key, self.around.lists) or key

    def broken(self, address: str, place: str) -> Sequence[Broken]:
        flags = self.flags.pop(place, [])
        self.breaches += [(address, flag) for flag in flags]
        return flags

    def label(self, path: str) -> str:
        known = self.questions.get(path)
        return (label_in(by_code(known.labels), self.language) if known and known.labels else None) or ""

    def hint(self, path: str) -> str:
        known = self.questions.get(path)
        return (label_in(by_code(known.hints), self.language) if known and known.hints else None) or ""


def _fits(kind: str, value: str) -> bool:
    if not value:
        return True
    return TYPES[kind][0](value) and len(value) == _LENGTHS.get(kind, len(value)) and value == value.strip("+")


def _mattering(form: Form) -> Collection[str]:
    """The questions by whose answers others are asked, worked out or offered."""
    known: Any = form.derived.get("mattering")
    if known is None:
        rules = [rule for bind in form.binds.values() for rule in (bind.relevant, bind.calculate, bind.required)]
        rules += [itemset.chosen for itemset in form.itemsets.values()]
        known = frozenset(path for rule in rules if rule is not None for path in rule.depends_on)
        form.derived["mattering"] = known
    return known  # type: ignore[no-any-return]
