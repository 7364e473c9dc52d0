import datetime as dt
import math
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms.findings import Faulty
from forms.form import NoLists
from forms.xforms.xform import Form, compile_form
from forms.xpath.expressions import Context, Unevaluable, compile_expression
from forms.xpath.signatures import FUNCTIONS
from forms.xpath.values import boolean_of, number_of, text_of
from tests.support.forms import NOW, UTC, Tables, an_instance, compiled, evaluated, xform_of

PEOPLE = compiled("""
    | survey  |                     |         |         |                    |
    |         | type                | name    | label   | calculation        |
    |         | integer             | a       | A       |                    |
    |         | decimal             | d       | D       |                    |
    |         | text                | t       | T       |                    |
    |         | date                | day     | Day     |                    |
    |         | select_one region   | region  | R       |                    |
    |         | select_multiple yn  | many    | M       |                    |
    |         | select_one_from_file villages.csv | village | V |            |
    |         | begin_repeat        | house   | House   |                    |
    |         | text                | street  | Street  |                    |
    |         | begin_repeat        | people  | People  |                    |
    |         | text                | name    | N       |                    |
    |         | integer             | age     | A       |                    |
    |         | end_repeat          |         |         |                    |
    |         | end_repeat          |         |         |                    |
    | choices |                     |         |         |        |
    |         | list_name           | name    | label   | code   |
    |         | region              | ml2     | Koulikoro | 2    |
    |         | region              | ml4     | Ségou   | 4      |
    |         | yn                  | yes     | Yes     |        |
    |         | yn                  | no      | No      |        |
""")
VILLAGES = Tables(
    villages=[
        {"name": "siby", "label": "Siby", "region": "ml2", "people": "2600"},
        {"name": "bla", "label": "Bla", "region": "ml4", "people": "41000"},
    ]
)
FULL: dict[str, Any] = {
    "a": 3,
    "d": "1.50",
    "t": "shea",
    "day": "2026-02-28",
    "region": "ml2",
    "many": "yes no",
    "village": "siby",
    "house": [
        {"street": "one", "people": [{"name": "Awa", "age": 30}, {"name": "Ali", "age": 5}]},
        {"street": "two", "people": [{"name": "Zan", "age": 61}]},
    ],
}


def value(text: str, at: str = "/data", answers: dict[str, Any] | None = None) -> Any:
    """Of an expression at a place of the record FULL; a list of nodes as their texts."""
    instance = an_instance(PEOPLE, FULL | (answers or {}))
    node = instance.root.xpath("/*" + at.removeprefix("/data"))
    assert isinstance(node, list)
    plain = "/".join(step.partition("[")[0] for step in at.split("/"))
    context = Context(instance.root, node[0], VILLAGES, PEOPLE, NOW, UTC, "a seed")
    found = compile_expression(text, form=PEOPLE, at=plain).evaluate(context)
    return [text_of([node]) for node in found] if isinstance(found, list) else found


