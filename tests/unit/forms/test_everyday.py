"""Everyday rules over a walk's texts give what lxml gives on the elements, to the bit."""

import copy
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bench.programme import FORM, workbook
from forms.findings import Faulty
from forms.form import NoLists
from forms.indicators.contributing import compile_feeds
from forms.programmes.programme import files_of, read_programme
from forms.workbooks.workbook import Workbook, read_workbook
from forms.xforms.check import check
from forms.xforms.instance import read_instance
from forms.xforms.walk import Look, Looked, Plan, Scope, Walk, walk_of
from forms.xforms.xform import Form
from forms.xpath.expressions import Context, Expression, Unevaluable, compile_expression
from tests.support.forms import NOW, UTC, an_instance, compiled

VISIT = compiled("""
    | survey  |              |        |       |
    |         | type         | name   | label |
    |         | text         | place  | Place |
    |         | integer      | sacks  | Sacks |
    |         | decimal      | area   | Area  |
    |         | date         | day    | Day   |
    |         | select_multiple c | crops | Crops |
    |         | begin_group  | home   | Home  |
    |         | text         | roof   | Roof  |
    |         | end_group    |        |       |
    |         | begin_repeat | people | People |
    |         | text         | name   | Name  |
    |         | integer      | age    | Age   |
    |         | begin_repeat | child  | Child |
    |         | text         | called | Called |
    |         | integer      | years  | Years |
    |         | end_repeat   |        |       |
    |         | end_repeat   |        |       |
    | choices |              |        |       |
    |         | list_name    | name   | label |
    |         | c            | rice   | Rice  |
""")
TEXTS_AT_HAND = [
    "",
    "0",
    "3",
    "12",
    "250",
    "7.5",
    "-1",
    "1985",
    "2026-02-11",
    "2026-02-11T08:30:00.000+00:00",
    "yes",
    "no",
    "none other",
]
ODD_TEXTS = [
    *TEXTS_AT_HAND,
    "-0",
    "007",
    "5.50",
    ".5",
    "5.",
    "-3",
    "+3",
    "1e3",
    "1E2",
    "NaN",
    "Infinity",
    "-",
    " 7",
    "7 ",
]
ODD_TEXTS += [
    "\t7\n",
    "7\u00a0",
    "٣",
    "１２",
    "²",
    "1,5",
    "9" * 15,
    "9" * 16,
    "9" * 20,
    "9" * 400,
    "0.1",
    "rice",
    "rice  maize",
]
ODD_TEXTS += [" rice", "rice\u00a0maize", "a'b", 'a"b', "true", "false", "10:30", "x" * 2000]
TEXTS = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.integers(-(10**17), 10**17).map(str),
    st.floats().map(repr),
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=12
    ),
)
OPERANDS = [
    ".",
    "../place",
    "/data/place",
    "/data/sacks",
    "/data/area",
    "/data/day",
    "/data/crops",
    "/data/home/roof",
    "/data/people/age",
]
OPERANDS += [
    "/data/people/child/years",
    "../../name",
    "'rice'",
    "''",
    "0",
    "7",
    "0.1",
    "today()",
    "string-length(.)",
    "true()",
    "'a''b'",
]
TEMPLATES = [
    "{0} = {1}",
    "{0} != {1}",
    "{0} < {1}",
    "{0} >= {1}",
    "{0} + {1}",
    "{0} - {1}",
    "{0} * {1}",
    "{0} div {1}",
    "{0} mod {1}",
]
TEMPLATES += [
    "selected({0}, {1})",
    "contains({0}, {1})",
    "starts-with({0}, {1})",
    "concat({0}, ' ', {1})",
    "coalesce({0}, {1})",
]
TEMPLATES += [
    "if({0} = {1}, {0}, {1})",
    "not({0})",
    "string({0})",
    "number({0})",
    "boolean({0})",
    "count-selected({0})",
    "-{0}",
]
TEMPLATES += [
    "normalize-space({0})",
    "translate({0}, {1}, 'XY')",
    "round({0}, 1)",
    "int({0})",
    "regex({0}, '[a-z]+')",
    "{0}",
]
PLAN = Plan("any", "/data/any")
DEFINITIONS = Path(__file__).parents[3] / "forms" / "definitions"
ATS = [
    "/data/place",
    "/data/sacks",
    "/data/area",
    "/data/home/roof",
    "/data/people",
    "/data/people/age",
    "/data/people/child/called",
]


