"""Our expression engine held against JavaRosa, on expressions that nobody chose.

Where we differ on purpose:
- `max()` of nothing but negative numbers is 0 in JavaRosa (it starts from the smallest positive number).
- `item[2]` finds nothing in JavaRosa, which wants `item[position() = 2]`; here it is XPath 1.0's second item.
- A date function given what is no date ends the form in JavaRosa; here the rule becomes a flag.
- `floor()`, `ceiling()`, `substring()`, `geofence()` of XPath 1.0 and newer specifications are known here only.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from forms.findings import Faulty
from forms.form import NoLists
from forms.xforms.check import check
from forms.xforms.instance import read_instance
from forms.xforms.xform import Form, compile_form
from forms.xpath.expressions import Context, Expression
from tests.support.forms import NOW, UTC, compiled, filled, xform_of
from tests.support.javarosa import JavaRosaRefuses, Oracle, Record, an_oracle

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "25"))

QUESTIONS = """
    | survey  |                      |        |       |            |             |          |
    |         | type                 | name   | label | constraint | calculation | relevant |
    |         | integer              | a      | A     |            |             |          |
    |         | integer              | b      | B     |            |             |          |
    |         | decimal              | d      | D     |            |             |          |
    |         | text                 | t      | T     |            |             |          |
    |         | text                 | u      | U     |            |             |          |
    |         | date                 | day    | Day   |            |             |          |
    |         | dateTime             | moment | M     |            |             |          |
    |         | select_one crop      | one    | O     |            |             |          |
    |         | select_multiple crop | many   | M     |            |             |          |
    |         | begin_repeat         | people | P     |            |             |          |
    |         | text                 | name   | N     |            |             |          |
    |         | integer              | age    | A     |            |             |          |
    {inside}
    |         | end_repeat           |        |       |            |             |          |
    {outside}
    | choices |                      |        |       |        |
    |         | list_name            | name   | label | kind   |
    |         | crop                 | shea   | Shea  | tree   |
    |         | crop                 | rice   | Rice  | grass  |
    |         | crop                 | maize  | Maize | grass  |