def faults(text: str, at: str = "/data") -> str:
    with pytest.raises(Faulty) as caught:
        compile_expression(text, form=PEOPLE, at=at)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("7 mod 3 - -1", 2.0),
        ("-7 mod 3", -1.0),
        ("1 div 4", 0.25),
        ("2 < 3 and 3 <= 3 or false()", True),
        ("'a' = 'a'", True),
        ("'10' < '9'", False),
        ("0.1 + 0.2 = 0.3", True),
        ("'abc' < 1", False),
        ("'' = 0", False),
        ("'1,5' + 1", 2.5),
        ("'1e3' = 1000", False),
        ("concat('a', 1, 2.50, true())", "a12.5true"),
        ("string(12345678.5)", "1.23456785E7"),
        ("if('false', 'yes', 'no')", "yes"),
        ("coalesce('', 'b')", "b"),
        ("selected('a b', 'b')", True),
        ("selected-at('a  b', 1)", "b"),
        ("count-selected(' a b ')", 2.0),
        ("substr('hello', -3, -1)", "ll"),
        ("round(2.345, 2)", 2.35),
        ("round(-2.5)", -2.0),
        ("int(-2.9)", -2.0),
        ("pow(2, 10)", 1024.0),
        ("min(3, '', 1)", 1.0),
        ("max(-3, -1)", -1.0),
        ("regex('76 12 34 56', '[0-9]{2}( [0-9]{2}){3}')", True),
        ("regex('76 12 34 567', '[0-9]{2}( [0-9]{2}){3}')", False),
        ("boolean-from-string('TRUE')", True),
        ("checklist(1, 2, 'a', '', 'b')", True),
        ("weighted-checklist(2, 3, true(), 1, false(), 5, true(), 1)", True),
        ("date('2026-02-28') + 1", 20513.0),
        ("string(date('2026-02-28'))", "2026-02-28"),
        ("string(date(20513))", "2026-03-01"),
        ("date('2026-02-28') < date('2026-03-01')", True),
        ("format-date('2026-02-03', '%d/%m/%y %e %n %b')", "03/02/26 3 2 Feb"),
        ("format-date('', '%Y')", ""),
        ("decimal-date-time('1970-01-02T12:00:00.000Z')", 1.5),
        ("decimal-time('1970-01-02T18:00:00.000Z')", 0.75),
        ("today()", "2026-11-24"),
        ("now()", "2026-11-24T10:30:00.000+00:00"),
        ("today() - date('2026-11-01')", 23.0),
        ("digest('abc', 'MD5', 'hex')", "900150983cd24fb0d6963f7d28e17f72"),
        ("base64-decode('aGVsbG8=')", "hello"),
        ("translate('abc', 'ab', 'x')", "xc"),
        ("ends-with('abc', 'bc')", True),
        ("normalize-space('  a  b ')", "a b"),
        ("floor(2.5) + ceiling(2.5)", 5.0),
        ("substring('hello', 2, 3)", "ell"),
        ("depend('a', 'b')", "a"),
    ],
)
def test_a_value_is_what_odk_clients_make_of_it(text: str, expected: object) -> None:
    found = evaluated(text)

    assert found == (pytest.approx(expected) if isinstance(expected, float) else expected)
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text", ["'x' + 1", "number('')", "0 div 0", "round('x')", "sqrt(-1)", "log(-1)", "asin(2)", "min('')"]
)
def test_what_is_no_number_is_nan(text: str) -> None:
    assert math.isnan(evaluated(text))


def test_geography_is_measured_in_metres() -> None:
    assert evaluated("distance('0 0 0 0;0 1 0 0')") == pytest.approx(111_319, rel=1e-4)
    assert evaluated("area('0 0;0 0.01;0.01 0.01;0.01 0;0 0')") == pytest.approx(1_239_000, rel=1e-3)
    assert evaluated("geofence('0.5 0.5', '0 0;0 1;1 1;1 0;0 0')") is True
    assert evaluated("geofence('1.5 0.5', '0 0;0 1;1 1;1 0;0 0')") is False


@pytest.mark.parametrize("far", ["1.0E999", "1.0E308", "-" + "9" * 400])
def test_nothing_is_measured_from_where_no_place_can_be(far: str) -> None:
    for measured in ("area", "distance"):
        with pytest.raises(Unevaluable, match="is not a point"):
            evaluated(f"{measured}('0 0;0 {far};0.01 -1.0E308')")


def test_a_question_is_compared_by_its_type() -> None:
    assert value("/data/a = '03'") is True
    assert value("/data/d = '1.5'") is True
    assert value("concat(/data/d, '')") == "1.5"
    assert value("/data/t = 'shea'") is True
    assert value("/data/day + 1") == 20513.0
    assert value("/data/day > date('2026-01-01')") is True
    assert value("/data/day = '2026-02-28'") is True


def test_a_blank_number_is_an_empty_text_and_no_number() -> None:
    blank = {"a": "", "d": ""}

    assert value("/data/a = ''", answers=blank) is True
    assert value("/data/a = 0", answers=blank) is False
    assert value("/data/a != 5", answers=blank) is True
    assert value("/data/a < 5", answers=blank) is False
    assert value("/data/a = /data/d", answers=blank) is True
    assert math.isnan(value("/data/a + 1", answers=blank))
    assert value("coalesce(/data/a, 7)", answers=blank) == 7.0


