"""A form as a person reads it: its groups and questions in order, with labels, hints, choices and rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from forms.form import Choice, Field
from forms.xforms.model import Bind, Form
from forms.xforms.xform import text_written
from forms.xforms.xml import local_name, parser

GROUP, REPEAT, NOTE, CALCULATION = "group", "repeat", "note", "calculation"
_XF = "{http://www.w3.org/2002/xforms}"
_H = "{http://www.w3.org/1999/xhtml}"


@dataclass(frozen=True, slots=True)
class Question:
    """A group, a repeat, or something in one. `kind` is one of the words above, else the field's type.

    `identity` is the path under which it was first known. `depth` counts the groups around it. `choices` are those
    that it has inside the form; `outside` says that its list is an entity list or a file.
    """

    path: str
    identity: str
    name: str
    depth: int
    kind: str
    labels: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    bind: Bind | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)
    list_name: str | None = None
    outside: bool = False
    saved_to: tuple[tuple[str, str], ...] = ()  # list and property


def questions_of(form: Form) -> list[Question]:
    """In the order of the form, each group before what is in it. Metadata and what only the engine needs are left out.

    A form holds still, so it is read once.
    """
    known = form.derived.get("questions")
    if known is None:
        known = form.derived["questions"] = list(_below(form, _hints(form), form.root, "/data", 0))
    return known  # type: ignore[return-value]


def _hints(form: Form) -> dict[str, Mapping[str, str]]:
    """What helps with each question, by path, as the XForm's body has it."""
    hints: dict[str, Mapping[str, str]] = {}
    body = etree.fromstring(form.xform, parser()).find(f"{_H}body")
    for element in body.iterdescendants(tag=etree.Element) if body is not None else ():
        written, hint = element.get("ref") or element.get("nodeset"), element.find(f"{_XF}hint")
        if written and hint is not None and local_name(element.tag) != "itemset":
            hints[_path(written)] = _texts(form, hint)
    return hints


def _texts(form: Form, element: etree._Element) -> Mapping[str, str]:
    ref = element.get("ref", "")
    if ref.startswith("jr:itext("):
        return form.texts.get(ref[len("jr:itext(") :].rstrip(") ").strip("'\""), {})
    text = text_written(element)
    return {form.default_language: text} if text else {}


def _below(
    form: Form, hints: Mapping[str, Mapping[str, str]], element: etree._Element, path: str, depth: int
) -> Iterator[Question]:
    for child in element:
        below = f"{path}/{child.tag}"
        if str(child.tag) == "meta":
            continue
        asked = form.fields.get(below)
        if asked is not None:
            if not asked.metadata:
                yield _question(form, hints.get(asked.path, {}), asked, depth)
        elif len(child):
            kind = REPEAT if below in form.repeats else GROUP
            identity = form.renames.get(below, below)
            yield Question(
                below,
                identity,
                str(child.tag),
                depth,
                kind,
                form.headings.get(below, {}),
                {},
                bind=form.binds.get(below),
            )
            yield from _below(form, hints, child, below, depth + 1)


def _question(form: Form, hints: Mapping[str, str], asked: Field, depth: int) -> Question:
    inside = form.choices.get(asked.itemset, {}) if asked.itemset is not None and not asked.external else {}
    return Question(
        path=asked.path,
        identity=asked.identity,
        name=asked.name,
        depth=depth,
        kind=_kind(asked),
        labels=asked.labels,
        hints=hints,
        bind=form.binds.get(asked.path),
        choices=inside,
        list_name=asked.itemset,
        outside=asked.external,
        saved_to=tuple(
            (declared.list_name, name)
            for declared in form.entities
            for name, where in declared.saves.items()
            if where == asked.path
        ),
    )


def _kind(asked: Field) -> str:
    if asked.calculated and not asked.labels:
        return CALCULATION
    return NOTE if asked.readonly and asked.type == "string" else asked.type


def _path(written: str) -> str:
    """`/visit/people/age` → `/data/people/age`."""
    _, _, rest = written.strip().lstrip("/").partition("/")
    return "/data/" + rest if rest else "/data"