"""


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with an_oracle() as oracle:
        yield oracle


# --- expressions ----------------------------------------------------------------------------------------------------

WORDS = ["", "shea", "rice", "rice shea", "5", "05", "1.50", "-2", "a b", " x ", "Awa", "2026-02-28", "true"]


def quoted(text: str) -> str:
    return f"'{text}'"


def numbers(depth: int) -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["${a}", "${b}", "${d}", "${p}"]) | st.sampled_from(
        ["0", "1", "2", "3.5", "0.1", "10", "100", "2.345", "0.001", "12345.678", "1 div 3", "-7"]
    )
    if not depth:
        return leaves
    below, text = numbers(depth - 1), texts(depth - 1)
    return leaves | st.one_of(
        st.tuples(below, st.sampled_from(["+", "-", "*", "div", "mod"]), below).map(
            lambda x: f"({x[0]} {x[1]} {x[2]})"
        ),
        below.map(lambda x: f"-{x}"),
        below.map(lambda x: f"int({x})"),
        below.map(lambda x: f"abs({x})"),
        st.tuples(below, st.integers(-1, 3)).map(lambda x: f"round({x[0]}, {x[1]})"),
        below.map(lambda x: f"round({x})"),
        st.tuples(below, below).map(lambda x: f"min({x[0]}, {x[1]})"),
        st.tuples(below, below).map(lambda x: f"pow({x[0]}, 2)"),
        text.map(lambda x: f"string-length({x})"),
        text.map(lambda x: f"number({x})"),
        st.just("count-selected(${many})"),
        st.just("count(/data/people)"),
        st.just("sum(/data/people/age)"),
        st.just("max(/data/people/age)"),
        st.just("count-non-empty(/data/people/name)"),
        dates(depth - 1).map(lambda x: f"decimal-date-time({x})"),
        st.tuples(truths(depth - 1), below, below).map(lambda x: f"if({x[0]}, {x[1]}, {x[2]})"),
        st.tuples(dates(depth - 1), dates(depth - 1)).map(lambda x: f"({x[0]} - {x[1]})"),
        st.tuples(below, below).map(lambda x: f"coalesce({x[0]}, {x[1]})"),
        st.integers(0, 3).map(lambda i: f"indexed-repeat(/data/people/age, /data/people, {i})"),
    )


def texts(depth: int) -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["${t}", "${u}", "${one}", "${many}"]) | st.sampled_from(WORDS).map(quoted)
    if not depth:
        return leaves
    below, number = texts(depth - 1), numbers(depth - 1)
    return leaves | st.one_of(
        st.tuples(below, number | below | truths(0)).map(lambda x: f"concat({x[0]}, '/', {x[1]})"),
        st.tuples(below, number).map(lambda x: f"join(' ', {x[0]}, {x[1]})"),
        st.tuples(below, st.integers(-3, 3), st.integers(-3, 5)).map(lambda x: f"substr({x[0]}, {x[1]}, {x[2]})"),
        st.tuples(below, below).map(lambda x: f"substring-before({x[0]}, {x[1]})"),
        st.tuples(below, below).map(lambda x: f"substring-after({x[0]}, {x[1]})"),
        below.map(lambda x: f"normalize-space({x})"),
        below.map(lambda x: f"translate({x}, 'aei', 'xy')"),
        st.integers(-1, 2).map(lambda i: f"selected-at(${{many}}, {i})"),
        number.map(lambda x: f"string({x})"),
        dates(depth - 1).map(lambda x: f"format-date({x}, '%Y-%m-%d %e %n')"),
        dates(depth - 1).map(lambda x: f"string({x})"),
        st.tuples(truths(depth - 1), below, below).map(lambda x: f"if({x[0]}, {x[1]}, {x[2]})"),
        st.tuples(below, below).map(lambda x: f"coalesce({x[0]}, {x[1]})"),
        below.map(lambda x: f"instance('crop')/root/item[name = {x}]/label"),
        below.map(lambda x: f"join('+', instance('crop')/root/item[kind = 'grass' and name != {x}]/name)"),
        below.map(lambda x: f"jr:choice-name({x}, '${{one}}')"),
        st.just("join(', ', /data/people/name)"),
        number.map(lambda x: f"/data/people[age > {x}][position() = 1]/name"),
        below.map(lambda x: f"digest({x}, 'SHA-256', 'hex')"),
    )


def dates(depth: int) -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["${day}", "date('2026-02-28')", "date('2020-02-29')", "${moment}"])
    if not depth:
        return leaves
    return leaves | st.one_of(
        st.tuples(dates(depth - 1), st.integers(-400, 400)).map(lambda x: f"date({x[0]} + {x[1]})"),
        dates(depth - 1).map(lambda x: f"date({x})"),
        dates(depth - 1).map(lambda x: f"date-time({x})"),
    )


def truths(depth: int) -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["true()", "false()", "${q}", "selected(${many}, 'rice')", "${one} = 'shea'", "${a} > 2"])
    if not depth:
        return leaves
    number, text, below = numbers(depth - 1), texts(depth - 1), truths(depth - 1)
    compared = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
    return leaves | st.one_of(
        st.tuples(number, compared, number).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        st.tuples(text, st.sampled_from(["=", "!="]), text).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        st.tuples(number, st.sampled_from(["=", "!=", "<"]), text).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        st.tuples(dates(depth - 1), compared, dates(depth - 1)).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        st.tuples(below, st.sampled_from(["and", "or", "="]), below).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        (below | text | number).map(lambda x: f"not({x})"),
        (text | number).map(lambda x: f"boolean({x})"),
        text.map(lambda x: f"boolean-from-string({x})"),
        st.tuples(text, text).map(lambda x: f"contains({x[0]}, {x[1]})"),
        st.tuples(text, text).map(lambda x: f"starts-with({x[0]}, {x[1]})"),
        st.tuples(text, text).map(lambda x: f"ends-with({x[0]}, {x[1]})"),
        st.sampled_from(["shea", "rice", "maize"]).map(lambda x: f"selected(${{many}}, '{x}')"),
        st.tuples(text, st.sampled_from(["[0-9]+", "[a-z ]*", "(rice|shea)+", r"\w+\s?\w*", ".{2,4}"])).map(
            lambda x: f"regex({x[0]}, '{x[1].replace('|', 'i')}')"
        ),
        st.tuples(below, text, number).map(lambda x: f"checklist(1, 2, {x[0]}, {x[1]}, {x[2]})"),
    )


def expressions(depth: int = 3) -> st.SearchStrategy[str]:
    return st.one_of(numbers(depth), texts(depth), truths(depth), dates(depth))


def inner(depth: int = 2) -> st.SearchStrategy[str]:
    """For inside the repeat: absolute paths, relative ones and positions."""
    of_the_row = st.sampled_from(
        [
            "${age}",
            "/data/people/age",
            "../age",
            "position(..)",
            "sum(/data/people/age)",
            "sum(../../people/age)",
            "count(../../people)",
            "count(/data/people)",
            "/data/people[position() = 1]/age",
            "indexed-repeat(/data/people/age, /data/people, position(..) - 1)",
            "current()/../age",
            "string-length(${name})",
        ]
    )
    return st.tuples(of_the_row, st.sampled_from(["+", "-", "*"]), numbers(depth)).map(
        lambda x: f"{x[0]} {x[1]} {x[2]}"
    )


answers = st.fixed_dictionaries(
    {
        "a": st.sampled_from(["", "0", "3", "5", "-2", "1000000"]),
        "b": st.sampled_from(["", "1", "7", "-40"]),
        "d": st.sampled_from(["", "1.5", "0.1", "-0.25", "3.0", "2.345"]),
        "t": st.sampled_from(WORDS).map(str.strip),
        "u": st.sampled_from(WORDS).map(str.strip),
        "day": st.sampled_from(["", "2026-02-28", "2020-02-29", "1969-12-31"]),
        "moment": st.sampled_from(["", "2026-02-28T23:30:00.000Z", "2026-02-28T00:00:00.000+01:00"]),
        "one": st.sampled_from(["", "shea", "rice"]),
        "many": st.sampled_from(["", "shea", "rice maize", "shea rice maize"]),
        "people": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["", "Awa", "Ali"]), "age": st.sampled_from(["", "3", "40"])}
            ),
            min_size=1,
            max_size=3,
        ),
    }
)


EACH_FUNCTION = r"""
1 div 0
-1 div 0
0 div 0
5 mod 3
-5 mod 3
5.5 mod -2
0.1 + 0.2
0.1 + 0.2 = 0.3
12345678.5
1234567.25 * 100
2147483648 * 1
3000000000
1 div 3
0.00001
'5' + 1
'1,5' + 1
'1e3' + 1
' 7 ' + 1
'abc' + 1
${a} = '5'
${a} = '05'
${a} = 5.0
${d} = '1.50'
${d} = '1.5'
${d}
concat(${d}, 'x')
${day} > '2020-01-01'
${day} > date('2020-01-01')
${day} = '2020-02-29'
${day} = date('2020-02-29')
${day} + 1
date(${day} + 1)
${day} - date('2020-01-01')
string(${day} + 1)
string(date(${day} + 1))
format-date(${day}, '%Y/%m/%d %e %n %y')
format-date('', '%Y')
decimal-date-time(${day})
decimal-date-time('2020-02-29')
date(18000)
date(18000.7)
date('')
date('2020-01-05T23:30:00.000-05:00')
date-time('2020-01-05T23:30:00.000-05:00')
date-time(18000.5)
selected('a b', 'c')
count-selected('  a  b ')
count-selected('')
if(${a} > 3, 'x', 1)
if(${a} > 3, ${d}, '')
if(${a} > 3, ${day}, '')
if('', 1, 2)
if('false', 1, 2)
coalesce('', 'b')
coalesce(${a}, 3)
coalesce(1 div 'x', 3)
round(2.5)
round(-2.5)
round(1.005, 2)
round(1234.567, -2)
round(-1234.567, -2)
round(2.345, 2)
int(2.9)
int(-2.9)
int('x')
abs(-3)
pow(2, 0.5)
pow(0, -1)
pow(-8, 1 div 3)
log(0)
log(-1)
log10(1000)
exp(1)
exp10(2)
exp(1000)
sqrt(2)
sqrt(-1)
sin(1)
cos(1)
tan(1)
asin(2)
acos(0.5)
atan(1)
atan2(1, 2)
pi()
min(3, 1, 2)
max(3, 1, 2)
min('', 2)
max('', '')
min(-1, -5)
sum(/data/people/age)
min(/data/people/age)
max(/data/people/age)
count(/data/people)
count-non-empty(/data/people/name)
join(', ', /data/people/name)
join('-', 'a', 1, ${a})
concat('a', 1, true(), 0.5)
concat(/data/people/name)
substr('hello', 1)
substr('hello', 1, 3)
substr('hello', -3)
substr('hello', 1, -1)
substr('hello', 4, 2)
substr('hello', 'x')
substring-before('a/b', '/')
substring-after('a/b', '/')
substring-before('ab', '/')
substring-after('ab', '')
translate('abc', 'ab', 'x')
contains('abc', 'b')
starts-with('abc', 'a')
ends-with('abc', 'c')
string-length('héllo')
normalize-space('  a  b ')
string-length(${t})
boolean('false')
boolean(0)
boolean(${a})
boolean('')
boolean-from-string('TRUE')
boolean-from-string('1')
boolean-from-string('yes')
not('')
not(${a} = 5)
true() = 'true'
true() = 'x'
true() = 1
true() + 1
regex('12345', '[0-9]{5}')
regex('12345a', '[0-9]{5}')
regex('a.b', 'a\.b')
regex('ééé', '\w+')
regex('٣', '\d')
checklist(1, 2, 'a', '', 'b')
checklist(-1, 1, true(), true())
weighted-checklist(1, 3, true(), 1, true(), 2)
digest('abc', 'MD5')
digest('abc', 'SHA-256', 'hex')
digest('abc', 'SHA-1', 'base64')
base64-decode('aGVsbG8=')
distance('0 0 0 0;0 1 0 0')
string(1.0)
string(100000000)
string(123456789.123)
string(0.1)
string(-0.5)
string(1 div 3)
number('')
number(true())
'a' < 'b'
'10' < '9'
'' < 1
'' = 0
0 = ''
'' = ''
'a' = 'a'
1 = '1.0'
'1' = '1.0'
(1 = 1) = (2 = 2)
-'5'
- -5
--5
-${a}
1 - - 1
2 + 3 * 4 - 6 div 2
(2 + 3) * 4
1 < 2 and 2 < 3 or false()
3 > 2 > 1
indexed-repeat(/data/people/age, /data/people, 0)
indexed-repeat(/data/people/name, /data/people, 2)
indexed-repeat(/data/people/name, /data/people, 9)
/data/people[position() = 2]/name
/data/people[name = 'b']/age
/data/people[age > 3]/name
count(/data/people[age > 3])
sum(/data/people[age > 2]/age)
count(/data/people[age > 2][name='b'])
selected(${many}, 'rice')
selected(${many}, ' rice ')
selected-at(${many}, 0)
selected-at(${many}, 1)
selected-at(${many}, 9)
selected-at(${many}, -1)
count-selected(${many})
jr:choice-name('rice', '${one}')
jr:choice-name('zz', '${many}')
count(instance('crop')/root/item)
instance('crop')/root/item[name = 'rice']/label
instance('crop')/root/item[name = selected-at(${many}, 1)]/kind
instance('crop')/root/item[kind = 'grass'][position() = 2]/name
instance('crop')/root/item[kind = 'grass' and label != 'Rice']/name
count(instance('crop')/root/item[contains(label, 'i')])
count(instance('crop')/root/item[name != ${t}])
instance('crop')/root/item[name = current()/../one]/label
join(' ', instance('crop')/root/item/name)
decimal-date-time(${moment})
string(${moment})
${moment} > ${day}
${moment} = ${day}
format-date-time(${moment}, '%Y-%m-%d %H:%M:%S.%3 %h %a %b')
date(decimal-date-time(${moment}))
${q} = 'true'
${q} = 1
${q} and true()
not(${q})
concat(${q}, '')
if(${q}, 'x', 'y')
${p} * 2
concat(${p}, '')
${p} = '4.5'
once(${a})
max(${day})
min(${day}, date('2020-01-01'))
min(${a})
join(' ', randomize(instance('crop')/root/item/name, 42))
join(' ', randomize(instance('crop')/root/item/name, -5))
sum(/data/people/age) * 2
decimal-date-time(date(${moment}))
string-length(string(decimal-date-time(${day})))
position(..)
string-length(${a})
min(/data/people/age)
count(/data/people[age > 3]) + count(/data/people[name = ''])
count(/data/people[age > count(/data/people)])
join(' ', /data/people[age = max(/data/people/age)]/name)
join(' ', /data/people[count(/data/people[age > 3]) = 1]/name)
join(' ', /data/people[age > sum(/data/people/age) - 4]/name)
join(' ', /data/people[name = indexed-repeat(/data/people/name, /data/people, 1)]/name)
/data/people[position() = 2]/age
int(${d} * 1000)
${d} = 1.5
${d} >= 1.5
version()
""".strip().splitlines()


# --- both engines -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    calculated: Sequence[str] = ()
    inside: Sequence[str] = ()
    relevant: Sequence[str] = ()
    constraint: Sequence[str] = ()

    def form(self) -> Form:
        outside = [
            "|         | calculate            | p      |       |            | ${a} * 1.5  |          |",
            "|         | calculate            | q      |       |            | ${a} > 1    |          |",
            *(f"| | calculate | c{i} | | | {text} | |" for i, text in enumerate(self.calculated)),
            *(f"| | text | r{i} | R | | | {text} |" for i, text in enumerate(self.relevant)),
            *(f"| | text | k{i} | K | {text} | | |" for i, text in enumerate(self.constraint)),
        ]
        inside = [f"| | calculate | i{i} | | | {text} | |" for i, text in enumerate(self.inside)]
        lines = QUESTIONS.replace("{inside}", "\n    ".join(inside)).replace("{outside}", "\n    ".join(outside))
        return compiled(lines)

    def halves(self) -> Iterator[Rules]:
        every = [
            (kind, text) for kind in ("calculated", "inside", "relevant", "constraint") for text in getattr(self, kind)
        ]
        for part in (every[: len(every) // 2], every[len(every) // 2 :]):
            yield Rules(
                **{
                    kind: [text for k, text in part if k == kind]
                    for kind in ("calculated", "inside", "relevant", "constraint")
                }
            )

    def __len__(self) -> int:
        return len(self.calculated) + len(self.inside) + len(self.relevant) + len(self.constraint)


def differences(oracle: Oracle, rules: Rules, given_answers: dict[str, Any], tz: dt.tzinfo = UTC) -> list[str]:
    """What the engines say differently. What JavaRosa cannot work out at all is left out."""
    form = rules.form()
    more = {f"r{i}": "x" for i in range(len(rules.relevant))} | {f"k{i}": "x" for i in range(len(rules.constraint))}
    xml = filled(form, given_answers | more | {"p": "", "q": ""} | {f"c{i}": "" for i in range(len(rules.calculated))})
    try:
        oracle.form(form.xform)
        record = oracle.record(xml)
    except JavaRosaRefuses:
        if len(rules) < 2:
            return []
        return [found for half in rules.halves() for found in differences(oracle, half, given_answers, tz)]
    return list(compared(form, settled(xml, record), record, tz))


def settled(xml: bytes, record: Record) -> etree._Element:
    """The record with the values that JavaRosa calculated in it, and nothing where it says that nothing is relevant."""
    root = read_instance(xml).root
    for path, node in record.nodes.items():
        for element in root.xpath("/*" + path.removeprefix("/data")):
            if len(element) == 0:
                element.text = node.value if node.relevant else ""
    return root


def compared(form: Form, root: etree._Element, record: Record, tz: dt.tzinfo) -> Iterator[str]:
    for path, bind in form.binds.items():
        for element in root.iterfind(path.removeprefix("/data/").partition("/@")[0]):
            place = root.getroottree().getpath(element)
            node, context = record.at(place), Context(root, element, NoLists(), form, NOW, tz)
            if bind.relevant is not None and bind.relevant.boolean(context) != node.relevant:
                yield f"relevant {bind.relevant.text}: JavaRosa says {node.relevant}"
            if bind.constraint is not None and bind.constraint.boolean(context) != node.constraint:
                yield f"constraint {bind.constraint.text}: JavaRosa says {node.constraint}"
            if bind.calculate is not None and bind.calculate.answer(context) != node.value:
                yield from unequal(bind.calculate, context, node.value)


def unequal(calculate: Expression, context: Context, theirs: str) -> Iterator[str]:
    ours = calculate.answer(context)
    if ours.replace("+00:00", "Z") != theirs and not (ours and theirs and close(ours, theirs)):
        yield f"{calculate.text}: {ours!r}, but JavaRosa says {theirs!r}"


def close(ours: str, theirs: str) -> bool:
    try:
        return float(ours) == pytest.approx(float(theirs), rel=1e-12)
    except ValueError:
        return False


FULL = {
    "a": "3",
    "b": "-40",
    "d": "1.5",
    "t": "hello",
    "u": "05",
    "day": "2020-02-29",
    "moment": "2026-02-28T23:30:00.000Z",
    "one": "shea",
    "many": "rice maize",
    "people": [{"name": "a", "age": "3"}, {"name": "b", "age": "4"}, {"name": "", "age": ""}],
}
BLANK = {name: "" for name in FULL if name != "people"} | {"people": [{"name": "", "age": ""}]}


@pytest.mark.parametrize("given_answers", [FULL, BLANK], ids=["answered", "blank"])
def test_each_function_gives_what_javarosa_gives(oracle: Oracle, given_answers: dict[str, Any]) -> None:
    assert differences(oracle, Rules(calculated=EACH_FUNCTION), given_answers) == []


LARGE = """
${d} * 2
concat(${d}, '')
if(${d} > 0, ${d}, 0) + 1
coalesce(${d}, 0) + 1
round(${d}, 1)
string-length(${d})
number(${d})
${d} = '1.0E7'
${d} = 12345678.9
max(${d}, 2)
sum(${d})
int(${d})
translate(${d}, '.', ',')
${d} > 9999999
${c0} + 1
${c3} + 1
regex(${d}, '[0-9]+')
number('1.0E7')
""".strip().splitlines()


@pytest.mark.parametrize("decimal", ["1.23456789E7", "1.0E7", "1.0E-4"])
def test_a_decimal_that_java_writes_with_an_exponent_is_a_number(oracle: Oracle, decimal: str) -> None:
    assert differences(oracle, Rules(calculated=LARGE), {**FULL, "d": decimal}) == []


@pytest.mark.parametrize(
    "measured",
    [
        "distance(${here}, ${there})",
        "distance(${there}, ${here})",
        "distance(${there})",
        "distance(${there}, ${there})",
        "distance(concat(${here}, ';', ${there}))",
        "distance(concat(${there}, ';', ${here}))",
        "distance('1.0E-4 0 0 0;0 0 0 0')",
        "distance(${stop})",
        "area(${stop})",
        "area(${there})",
    ],
)
def test_a_point_that_was_not_taken_is_where_javarosa_has_it(oracle: Oracle, measured: str) -> None:
    form = compiled(f"""
        | survey |              |       |       |             |
        |        | type         | name  | label | calculation |
        |        | geopoint     | here  | H     |             |
        |        | geopoint     | there | T     |             |
        |        | begin_repeat | way   | W     |             |
        |        | geopoint     | stop  | S     |             |
        |        | end_repeat   |       |       |             |
        |        | calculate    | far   |       | {measured}  |
    """)
    oracle.form(form.xform)
    stops = [{"stop": "12.3 -8.4 0 0"}, {"stop": ""}, {"stop": "12.4 -8.3 0 0"}]

    record = oracle.record(filled(form, here="12.3 -8.4 0 0", there="", way=stops))

    assert check(form, read_instance(record.xml), NoLists(), NOW, UTC) == []


DATES = r"""
${day} + 1
string(${moment})
decimal-date-time(${day})
decimal-date-time(${moment})
decimal-time(${moment})
date(decimal-date-time(${moment}))
${moment} = ${day}
${moment} - ${day}
format-date(${moment}, '%Y-%m-%d %H:%M')
date('2020-01-05T23:30:00.000-05:00') - date('2020-01-05')
string(date(18321.9))
string(date-time(18321.9))
date(${day} + 1) = '2020-03-01'
""".strip().splitlines()


@pytest.mark.parametrize("hours", [5.5, -5])
def test_dates_are_those_of_the_time_zone(hours: float) -> None:
    tz = dt.timezone(dt.timedelta(hours=hours))

    with an_oracle(f"GMT{tz.utcoffset(None) // dt.timedelta(hours=1):+d}:{'30' if hours % 1 else '00'}") as abroad:
        assert differences(abroad, Rules(calculated=DATES), FULL, tz) == []


law = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@law
@given(st.lists(expressions(), min_size=20, max_size=30), answers)
def test_calculations_come_out_as_in_javarosa(
    oracle: Oracle, calculated: list[str], given_answers: dict[str, Any]
) -> None:
    assert differences(oracle, Rules(calculated=calculated), given_answers) == []


@law
@given(st.lists(inner(), min_size=10, max_size=16, unique=True), answers)
def test_calculations_in_a_repeat_come_out_as_in_javarosa(
    oracle: Oracle, inside: list[str], given_answers: dict[str, Any]
) -> None:
    assert differences(oracle, Rules(inside=inside), given_answers) == []


@law
@given(st.lists(expressions(), min_size=10, max_size=16), st.lists(expressions(), min_size=10, max_size=16), answers)
def test_relevance_and_constraints_hold_as_in_javarosa(
    oracle: Oracle, relevant: list[str], constraint: list[str], given_answers: dict[str, Any]
) -> None:
    assert differences(oracle, Rules(relevant=relevant, constraint=constraint), given_answers) == []


@law
@given(st.lists(expressions(2), min_size=5, max_size=10), answers)
def test_a_record_that_javarosa_made_has_no_flags(
    oracle: Oracle, calculated: list[str], given_answers: dict[str, Any]
) -> None:
    form = Rules(calculated=calculated).form()
    try:
        oracle.form(form.xform)
        record = oracle.record(filled(form, given_answers, p="", q=""))
    except JavaRosaRefuses:
        return

    assert check(form, read_instance(record.xml), NoLists(), NOW, UTC) == []


def test_the_same_words_inside_and_outside_a_repeat_are_worked_out_once(oracle: Oracle) -> None:
    form = compiled("""
        | survey |              |        |       |                  |
        |        | type         | name   | label | calculation      |
        |        | begin_repeat | people | P     |                  |
        |        | integer      | age    | A     |                  |
        |        | calculate    | here   |       | count(${people}) |
        |        | calculate    | mine   |       | sum(/data/people/age) |
        |        | end_repeat   |        |       |                  |
        |        | calculate    | all    |       | count(${people}) |
    """)
    oracle.form(form.xform)

    record = oracle.record(filled(form, people=[{"age": 3}, {"age": 4}]))

    assert [record.at(f"/data/people[{n}]/here").value for n in (1, 2)] == ["2", "2"]
    assert [record.at(f"/data/people[{n}]/mine").value for n in (1, 2)] == ["3", "4"]
    assert check(form, read_instance(record.xml), NoLists(), NOW, UTC) == []


WIVES = """
    | survey |                |       |             |              |                                  |
    |        | type           | name  | label::Français (fr) | label::English (en) | calculation      |
    |        | text           | who   | Qui         | Who          |                                  |
    |        | begin_repeat   | people | Personnes  | People       |                                  |
    |        | text           | name  | Nom         | Name         |                                  |
    |        | select_one kin | kin   | Lien        | Kin          |                                  |
    |        | calculate      | said  |             |              | jr:choice-name(${kin}, '${kin}') |
    |        | calculate      | text  |             |              | jr:itext('kin-0')                |
    |        | calculate      | plain |             |              | jr:itext('kin-3')                |
    |        | begin_repeat   | kids  | Enfants     | Kids         |                                  |
    |        | text           | kid   | Enfant      | Kid          |                                  |
    |        | select_one kin | of    | Lien        | Kin          |                                  |
    |        | calculate      | here  |             |              | jr:choice-name(${of}, '${of}')   |
    |        | calculate      | there |             |              | jr:choice-name(${kin}, '${kin}') |
    |        | end_repeat     | kids  |             |              |                                  |
    |        | end_repeat     | people |            |              |                                  |
    | choices |               |       |             |              |                                  |
    |        | list_name      | name  | label::Français (fr) | label::English (en) |                  |
    |        | kin            | wife  | Femme de ${who} | Wife of ${who} |                            |
    |        | kin            | child | Enfant de ${name} | Child of ${name} |                        |
    |        | kin            | friend | Ami de ${kid} | Friend of ${kid} |                           |
    |        | kin            | alone | Seul        | Alone        |                                  |