@pytest.mark.parametrize("text", ["/data/t = ''", "/data/t != 'x'", "not(/data/t)", "string(/data/t) = ''"])
def test_a_question_that_was_left_out_is_blank(text: str) -> None:
    assert value(text, answers={"t": None}) is True


def test_an_absolute_path_means_the_iteration_that_the_expression_stands_in() -> None:
    at = "/data/house[1]/people[2]/age"

    assert value("/data/house/people/name", at) == ["Ali"]
    assert value("/data/house/street", at) == ["one"]
    assert value("count(/data/house/people)", "/data/house[1]/street") == 2.0
    assert value("count(/data/house/people)", "/data/house[2]/street") == 1.0
    assert value("count(/data/house/people)") == 3.0


def test_relative_paths_and_current_start_at_the_context() -> None:
    at = "/data/house[1]/people[2]/age"

    assert value(". + 1", at) == 6.0
    assert value("../name", at) == ["Ali"]
    assert value("current()/../../street", at) == ["one"]
    assert value("count(../../people)", at) == 2.0
    assert value("sum(../../people/age)", at) == 35.0


def test_positions_count_from_one() -> None:
    assert value("position(..)", "/data/house[1]/people[2]/age") == 2.0
    assert value("position(../..)", "/data/house[2]/people[1]/age") == 2.0
    assert value("/data/house[position() = 2]/street") == ["two"]
    assert value("/data/house[2]/street") == ["two"]


def test_indexed_repeat_reads_another_iteration() -> None:
    assert value("indexed-repeat(/data/house/people/name, /data/house, 1, /data/house/people, 2)") == ["Ali"]
    at = "/data/house[1]/people[2]/age"
    assert value("indexed-repeat(/data/house/people/name, /data/house/people, position(..) - 1)", at) == ["Awa"]
    assert value("indexed-repeat(/data/house/street, /data/house, 9)") == []


def test_many_answers_at_once() -> None:
    assert value("sum(/data/house/people/age)") == 96.0
    assert value("max(/data/house/people/age)") == 61.0
    assert value("join(', ', /data/house/people/name)") == "Awa, Ali, Zan"
    assert value("concat(/data/house/people/name)") == "AwaAliZan"
    assert value("count-non-empty(/data/house/people/name)", answers={"house": [{"people": [{"name": ""}]}]}) == 0.0
    assert value("count(/data/house/people[age > 18])") == 2.0
    assert value("/data/house/people[age > 18][position() = 1]/name") == ["Awa", "Zan"]


def test_lists_of_the_form_are_looked_up() -> None:
    assert value("instance('region')/root/item[name = /data/region]/code") == ["2"]
    assert value("instance('region')/root/item[name = current()/../region]/label", "/data/t") == ["Koulikoro"]
    assert value("instance('region')/root/item[code > 2]/name") == ["ml4"]
    assert value("instance('region')/root/item[2]/name") == ["ml4"]
    assert value("count(instance('region')/root/item[name = 'nowhere'])") == 0.0
    assert value("jr:choice-name(/data/region, '/data/region')") == "Koulikoro"
    assert value("jr:choice-name('nowhere', '/data/region')") == ""


def test_an_absolute_path_inside_a_predicate_is_the_record_s_not_the_list_s() -> None:
    assert value("instance('villages')/root/item[region = /data/region][people > /data/a]/name") == ["siby"]
    assert value("count(instance('villages')/root/item[people > /data/a * 1000])") == 1.0


def test_lists_outside_the_form_are_found_by_key_not_read_through() -> None:
    VILLAGES.scans = 0

    assert value("instance('villages')/root/item[name = /data/village]/people") == ["2600"]
    assert value("instance('villages')/root/item[region = 'ml4' and people > 5]/label") == ["Bla"]
    assert value("pulldata('villages', 'people', 'name', /data/village)") == "2600"
    assert value("pulldata('villages', 'people', 'name', '')") == ""
    assert VILLAGES.scans == 0


def test_a_list_that_is_not_here_leaves_the_expression_without_value() -> None:
    with pytest.raises(Unevaluable, match="villages"):
        evaluated("instance('villages')/root/item/name")