@st.composite
def expressions(draw: st.DrawFn) -> str:
    def one() -> str:
        return draw(st.sampled_from(TEMPLATES)).format(draw(st.sampled_from(OPERANDS)), draw(st.sampled_from(OPERANDS)))

    return draw(st.sampled_from(["{0}", "{0} and {1}", "{0} or {1}", "not({0})", "if({0}, {1}, 'other')"])).format(
        one(), one()
    )


def outcomes(expression: Expression, context: Context) -> list[object]:
    """Whatever can be asked of an expression, as one can compare it: NaN equals itself, and -0 is not 0."""
    found: list[object] = []
    for ask in (expression.boolean, expression.number, expression.string, expression.answer, expression.evaluate):
        try:
            value: object = ask(context)
        except Unevaluable as reason:
            value = f"Unevaluable: {reason}"
        found.append(repr(value) if isinstance(value, float) else value)
    return found


def require_alike(expression: Expression, form: Form, walk: Walk, look: Look) -> None:
    def context(scope: object) -> Context:
        return Context(walk.root.element, look.element, NoLists(), form, NOW, UTC, scope=scope)  # type: ignore[arg-type]

    assert walk.plain
    assert outcomes(expression, context(look.scope)) == outcomes(expression, context(None)), expression.text


def looks_in(looks: list[Looked]) -> Iterator[Look]:
    for look in looks:
        if isinstance(look, tuple):
            plan, scope, text = look
            yield Look(plan, scope.element_of(plan), scope, text)
        elif isinstance(look, Look):
            yield look
            yield from looks_in(look.inside or [])


def compiled_for(text: str, at: str) -> Expression | None:
    try:
        return compile_expression(text, form=VISIT, at=at)
    except Faulty:  # what no form may say, such as a path that climbs too far
        return None


@given(st.data())
def test_any_everyday_expression_is_the_same_over_texts_and_over_elements(data: st.DataObject) -> None:
    at = data.draw(st.sampled_from(ATS))
    expression = compiled_for(data.draw(expressions()), at)
    if expression is None:
        return
    text = data.draw(st.lists(TEXTS, min_size=10, max_size=10))
    child = {"called": text[8], "years": text[9]}
    people = [
        {"name": text[6], "age": text[7], "child": [child, {"called": "B", "years": "4"}]},
        {"name": "C", "age": "9", "child": [child]},
    ]
    answers = dict(zip(("place", "sacks", "area", "day", "crops"), text[:5], strict=True))
    instance = an_instance(VISIT, {**answers, "home": {"roof": text[5]}}, people=people)
    walk = walk_of(VISIT, instance)

    scopes = [walk.root, *walk.scopes.get("/data/people", []), *walk.scopes.get("/data/people/child", [])]
    nodes = [(scope, node) for scope in scopes for node in nodes_at(scope, at)]

    assert nodes
    for scope, node in nodes:
        require_alike(expression, VISIT, walk, Look(PLAN, node, scope))


@pytest.mark.parametrize("name", ["place", "sacks", "area", "day", "crops"])
@pytest.mark.parametrize("other", [".", "7"])
def test_however_odd_an_answer_it_is_read_as_lxml_reads_it(name: str, other: str) -> None:
    texts = [template.format(".", other) for template in TEMPLATES]
    rules = [rule for text in texts if (rule := compiled_for(text, f"/data/{name}")) is not None]
    for odd in ODD_TEXTS:
        walk = walk_of(VISIT, an_instance(VISIT, {name: odd, "home": {"roof": odd}}))
        (node,) = walk.root.element.findall(name)

        for rule in rules:
            require_alike(rule, VISIT, walk, Look(PLAN, node, walk.root))