"""


def test_labels_with_answers_in_them_are_those_of_the_iteration(oracle: Oracle) -> None:
    form = compiled(WIVES)
    kids = [{"kid": "Ba", "of": "friend"}, {"kid": "Do", "of": "child"}, {"kid": "", "of": "wife"}]
    blank = {"said": "", "text": "", "plain": ""}
    people = [
        {"name": name, "kin": kin, **blank, "kids": [one | {"here": "", "there": ""} for one in kids]}
        for name, kin in (("Awa", "child"), ("", "wife"), ("Cé", "alone"))
    ]

    oracle.form(form.xform)
    record = oracle.record(filled(form, {"who": "Fanta", "people": people}))

    assert record.at("/data/people[1]/kids[1]/here").value == "Ami de Ba"
    assert record.at("/data/people[1]/kids[2]/there").value == "Enfant de Awa"
    assert record.at("/data/people[1]/text").value == "Femme de ${0}"
    assert check(form, read_instance(record.xml), NoLists(), NOW, UTC) == []


def test_a_new_record_starts_with_its_defaults(oracle: Oracle) -> None:
    form = compiled("""
        | survey |           |      |       |         |             |
        |        | type      | name | label | default | calculation |
        |        | integer   | a    | A     | 4       |             |
        |        | calculate | b    |       |         | ${a} * 2    |
    """)

    oracle.form(form.xform)

    record = oracle.new_record()
    assert (record.at("/data/a").value, record.at("/data/b").value) == ("4", "8")


CIRCLES = {
    "two that show each other": ["integer a | ${b} = 1 | ", "integer b | ${a} = 1 | "],
    "one that shows itself": ["integer a | . = 1 | "],
    "a calculation and what hangs on it": ["integer a | ${c} = 1 | ", "calculate c | | ${a} + 1"],
    "a group and a question in it": ["begin_group g | ${a} = 1 | ", "integer a | | ", "end_group g | | "],
    "a group and a calculation of its question": [
        "calculate c | | ${a} + 1",
        "begin_group g | ${c} = 1 | ",
        "integer a | | ",
        "end_group g | | ",
    ],
    "a repeat and how often it is there": ["begin_repeat r | ${a} = 1 | ", "integer a | | ", "end_repeat r | | "],
    "once": ["calculate c | | once(random())"],
    "a group and a question before it": [
        "integer a | | ",
        "begin_group g | ${a} = 1 | ",
        "integer b | ${a} > 1 | ",
        "end_group g | | ",
    ],
    "one after the other": ["integer a | | ", "calculate c | | ${a}", "integer b | ${c} = 1 | "],
}


@pytest.mark.parametrize("rows", CIRCLES.values(), ids=CIRCLES)
def test_a_form_goes_in_a_circle_where_javarosa_says_so(oracle: Oracle, rows: Sequence[str]) -> None:
    table = ["| survey | type | name | label | relevant | calculation |"]
    for row in rows:
        named, relevant, calculation = row.split("|")
        kind, name = named.split()
        table.append(f"| | {kind} | {name} | {'' if kind == 'calculate' else name} | {relevant} | {calculation} |")
    xform = xform_of("\n".join(table))

    assert in_a_circle(lambda: oracle.form(xform)) == in_a_circle(lambda: compile_form(xform))


def in_a_circle(read: Callable[[], object]) -> bool:
    try:
        read()
    except JavaRosaRefuses as refusal:
        return "Cycle" in str(refusal)
    except Faulty as faulty:
        return "in a circle" in str(faulty)
    return False