def test_the_time_zone_says_what_day_it_is() -> None:
    late = dt.datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    east = dt.timezone(dt.timedelta(hours=3))

    assert evaluated("today()", now=late) == "2026-11-24"
    assert evaluated("today()", now=late, tz=east) == "2026-11-25"
    assert evaluated("string(date-time('2026-11-24T23:30:00.000Z'))", tz=east) == "2026-11-25"


def test_chance_is_the_same_for_the_same_seed() -> None:
    def draw(text: str, seed: str) -> object:
        instance = an_instance(PEOPLE, FULL)
        context = Context(instance.root, instance.root, NoLists(), PEOPLE, NOW, UTC, seed)
        return compile_expression(text).evaluate(context)

    assert draw("uuid()", "one") == draw("uuid()", "one") != draw("uuid()", "two")
    assert draw("random()", "one") == draw("random()", "one") != draw("random()", "two")
    assert draw("concat(uuid(), uuid())", "one") != draw("concat(uuid(), uuid())", "two")
    assert evaluated("uuid() != uuid()") is True
    assert evaluated("string-length(uuid(12))") == 12.0


def test_a_shuffle_with_a_seed_keeps_every_item() -> None:
    shuffled = value("randomize(instance('villages')/root/item/name, 42)")

    assert sorted(shuffled) == ["bla", "siby"]


@pytest.mark.parametrize(
    "text", ["date('yesterday')", "format-date('x', '%Y')", "distance('here')", "regex('a', concat('(', ''))"]
)
def test_what_cannot_be_worked_out_says_why(text: str) -> None:
    with pytest.raises(Unevaluable):
        evaluated(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("1 +", "ends too early"),
        ("(1", "‘)’ is missing"),
        ("'abc", "never closed"),
        ("1 2", "stands where it cannot"),
        ("$x", "Variables"),
        ("${a}", "‘{’"),
        ("jr:nothing()", "no function ‘jr:nothing()’"),
        ("selectd(/data/many, 'yes')", "Did you mean ‘selected’"),
        ("9" * 400, "is too large"),
        ("selected(/data/many)", "takes 2 arguments, not 1"),
        ("if(1, 2)", "takes 3 arguments"),
        ("/data/ag = 1", "‘/data/ag’ is not a question"),
        ("/data/regin = 1", "Did you mean ‘region’"),
        ("/house/a = 1", "Paths into this form begin with ‘/data’"),
        ("../../x", "climbs above"),
        ("instance('vilages')/root/item", "Did you mean ‘villages’"),
        ("count('a')", "A path is needed"),
        ("regex(/data/t, '[')", "never closed"),
        ("(" * 200 + "1" + ")" * 200, "levels deep"),
        ("1" + " + 1" * 20_000, "longer than"),
        ("1" + " * 1" * 3_000, "more than 400 operators"),
        ("/data/t = 'a'" + " or /data/t = 'b'" * 500, "more than 400 operators"),
    ],
)
def test_a_faulty_expression_is_told_with_its_remedy(text: str, words: str) -> None:
    assert words in faults(text)


def test_all_faults_of_an_expression_are_told_at_once() -> None:
    told = faults("/data/x + nothing() + instance('y')/root/item")

    assert all(words in told for words in ("/data/x", "nothing()", "‘y’"))


def test_an_expression_says_what_it_reads() -> None:
    expression = compile_expression("../a + sum(/data/house/people/age) * 2", form=PEOPLE, at="/data/t")

    assert expression.depends_on == {"/data/a", "/data/house/people/age"}
    assert not expression.volatile
    assert compile_expression("today()").volatile
    assert compile_expression("once(1)").volatile
    assert compile_expression("pulldata('villages', 'a', 'b', 'c')", form=PEOPLE).lists == {"villages"}
    assert compile_expression("instance('villages')/root/item/name", form=PEOPLE).lists == {"villages"}
    assert compile_expression("instance('region')/root/item/name", form=PEOPLE).lists == frozenset()


def test_a_long_sum_is_no_deep_nesting() -> None:
    assert evaluated(" + ".join(["1"] * 300)) == 300.0
    assert evaluated(" or ".join(["false()"] * 300)) is False


