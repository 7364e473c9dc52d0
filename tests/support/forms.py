"""Forms written as Markdown tables, and records filled in on them."""

from __future__ import annotations

import copy
import datetime as dt
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree
from pyxform.xls2xform import convert

from forms.form import Flag, Lists, NoLists
from forms.xforms.check import check
from forms.xforms.instance import Instance, read_instance
from forms.xforms.xform import Form, compile_form
from forms.xpath.expressions import Context, compile_expression

UTC = dt.UTC
NOW = dt.datetime(2026, 11, 24, 10, 30, tzinfo=dt.UTC)
AN_ID = "uuid:6a1f2b3c-0000-4000-8000-000000000001"


def xform_of(markdown: str) -> bytes:
    """pyxform's XForm of an XLSForm written as a Markdown table. Its form id is `visit` where there are no settings."""
    table = textwrap.dedent(markdown)
    if "settings" not in table:
        table += "\n| settings |\n| | form_id | version |\n| | visit | 1 |\n"
    # pyxform's validation is Java's; forms in tests are small and wrong ones are meant to be.
    xform: str = convert(table, file_type=".md", validate=False).xform
    return xform.encode()


def compiled(markdown: str, renames: Mapping[str, str] | None = None) -> Form:
    """An XLSForm written as a Markdown table, compiled."""
    return compile_form(xform_of(markdown), renames)


def filled(form: Form, answers: Mapping[str, Any] | None = None, /, *, instance_id: str = AN_ID, **more: Any) -> bytes:
    """The XML of a record. Answers by name; of a group a mapping, of a repeat a list of mappings. None leaves the
    element out, as clients do with what is irrelevant. What is not given keeps the template's value, except
    calculations, which are left out."""
    root = copy.deepcopy(form.root)
    _fill(root, {"meta": {"instanceID": instance_id}, **(answers or {}), **more}, form, "/data")
    return etree.tostring(root)


def an_instance(form: Form, answers: Mapping[str, Any] | None = None, /, **more: Any) -> Instance:
    return read_instance(filled(form, answers, **more))


def checked(
    form: Form,
    answers: Mapping[str, Any] | None = None,
    /,
    *,
    lists: Lists | None = None,
    now: dt.datetime = NOW,
    tz: dt.tzinfo = dt.UTC,
    **more: Any,
) -> list[Flag]:
    """The flags of a record filled in so."""
    return check(form, an_instance(form, answers, **more), lists or NoLists(), now, tz)


def evaluated(
    expression: str,
    xml: str = "<data/>",
    *,
    form: Form | None = None,
    at: str = "/data",
    lists: Lists | None = None,
    now: dt.datetime = NOW,
    tz: dt.tzinfo = dt.UTC,
) -> Any:
    """The value of an expression on an instance; `at` may have positions (`/data/people[2]/age`)."""
    root = read_instance(xml.encode()).root
    node = root if at == "/data" else root.find(at.removeprefix("/data/"))
    assert node is not None
    context = Context(root, node, lists or NoLists(), form, now, tz, "a seed")
    plain = "".join(part.partition("[")[0] + "/" for part in at.split("/")).rstrip("/")
    return compile_expression(expression, form=form, at=plain).evaluate(context)


class Tables:
    """Lists outside the form, given as rows: those in `entities` are entity lists, the others attached files."""

    def __init__(self, entities: Sequence[str] = (), **rows: Sequence[Mapping[str, str]]) -> None:
        self._entities = frozenset(entities)
        self._lists = {name: _items(table) for name, table in rows.items()}
        self.scans = 0  # how often a whole list was asked for

    def find(self, list_name: str, column: str, value: str) -> Sequence[etree._Element]:
        root = self._lists.get(list_name)
        return [] if root is None else [item for item in root if item.findtext(column, "") == value]

    def whole(self, list_name: str) -> etree._Element | None:
        self.scans += 1
        return self._lists.get(list_name)

    def is_entities(self, list_name: str) -> bool:
        return list_name in self._entities


def _items(rows: Sequence[Mapping[str, str]]) -> etree._Element:
    root = etree.Element("root")
    for row in rows:
        item = etree.SubElement(root, "item")
        for column, value in row.items():
            etree.SubElement(item, column).text = value
    return root


def _fill(element: etree._Element, answers: Mapping[str, Any], form: Form, path: str) -> None:
    for child in list(element):
        name = str(child.tag)
        question = form.fields.get(f"{path}/{name}")
        if question is not None and question.calculated and name not in answers:
            element.remove(child)
            continue
        if name not in answers and f"{path}/{name}" not in form.repeats:
            continue
        answer = answers.get(name, [{}])
        if answer is None:
            element.remove(child)
        elif isinstance(answer, Mapping):
            _fill(child, answer, form, f"{path}/{name}")
        elif isinstance(answer, (list, tuple)) and f"{path}/{name}" in form.repeats:
            for row in reversed(answer):
                iteration = copy.deepcopy(child)
                _fill(iteration, row, form, f"{path}/{name}")
                child.addnext(iteration)
            element.remove(child)
        else:
            child.text = _written(answer)
    unknown = set(answers) - {str(child.tag) for child in form.root.iter()}
    assert not unknown, f"the form has no {unknown}"


def _written(answer: Any) -> str:
    if isinstance(answer, bool):
        return "true" if answer else "false"
    if isinstance(answer, (list, tuple)):
        return " ".join(map(_written, answer))
    return str(answer)