def nodes_at(scope: Scope, at: str) -> list[etree._Element]:
    """The node of a path in this very iteration, if it belongs there."""
    repeat = VISIT.fields[at].repeat if at in VISIT.fields else at if at in VISIT.repeats else None
    if scope.path != (repeat or "/data"):
        return []
    return [scope.element] if at == scope.path else scope.element.findall(at[len(scope.path) + 1 :])


@cache
def shipped() -> list[Workbook]:
    return list(read_programme(files_of(DEFINITIONS)).workbooks)


def test_every_rule_of_the_shipped_forms_is_the_same() -> None:
    known = [rules_alike(book) for book in shipped()]

    assert sum(known) > 500


def test_no_rule_of_an_everyday_form_needs_lxml() -> None:
    book = read_workbook(workbook(), f"{FORM}.xlsx")
    rules = {
        rule.text: rule
        for bind in book.form.binds.values()
        for rule in (bind.relevant, bind.constraint, bind.calculate)
        if rule is not None and not rule.volatile
    }

    rules_alike(book)

    assert len(rules) > 20
    assert [text for text, rule in rules.items() if not everyday_throughout(rule)] == []


def test_what_is_sound_at_a_glance_is_sound_the_long_way() -> None:
    chance, flagged, sound = random.Random(11), 0, 0
    for book in [*shipped(), read_workbook(workbook(), f"{FORM}.xlsx")]:
        for _ in range(15):
            record = etree.tostring(filled(book.form, chance))
            at_a_glance = check(book.form, read_instance(record), NoLists(), NOW, UTC)
            known = book.form.derived.pop("sounds")
            book.form.derived["sounds"] = {}
            the_long_way = check(book.form, read_instance(record), NoLists(), NOW, UTC)
            book.form.derived["sounds"] = known

            assert at_a_glance == the_long_way
            flagged += len(the_long_way)
            sound += len(known)  # type: ignore[arg-type]
    assert flagged > 1000
    assert sound > 2000


def test_a_record_with_a_group_twice_is_left_to_lxml() -> None:
    instance = read_instance(b'<data id="visit" version="1"><home/><home><roof>tin</roof></home></data>')

    assert not walk_of(VISIT, instance).plain


def test_a_record_with_elements_in_a_question_is_left_to_lxml() -> None:
    instance = read_instance(b'<data id="visit" version="1"><place>Si<b>by</b></place></data>')

    assert not walk_of(VISIT, instance).plain


def filled(form: Form, chance: random.Random) -> etree._Element:
    """A record with answers that come near to what the form wants, and each repeat twice."""
    root = copy.deepcopy(form.root)
    for path in sorted(form.repeats, key=len, reverse=True):
        for repeated in root.findall(path.removeprefix("/data/")):
            repeated.addnext(copy.deepcopy(repeated))
    for element in root.iter():
        path = "/data" + "".join(f"/{one.tag}" for one in [*reversed([*element.iterancestors()]), element][1:])
        asked = form.fields.get(path)
        if len(element) == 0 and asked is not None and chance.random() < 0.85:
            choices = list(form.choices.get(asked.itemset or "", ()))
            element.text = chance.choice(choices if choices and chance.random() < 0.8 else TEXTS_AT_HAND)
    return root


def rules_alike(book: Workbook) -> int:
    """How often a rule was compared on records with answers that come near to what the form wants."""
    chance, form, compared = random.Random(7), book.form, 0
    for _ in range(2):
        walk = walk_of(form, read_instance(etree.tostring(filled(form, chance))))
        for look in looks_in(walk.looks):
            plan = look.plan
            for rule in (plan.required, plan.relevant, plan.constraint, plan.bind.calculate if plan.bind else None):
                if rule is not None:
                    require_alike(rule, form, walk, look)
                    compared += 1
        for feed in compile_feeds(form, book.sheets).feeds:
            for scope in walk.scopes.get(feed.repeat, []) if feed.repeat else [walk.root]:
                if feed.where is not None:
                    require_alike(feed.where, form, walk, Look(PLAN, scope.element, scope))
                    compared += 1
    return compared


def everyday_throughout(rule: Expression) -> bool:
    """Whether what was asked of it so far could be told without lxml; its nodes never can."""
    return all(program.everyday is not None for wanted, program in rule._programs.items() if wanted != "value")