def test_values_convert_by_the_rules_of_xpath() -> None:
    assert [text_of(value) for value in (True, 5.0, 0.5, math.nan, "x", [])] == ["true", "5", "0.5", "NaN", "x", ""]
    assert [number_of(value) for value in (True, 5.0, " 7 ", "1,5")] == [1.0, 5.0, 7.0, 1.5]
    assert math.isnan(number_of("x"))
    assert [boolean_of(value) for value in (True, 0.0, math.nan, "", "false", [])] == [
        True,
        False,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("cells", ["{} | ", " | {}"])
def test_as_many_operators_as_are_allowed_compile_also_deep_within_a_server(cells: str) -> None:
    xform = xform_of(
        f"""
        | survey |         |      |       |             |          |
        |        | type    | name | label | calculation | relevant |
        |        | integer | a    | A     |             |          |
        |        | text    | b    | B     | {cells.format(" + ".join(["${a}"] * 400))} |
        """
    )

    def deeper(frames: int) -> Form:
        return compile_form(xform) if frames == 0 else deeper(frames - 1)

    assert "/data/b" in deeper(100).fields


def test_a_plain_rule_takes_microseconds() -> None:
    instance = an_instance(PEOPLE, FULL)
    context = Context(instance.root, instance.root[0], NoLists(), PEOPLE, NOW, UTC)
    rule = compile_expression(". >= 0 and . <= 120", form=PEOPLE, at="/data/a")
    rule.boolean(context)

    began = time.process_time()
    for _ in range(2000):
        rule.boolean(context)

    assert (time.process_time() - began) / 2000 < 50e-6  # about 3 on a quiet machine


@given(st.text(max_size=60) | st.text(st.sampled_from("0123 ./@*[]()'\"+-=<>|,$:aorndivm"), max_size=40))
def test_no_text_makes_the_compiler_raise_anything_but_a_finding(text: str) -> None:
    try:
        expression = compile_expression(text, form=PEOPLE, at="/data/house/people/age")
    except Faulty:
        return
    instance = an_instance(PEOPLE, FULL)
    node = instance.root.find("house/people/age")
    assert node is not None
    try:
        expression.evaluate(Context(instance.root, node, NoLists(), PEOPLE, NOW, UTC))
    except Unevaluable:
        return


_ATOMS = st.sampled_from(
    (
        "1",
        "0",
        "-1",
        "1 div 0",
        "0 div 0",
        "99999999999999999999",
        "''",
        "'a'",
        "'2026-02-30'",
        "'12 -8;x'",
        "'['",
        "/data/a",
        "/data/d",
        "/data/day",
        "/data/house/people/name",
        "/data/house",
        "..",
        ".",
        "/data/@id",
        "@x",
        "/",
        "//age",
        "/data/*",
        "/data/t/text()",
        "current()/../name",
        "true()",
        "today()",
        "instance('villages')/root/item",
        "instance('region')/root/item/name",
    )
)
_OPERATORS = st.sampled_from(["+", "-", "*", "div", "mod", "=", "!=", "<", ">=", "and", "or", "|"])


@st.composite
def calls(draw: st.DrawFn, depth: int = 2) -> str:
    below = _ATOMS if not depth else calls(depth - 1) | _ATOMS
    if draw(st.integers(0, 3)) == 0:
        return f"({draw(below)} {draw(_OPERATORS)} {draw(below)})"
    name, function = draw(st.sampled_from(sorted(FUNCTIONS.items())))
    most = function.least + 2 if function.most is None else function.most
    arguments = draw(st.lists(below, min_size=function.least, max_size=most))
    return f"{name}({', '.join(arguments)})"


@settings(max_examples=300, deadline=None)
@given(calls())
def test_no_use_of_any_function_raises_anything_but_a_reason(text: str) -> None:
    instance = an_instance(PEOPLE, FULL)
    node = instance.root.find("house/people/age")
    assert node is not None
    context = Context(instance.root, node, VILLAGES, PEOPLE, NOW, UTC)
    try:
        expression = compile_expression(text, form=PEOPLE, at="/data/house/people/age")
    except Faulty:
        return
    for ask in (expression.answer, expression.string, expression.number, expression.boolean):
        with suppress(Unevaluable):
            assert isinstance(ask(context), (str, float, bool))
