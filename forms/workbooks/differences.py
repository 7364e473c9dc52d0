"""What is different between two versions of a form, question by question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from forms.indicators.sheets import Indicator, Sheets
from forms.xforms.model import Form
from forms.xforms.questions import GROUP, REPEAT, Question, questions_of

ADDED, REMOVED, RENAMED, CHANGED = "added", "removed", "renamed", "changed"
RULES = ("required", "relevant", "constraint", "calculate")
_TOLD = ("aggregate", "each", "where", "subject", "value", "per_subject", "keep", "date", "until", "place", "by")
_MESSAGES = ("required_messages", "constraint_messages")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not what it was.

    `what` is title, language, subject (whom a visit is about), expected (of whom one is), question, group, label, hint,
    type, required, relevant, constraint, calculate, message, list, choice, indicator or target; `name` is that of the
    question, list or indicator. A label or a message has a `language`. `before` and `after` are as written; either is
    empty where there is none.
    """

    what: str
    kind: str
    name: str
    before: str = ""
    after: str = ""
    language: str = ""


def changes_between(before: tuple[Form, Sheets], after: tuple[Form, Sheets]) -> list[Change]:
    """In the order of the newer form; what has gone stands where its kind of thing does. Questions are known by their
    identity, so that one whose new name the workbook declares is renamed, and not another one."""
    (old, old_sheets), (new, new_sheets) = before, after
    return [
        *_of_form(old, new),
        *_about(old_sheets, new_sheets),
        *_questions(old, new),
        *_lists(old, new),
        *_indicators(old_sheets, new_sheets),
        *_targets(old_sheets, new_sheets),
    ]


def _of_form(old: Form, new: Form) -> Iterator[Change]:
    if old.title != new.title:
        yield Change("title", CHANGED, new.form_id, old.title, new.title)
    for language in new.languages:
        if language not in old.languages:
            yield Change("language", ADDED, language)
    for language in old.languages:
        if language not in new.languages:
            yield Change("language", REMOVED, language)


def _about(old: Sheets, new: Sheets) -> Iterator[Change]:
    for what in ("subject", "expected"):
        before, after = getattr(old, what), getattr(new, what)
        if before != after:
            yield Change(what, CHANGED, after or before, before, after)


def _questions(old: Form, new: Form) -> Iterator[Change]:
    was = {question.identity: question for question in questions_of(old)}
    now = {question.identity: question for question in questions_of(new)}
    for identity, question in now.items():
        if identity not in was:
            yield Change(_thing(question), ADDED, question.name, "", _label(new, question))
        else:
            yield from _question(old, new, was[identity], question)
    for identity, question in was.items():
        if identity not in now:
            yield Change(_thing(question), REMOVED, question.name, _label(old, question), "")


def _question(old: Form, new: Form, was: Question, now: Question) -> Iterator[Change]:
    if was.name != now.name:
        yield Change(_thing(now), RENAMED, now.name, was.name, now.name)
    elif was.path.rpartition("/")[0] != now.path.rpartition("/")[0] and _moved(old, new, was, now):
        yield Change(_thing(now), RENAMED, now.name, _inside(was), _inside(now))
    if was.kind != now.kind or was.list_name != now.list_name:
        yield Change("type", CHANGED, now.name, _type(was), _type(now))
    yield from _texts("label", now.name, was.labels, now.labels)
    yield from _texts("hint", now.name, was.hints, now.hints)
    for rule in RULES:
        before, after = (_rule(form, question, rule) for form, question in ((old, was), (new, now)))
        if before != after:
            yield Change(rule, CHANGED, now.name, before, after)
    for messages in _MESSAGES:
        said = (getattr(question.bind, messages) if question.bind else {} for question in (was, now))
        yield from _texts("message", now.name, *said)


def _moved(old: Form, new: Form, was: Question, now: Question) -> bool:
    """Not if only the group around it has another name."""
    around_was, around_now = was.path.rpartition("/")[0], now.path.rpartition("/")[0]
    return old.renames.get(around_was, around_was) != new.renames.get(around_now, around_now)


def _lists(old: Form, new: Form) -> Iterator[Change]:
    for name, choices in new.choices.items():
        if name not in old.choices:
            yield Change("list", ADDED, _short(name), "", ", ".join(choices))
            continue
        was = old.choices[name]
        for value, choice in choices.items():
            if value not in was:
                yield Change("choice", ADDED, _short(name), "", _first(choice.labels) or value)
            else:
                yield from _texts("choice", f"{_short(name)}: {value}", was[value].labels, choice.labels)
        for value, choice in was.items():
            if value not in choices:
                yield Change("choice", REMOVED, _short(name), _first(choice.labels) or value)
    for name, choices in old.choices.items():
        if name not in new.choices:
            yield Change("list", REMOVED, _short(name), ", ".join(choices))


def _indicators(old: Sheets, new: Sheets) -> Iterator[Change]:
    for indicator in new.indicators:
        was = old.indicator(indicator.name)
        if was is None:
            yield Change("indicator", ADDED, indicator.name, "", _first(indicator.labels))
            continue
        yield from _texts("indicator", indicator.name, was.labels, indicator.labels)
        if old.definition_of(was) != new.definition_of(indicator):
            yield Change("indicator", CHANGED, indicator.name, _told(was), _told(indicator))
    for indicator in old.indicators:
        if new.indicator(indicator.name) is None:
            yield Change("indicator", REMOVED, indicator.name, _first(indicator.labels))


def _targets(old: Sheets, new: Sheets) -> Iterator[Change]:
    was, now = (
        {(row.indicator, row.period, row.place, tuple(sorted(row.by.items()))): row for row in sheets.targets}
        for sheets in (old, new)
    )
    for key in [*now, *(key for key in was if key not in now)]:
        before, after = (str(rows[key].target) if key in rows else "" for rows in (was, now))
        if before != after:
            kind = ADDED if key not in was else REMOVED if key not in now else CHANGED
            yield Change("target", kind, f"{key[0]}, {key[1]}", before, after)


def _texts(what: str, name: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    for language in dict.fromkeys([*now, *was]):
        if was.get(language, "") != now.get(language, ""):
            yield Change(what, CHANGED, name, was.get(language, ""), now.get(language, ""), language)


def _rule(form: Form, question: Question, rule: str) -> str:
    """With `${name}` for each question that it names, so that a group's new name does not change the rule."""
    expression = getattr(question.bind, rule) if question.bind is not None else None
    return "" if expression is None else as_written(form, expression.text)


def as_written(form: Form, text: str) -> str:
    """An expression of the XForm as the author of the workbook writes it."""
    root = str(form.root.tag)

    def name_of(found: re.Match[str]) -> str:
        known = form.fields.get("/data" + found[1].removeprefix(f"/{root}"))
        return f"${{{known.name}}}" if known is not None else found[0]

    return " ".join(re.sub(rf" ?(/{re.escape(root)}(?:/[\w.\-]+)+) ?", name_of, text).split())


def _thing(question: Question) -> str:
    return "group" if question.kind in (GROUP, REPEAT) else "question"


def _type(question: Question) -> str:
    return f"{question.kind} {_short(question.list_name)}" if question.list_name else question.kind


def _inside(question: Question) -> str:
    return question.path.removeprefix("/data/")


def _label(form: Form, question: Question) -> str:
    return question.labels.get(form.default_language) or _first(question.labels)


def _first(labels: Mapping[str, str]) -> str:
    return next(iter(labels.values()), "")


def _short(list_name: str) -> str:
    """Choices that stand in the question itself have its path for a name."""
    return list_name.rpartition("/")[2]


def _told(indicator: Indicator) -> str:
    """The columns that decide what the figure is, as they are written."""
    shown = indicator.to_json()
    return "; ".join(f"{column}: {_cell(shown[column])}" for column in _TOLD if shown.get(column) not in (None, "", []))


def _cell(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
